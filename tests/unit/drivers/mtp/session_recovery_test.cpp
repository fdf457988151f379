// Opening a session on a device in any state, and getting one back that misbehaves.
#include "drivers/mtp/session.h"

#include "scripted_responder.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

using Asked = std::vector<std::string>;

const std::string open_session = "command 0x1002";
const std::string close_session = "command 0x1003";
const std::string cancel = "control 64";
const std::string status = "control 67";
const std::string class_reset = "control 66";

// As Scripted, not yet open.
struct Closed {
    ScriptedResponder responder;
    InProcessDevice device{responder};
    Session session{device, endpoints, quick};

    // General_Error to OpenSession, until `cured` is set.
    bool cured = false;
    void fall_ill() {
        responder.on(operation::open_session, [this](const Command& command) {
            responder.respond(command, cured ? response::ok : response::general_error);
        });
    }
};

const Asked whole_ladder = {open_session, cancel,       status,  open_session, class_reset,
                            status,       open_session, "reset", open_session};

}  // namespace

TEST_CASE("a device in order is opened by one command") {
    Closed it;
    REQUIRE(it.session.open());
    CHECK(it.device.asked == Asked{open_session});
    CHECK(it.session.generation() == 1);
}

TEST_CASE("a session that a predecessor left open is closed first") {
    Closed it;
    it.responder.session_open = true;
    REQUIRE(it.session.open());
    CHECK(it.device.asked == Asked{open_session, close_session, open_session});
    CHECK(it.responder.commands.back().transaction == 0);
}

TEST_CASE("the ladder: Cancel, Device Reset, a reset of the bus; one that never opens") {
    Closed it;
    it.fall_ill();
    const auto opened = it.session.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().stage == "OpenSession");
    CHECK(it.device.asked == whole_ladder);
    CHECK(it.session.generation() == 0);
}

TEST_CASE("the ladder is climbed no further than needed") {
    for (const std::size_t rungs : {1UL, 2UL, 3UL}) {
        CAPTURE(rungs);
        Closed it;
        it.fall_ill();
        it.responder.cancelled = [&](std::uint32_t) { it.cured = rungs == 1; };
        it.responder.reset_by_class = [&] { it.cured = rungs == 2; };
        it.responder.reset_by_bus = [&] { it.cured = rungs == 3; };
        REQUIRE(it.session.open());
        const std::size_t length[] = {0, 4, 7, 9};
        CHECK(it.device.asked == Asked(whole_ladder.begin(), whole_ladder.begin() + length[rungs]));
    }
}

TEST_CASE("the ladder for a device that is silent, or deaf, or halts, or knows no class request") {
    SUBCASE("silent") {
        Closed it;
        it.responder.on(operation::open_session, [&](const Command& command) {
            if (it.cured) {
                it.responder.respond(command, response::ok);
            }
        });
        it.responder.reset_by_bus = [&] { it.cured = true; };
        REQUIRE(it.session.open());
        CHECK(std::count(it.device.asked.begin(), it.device.asked.end(), class_reset) == 1);
        CHECK(std::count(it.device.asked.begin(), it.device.asked.end(), "reset") == 1);
    }
    SUBCASE("deaf") {
        Closed it;
        it.device.deaf = true;
        it.responder.reset_by_bus = [&] { it.device.deaf = false; };
        REQUIRE(it.session.open());
        CHECK(it.device.asked.back() == open_session);
    }
    SUBCASE("halts the endpoint of the commands") {
        Closed it;
        it.responder.takes_commands = false;
        it.responder.reset_by_class = [&] { it.responder.takes_commands = true; };
        REQUIRE(it.session.open());
        CHECK(std::count(it.device.asked.begin(), it.device.asked.end(), "reset") == 0);
    }
    SUBCASE("knows no class request") {
        Closed it;
        it.responder.knows_class_requests = false;
        it.fall_ill();
        it.responder.reset_by_bus = [&] { it.cured = true; };
        REQUIRE(it.session.open());
        // Halts are cleared on suspicion.
        CHECK(std::count(it.device.asked.begin(), it.device.asked.end(), "clear_halt 81") == 2);
        CHECK(std::count(it.device.asked.begin(), it.device.asked.end(), "clear_halt 2") == 2);
    }
}

TEST_CASE("answers that a dead predecessor did not fetch are skipped, a few of them") {
    for (const std::uint32_t stale : {1U, 4U, 5U}) {
        CAPTURE(stale);
        Closed it;
        for (std::uint32_t i = 0; i < stale; ++i) {
            it.responder.respond({.transaction = 100 + i}, response::ok);
        }
        REQUIRE(it.session.open());
        const bool skipped = it.device.asked == Asked{open_session};
        CHECK(skipped == (stale <= 4));
    }
}

TEST_CASE("the rest of an object that a dead predecessor read is got rid of") {
    Closed it;
    it.responder.session_open = true;
    it.responder.cancelled = nullptr;
    const auto rest = pattern(12345, 700'000);
    // It does not look at Cancel, and goes on sending.
    it.responder.cancelled = [&](std::uint32_t) { it.responder.say(rest); };
    it.responder.say(rest);
    REQUIRE(it.session.open());
    CHECK(std::count(it.device.asked.begin(), it.device.asked.end(), "reset") == 0);
    CHECK(it.responder.session_open);
}

TEST_CASE("after Cancel the device is asked until it is ready; endpoints that it calls halted are cleared") {
    Scripted scripted;
    scripted.responder.statuses = {response::device_busy, response::transaction_cancelled, response::device_busy};
    scripted.responder.halted_endpoints = {0x81, 0x99, 0x02};
    scripted.responder.gives(operation::get_object, pattern(0, 100'000));
    REQUIRE(scripted.session.begin(operation::get_object, {1}, 1000, 100'000));
    scripted.session.abort();
    CHECK(std::count(scripted.device.asked.begin(), scripted.device.asked.end(), status) == 4);
    CHECK(std::count(scripted.device.asked.begin(), scripted.device.asked.end(), "clear_halt 81") == 4);
    CHECK(std::count(scripted.device.asked.begin(), scripted.device.asked.end(), "clear_halt 2") == 4);
    CHECK(std::count(scripted.device.asked.begin(), scripted.device.asked.end(), "clear_halt 99") == 0);
}

TEST_CASE("a first failure costs the transaction, a second the session, a good one in between counts") {
    Scripted scripted;
    auto& session = scripted.session;
    const auto fails = [&] {
        scripted.responder.once(operation::get_num_objects, [&](const Command&) { scripted.responder.stall(); });
        REQUIRE_FALSE(session.command(operation::get_num_objects, {}));
    };
    scripted.responder.refuses(operation::get_num_objects, response::ok);
    fails();
    REQUIRE(session.recover());
    CHECK(session.generation() == 1);
    REQUIRE(session.command(operation::get_num_objects, {}));
    fails();
    REQUIRE(session.recover());
    CHECK(session.generation() == 1);
    fails();
    REQUIRE(session.recover());
    CHECK(session.generation() == 2);
    fails();
    REQUIRE(session.recover());
    CHECK(session.generation() == 2);
}

TEST_CASE("a device that stays busy after Cancel gets a new session at once") {
    Scripted scripted;
    scripted.responder.last_status = response::device_busy;
    REQUIRE_FALSE(scripted.session.command(operation::get_object_info, {1}).ok());
    CHECK(scripted.session.failure() == Session::Failure::refused);
    scripted.responder.on(operation::get_num_objects, [](const Command&) {});
    REQUIRE_FALSE(scripted.session.command(operation::get_num_objects, {}));
    REQUIRE(scripted.session.recover());
    CHECK(scripted.session.generation() == 2);
}

TEST_CASE("a device that does not come back is left alone, then tried again") {
    Scripted scripted;
    auto& session = scripted.session;
    bool well = false;
    scripted.responder.on(operation::open_session, [&](const Command& command) {
        scripted.responder.respond(command, well ? response::ok : response::general_error);
    });
    scripted.responder.on(operation::get_num_objects, [](const Command&) {});
    for (int i = 0; i < 2; ++i) {
        REQUIRE_FALSE(session.command(operation::get_num_objects, {}));
        CHECK(session.recover().ok() == (i == 0));
    }
    // Nothing is asked of it: until the time is over, ready() says no by itself.
    const auto deadline = Deadline::after(std::chrono::seconds(20));
    const auto before = scripted.device.asked;
    auto ready = session.ready();
    while (scripted.device.asked == before && !deadline.expired()) {
        REQUIRE_FALSE(ready);
        CHECK(ready.error().code == EIO);
        ready = session.ready();
    }
    // It was tried, in vain; the next time it is well.
    CHECK(scripted.device.asked.size() == before.size() + whole_ladder.size());
    CHECK_FALSE(ready);
    well = true;
    while (!ready && !deadline.expired()) {
        ready = session.ready();
    }
    REQUIRE(ready);
    CHECK(session.generation() == 2);
    CHECK(session.ready());
}

TEST_CASE("closing") {
    SUBCASE("in good order") {
        Scripted scripted;
        scripted.session.close();
        CHECK(scripted.device.asked == Asked{close_session});
        CHECK_FALSE(scripted.responder.session_open);
    }
    SUBCASE("in the middle of a transaction") {
        Scripted scripted;
        scripted.responder.gives(operation::get_object, pattern(0, 10'000));
        REQUIRE(scripted.session.begin(operation::get_object, {1}, 1000, 10'000));
        scripted.session.close();
        CHECK(scripted.device.asked == Asked{"command 0x1009", cancel, status, close_session});
    }
    SUBCASE("a device that does not answer") {
        Scripted scripted;
        scripted.device.deaf = true;
        scripted.session.close();
        CHECK_FALSE(scripted.session.busy());
    }
}
