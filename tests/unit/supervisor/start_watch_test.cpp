#include "supervisor/start_watch.h"

#include <doctest/doctest.h>

using namespace plugfs;
using std::chrono::milliseconds;

namespace {

struct Fixture {
    std::unique_ptr<EventLoop> loop = [] {
        auto made = EventLoop::create();
        REQUIRE(made.ok());
        return std::move(*made);
    }();
    VaultHeader header{};
    std::string late;

    void watch(StartWatch& watch) {
        watch.begin(header, [this](const std::string& what) {
            late += what + ".";
            loop->quit();
        });
    }
    void run(milliseconds longest) {
        const auto limit = loop->after(longest, [this] { loop->quit(); });
        loop->run();
        loop->cancel(limit);
    }
};

constexpr milliseconds soon{20};
constexpr milliseconds never{60'000};

}  // namespace

TEST_CASE("a driver that does not start is told of, once") {
    Fixture fixture;
    StartWatch watch(*fixture.loop, {soon, never});
    fixture.watch(watch);
    fixture.run(never);
    CHECK(fixture.late == "has not started in time.");
    fixture.run(3 * soon);
    CHECK(fixture.late == "has not started in time.");
}

TEST_CASE("so is one that has started and does not say so") {
    Fixture fixture;
    StartWatch watch(*fixture.loop, {never, soon});
    fixture.watch(watch);
    fixture.loop->after(soon, [&fixture] { fixture.header.driver_started = 1; });
    fixture.run(never);
    CHECK(fixture.late == "has started and has not said so.");
}

TEST_CASE("nothing is said of one that serves, has ended, or is not watched") {
    Fixture fixture;
    StartWatch serves(*fixture.loop, {soon, soon});
    fixture.watch(serves);
    fixture.loop->after(milliseconds(1), [&serves] { serves.end(); });
    StartWatch unlimited(*fixture.loop, {soon, milliseconds(0)});
    fixture.watch(unlimited);
    fixture.run(5 * soon);
    CHECK(fixture.late.empty());
}
