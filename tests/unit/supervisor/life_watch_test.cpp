#include "supervisor/life_watch.h"

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
    bool hung = false;

    // Lets the loop turn, with a beat of each counter that is to beat, until the watch has spoken or `turns` are over.
    void run(bool fuse_beats, bool device_beats, int turns) {
        if (turns == 0) {
            loop->quit();
            return;
        }
        header.heartbeat += fuse_beats ? 1 : 0;
        header.device_heartbeat += device_beats ? 1 : 0;
        loop->after(milliseconds(20),
                    [this, fuse_beats, device_beats, turns] { run(fuse_beats, device_beats, turns - 1); });
    }
    void watch(LifeWatch& watch) {
        watch.begin(header, [this] {
            hung = true;
            loop->quit();
        });
        ++header.heartbeat;
        ++header.device_heartbeat;
    }
};

}  // namespace

TEST_CASE("a thread that stands still is noticed, the FUSE thread's or the driver's") {
    for (const bool fuse_beats : {true, false}) {
        Fixture fixture;
        LifeWatch life(*fixture.loop, milliseconds(50));
        fixture.watch(life);
        fixture.run(fuse_beats, !fuse_beats, 500);
        fixture.loop->run();
        CHECK(fixture.hung);
    }
}

TEST_CASE("nothing is said of threads that live, of a worker that has ended, or without a limit") {
    Fixture alive;
    LifeWatch life(*alive.loop, milliseconds(400));
    alive.watch(life);
    alive.run(true, true, 50);
    alive.loop->run();
    CHECK_FALSE(alive.hung);

    life.end();
    alive.run(false, false, 40);
    alive.loop->run();
    CHECK_FALSE(alive.hung);

    LifeWatch unlimited(*alive.loop, milliseconds(0));
    alive.watch(unlimited);
    alive.run(false, false, 40);
    alive.loop->run();
    CHECK_FALSE(alive.hung);
}
