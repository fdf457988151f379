#include "supervisor/request_watch.h"

#include <doctest/doctest.h>

#include <linux/fuse.h>

#include <cstring>

using namespace plugfs;

namespace {

constexpr std::chrono::milliseconds limit{600};

// A vault with a request in a slot, and a pipe nobody writes to in place of the kernel.
struct Fixture {
    std::unique_ptr<EventLoop> loop = std::move(*EventLoop::create());
    UniqueFd vault_fd;
    VaultMapping vault = std::move(*VaultMapping::create(vault_fd));
    UniqueFd kernel;
    UniqueFd kernel_end;
    PendingRequests requests{-1, vault};
    FuseConnections connections;
    RequestWatch watch{*loop, connections, limit};
    std::optional<RequestWatch::Lost> lost;

    Fixture() {
        int ends[2] = {-1, -1};
        REQUIRE(::pipe(ends) == 0);
        kernel.reset(ends[0]);
        kernel_end.reset(ends[1]);
    }
    void fill_slot() const {
        fuse_in_header header{};
        header.len = sizeof header;
        header.opcode = FUSE_GETATTR;
        header.unique = 8;
        std::memcpy(vault.small_slot(3).data(), &header, sizeof header);
    }
    // No connection has this number: the kernel's side is not looked at.
    void run(std::chrono::milliseconds time) {
        watch.begin({kernel.get(), &requests, &vault.header(), 0xffffffff}, [this](RequestWatch::Lost how) {
            lost = how;
            loop->quit();
        });
        loop->after(time, [this] { loop->quit(); });
        loop->run();
    }
};

}  // namespace

TEST_CASE("a request that stands in its slot while nobody works is lost") {
    Fixture fixture;
    fixture.fill_slot();
    fixture.run(std::chrono::seconds(30));
    CHECK(fixture.lost == RequestWatch::Lost::in_slot);
}

TEST_CASE("one that the device thread works on is not") {
    Fixture fixture;
    fixture.fill_slot();
    fixture.vault.header().device_busy = 1;
    fixture.run(3 * limit);
    CHECK_FALSE(fixture.lost);
}

TEST_CASE("a request that stays with the kernel while nobody takes any is lost") {
    Fixture fixture;
    REQUIRE(::write(fixture.kernel_end.get(), "", 1) == 1);
    SUBCASE("it is") {
        fixture.run(std::chrono::seconds(30));
        CHECK(fixture.lost == RequestWatch::Lost::not_taken);
    }
    SUBCASE("not while the device thread works") {
        fixture.vault.header().device_busy = 1;
        fixture.run(3 * limit);
        CHECK_FALSE(fixture.lost);
    }
    SUBCASE("not where others are taken") {
        const std::function<void()> take = [&] {
            ++fixture.vault.header().requests_taken;
            fixture.loop->after(limit / 6, take);
        };
        take();
        fixture.run(3 * limit);
        CHECK_FALSE(fixture.lost);
    }
}

TEST_CASE("nor is anything lost where there is no request") {
    Fixture fixture;
    fixture.run(3 * limit);
    CHECK_FALSE(fixture.lost);
}
