#include "kit/device_queue.h"

#include "kit/mailbox.h"

#include <poll.h>

#include <doctest/doctest.h>

#include <string>
#include <thread>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

class NoDriver : public Driver {
  public:
    Result<void> start() override { return {}; }
    Result<Listing> list(Key /*folder*/, std::uint64_t /*cursor*/) override { return Listing{}; }
    Result<std::size_t> read(Key /*file*/, std::uint64_t /*offset*/, std::span<std::byte> /*out*/) override {
        return std::size_t{0};
    }
};

bool readable(int fd) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, 0) == 1;
}

}  // namespace

TEST_CASE("urgent jobs go first, and a job can be hurried along or taken out") {
    auto queue = DeviceQueue::create();
    REQUIRE(queue.ok());
    std::string order;
    NoDriver driver;
    const auto job = [&order](char name) { return [&order, name](Driver&) { order += name; }; };
    (*queue)->add(Priority::ahead, job('a'));
    const auto late = (*queue)->add(Priority::ahead, job('b'));
    (*queue)->add(Priority::demanded, job('c'));
    const auto doomed = (*queue)->add(Priority::demanded, job('d'));
    (*queue)->add(Priority::metadata, job('e'));
    (*queue)->hurry(late, Priority::demanded);
    CHECK((*queue)->remove(doomed));
    CHECK_FALSE((*queue)->remove(doomed));
    CHECK(readable((*queue)->wake_fd()));
    while (const auto next = (*queue)->take()) {
        (*next)(driver);
    }
    CHECK(order == "ecba");
    CHECK_FALSE(readable((*queue)->wake_fd()));
    (*queue)->wake();
    CHECK(readable((*queue)->wake_fd()));
}

TEST_CASE("whoever waits for jobs is woken by the first one") {
    auto queue = DeviceQueue::create();
    REQUIRE(queue.ok());
    const int fd = (*queue)->wake_fd();
    const auto nothing = [](Driver&) {};
    for (int round = 0; round < 3; ++round) {
        REQUIRE_FALSE((*queue)->take());
        CHECK_FALSE(readable(fd));
        (*queue)->add(Priority::demanded, nothing);
        CHECK(readable(fd));
        (*queue)->add(Priority::demanded, nothing);
        REQUIRE((*queue)->take());
        (*queue)->add(Priority::demanded, nothing);  // whoever has found one looks again by himself
        REQUIRE((*queue)->take());
        REQUIRE((*queue)->take());
    }
    // From another thread, in whatever order: nothing is left behind, and nobody sleeps over it.
    constexpr int jobs = 20'000;
    std::thread adder([&] {
        for (int i = 0; i < jobs; ++i) {
            (*queue)->add(Priority::demanded, nothing);
        }
    });
    for (int taken = 0; taken < jobs;) {
        if ((*queue)->take()) {
            ++taken;
            continue;
        }
        pollfd ready{fd, POLLIN, 0};
        REQUIRE(::poll(&ready, 1, 10'000) == 1);
    }
    adder.join();
    CHECK_FALSE((*queue)->take());
    CHECK_FALSE(readable(fd));
}

TEST_CASE("calling off is for the job that runs, and is forgotten with it") {
    auto queue = DeviceQueue::create();
    REQUIRE(queue.ok());
    const auto first = (*queue)->add(Priority::demanded, [](Driver&) {});
    const auto second = (*queue)->add(Priority::demanded, [](Driver&) {});
    (*queue)->call_off(first);  // has not begun: remove() is for that
    CHECK_FALSE(readable((*queue)->waits().fd()));
    REQUIRE((*queue)->take());
    (*queue)->call_off(second);
    CHECK_FALSE(readable((*queue)->waits().fd()));
    (*queue)->call_off(first);
    CHECK(readable((*queue)->waits().fd()));
    REQUIRE((*queue)->take());
    CHECK_FALSE(readable((*queue)->waits().fd()));
    (*queue)->call_off(first);  // is over
    CHECK_FALSE((*queue)->waits().take());
    (*queue)->call_off(second);
    CHECK((*queue)->waits().take());
    CHECK_FALSE((*queue)->waits().take());
    CHECK_FALSE((*queue)->take());
    (*queue)->call_off(second);
    (*queue)->call_off(0);
    CHECK_FALSE(readable((*queue)->waits().fd()));
}

TEST_CASE("the mailbox runs what several threads post, each thread's in its order") {
    auto mailbox = Mailbox::create();
    REQUIRE(mailbox.ok());
    constexpr int threads = 4;
    constexpr int posts = 1000;
    std::array<int, threads> last{};
    int wrong = 0;
    int done = 0;
    std::vector<std::thread> pool;
    for (int thread = 0; thread < threads; ++thread) {
        pool.emplace_back([&, thread] {
            for (int i = 1; i <= posts; ++i) {
                (*mailbox)->post([&, thread, i] {
                    wrong += last[static_cast<std::size_t>(thread)] + 1 == i ? 0 : 1;
                    last[static_cast<std::size_t>(thread)] = i;
                    ++done;
                });
            }
        });
    }
    while (done < threads * posts) {
        pollfd ready{(*mailbox)->fd(), POLLIN, 0};
        REQUIRE(::poll(&ready, 1, 10'000) == 1);
        (*mailbox)->run_all();
    }
    for (auto& thread : pool) {
        thread.join();
    }
    CHECK(wrong == 0);
}
