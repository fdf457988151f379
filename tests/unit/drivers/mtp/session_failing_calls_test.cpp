// Each call to the device in turn fails, in every way that it can: nothing may crash or hang, an error that was not the
// device's end is got over, and a device that has gone is left alone.
#include "drivers/mtp/session.h"

#include "scripted_responder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

// More calls than any of the tasks makes.
constexpr std::size_t call_limit = 200;

constexpr std::size_t size = 700'000;  // several pieces

void prepare(ScriptedResponder& responder) {
    responder.gives(operation::get_object_info, pattern(1, 20'000));
    responder.on(operation::get_object, [&responder](const Command& command) {
        responder.pattern_data(command, size);
        responder.respond(command, response::ok);
    });
}

Result<void> read_things(Session& session) {
    PLUGFS_ASSIGN(const auto info, session.dataset(operation::get_object_info, {1}));
    CHECK(info == pattern(1, 20'000));
    PLUGFS_TRY(session.begin(operation::get_object, {1}, 1000, size));
    Bytes out(600'000);
    PLUGFS_ASSIGN(const auto got, session.read_data(out));
    CHECK(got == out.size());
    CHECK(out == pattern(0, out.size()));
    session.abort();
    Bytes small(500);
    PLUGFS_TRY(session.begin(operation::get_object, {1}, 1000, size));
    PLUGFS_TRY(session.read_data(small));
    session.abort();
    return {};
}

}  // namespace

TEST_CASE("a transfer or request that fails anywhere is got over") {
    for (const int code : {EIO, EPIPE, ETIMEDOUT}) {
        CAPTURE(code);
        bool failed = true;
        std::size_t number = 0;
        while (failed) {
            ++number;
            CAPTURE(number);
            REQUIRE(number < call_limit);
            Scripted scripted;
            prepare(scripted.responder);
            scripted.device.fail_call(number, code);
            const auto read = read_things(scripted.session);
            failed = scripted.device.failed();
            if (!read) {
                CHECK(failed);
                CHECK(read.error().code == EIO);
                CHECK_FALSE(scripted.session.busy());
            }
            scripted.device.fail_call(0, 0);
            if (!read) {
                const auto back = scripted.session.recover();
                REQUIRE_MESSAGE(back.ok(), (back ? "" : back.error().text()));
            }
            const auto again = read_things(scripted.session);
            REQUIRE_MESSAGE(again.ok(), (again ? "" : again.error().text()));
        }
        CHECK(number > 10);
    }
}

TEST_CASE("a device that is pulled out anywhere is ENODEV, and nothing more is tried with it") {
    bool failed = true;
    std::size_t number = 0;
    std::size_t gone_in_call = 0;
    while (failed) {
        ++number;
        CAPTURE(number);
        REQUIRE(number < call_limit);
        Scripted scripted;
        prepare(scripted.responder);
        scripted.device.fail_call(number, ENODEV);
        const auto read = read_things(scripted.session);
        failed = scripted.device.failed();
        if (!failed) {
            CHECK(read);
            break;
        }
        // An abort() has no error of its own: then the next transaction has.
        const auto next = scripted.session.command(operation::get_num_objects, {});
        REQUIRE_FALSE(next);
        CHECK(next.error().code == ENODEV);
        CHECK(scripted.session.failure() == Session::Failure::gone);
        if (!read) {
            CHECK(read.error().code == ENODEV);
            ++gone_in_call;
        }
        const auto asked = scripted.device.asked;
        const auto back = scripted.session.recover();
        REQUIRE_FALSE(back);
        CHECK(back.error().code == ENODEV);
        CHECK(scripted.device.asked == asked);
    }
    CHECK(gone_in_call > 10);
}

TEST_CASE("opening, with each call failing once") {
    for (const int code : {EIO, EPIPE, ETIMEDOUT, ENODEV}) {
        CAPTURE(code);
        bool failed = true;
        for (std::size_t number = 1; failed; ++number) {
            CAPTURE(number);
            REQUIRE(number < call_limit);
            ScriptedResponder responder;
            InProcessDevice device(responder);
            Session session(device, endpoints, quick);
            // The whole ladder, so that each of its calls is among those that fail.
            bool well = false;
            responder.on(operation::open_session, [&](const Command& command) {
                responder.respond(command, well ? response::ok : response::general_error);
            });
            responder.reset_by_bus = [&] { well = true; };
            device.fail_call(number, code);
            const auto opened = session.open();
            failed = device.failed();
            if (code == ENODEV && failed) {
                REQUIRE_FALSE(opened);
                CHECK(opened.error().code == ENODEV);
                continue;
            }
            well = true;
            if (!opened) {
                CHECK(opened.error().code != 0);
                CHECK(session.open());
            }
        }
    }
}
