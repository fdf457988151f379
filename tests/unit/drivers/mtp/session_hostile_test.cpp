// Devices that break the protocol: every time the caller gets an error, the device a Cancel, and the next transaction
// works.
#include "drivers/mtp/session.h"

#include "scripted_responder.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

using Misdeed = void (*)(ScriptedResponder&, const Command&);
struct Case {
    std::string name;
    const char* words;  // of the error
    Misdeed misdeed;
    Session::Failure failure = Session::Failure::broken;
};

const Bytes content = pattern(0, 1000);

Bytes data_container(const Command& command, std::optional<std::uint32_t> length = {}) {
    return container(ContainerType::data, command.operation, command.transaction, content, length);
}

// The beginning of a data container of 100,000 bytes.
Bytes first_part(const Command& command, std::size_t length) {
    return container(ContainerType::data, command.operation, command.transaction,
                     pattern(0, length - container_header_size), 100'000);
}

// In place of a dataset of 1000 bytes and its response.
const Case cases[] = {
    {"another transaction's data", "transaction id is",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(container(ContainerType::data, command.operation, command.transaction + 1, content));
         responder.respond(command, response::ok);
     }},
    {"another transaction's response", "transaction id is",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.respond({.transaction = command.transaction - 1}, response::ok);
     }},
    {"another operation's data", "operation code of the data is",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data({operation::get_object, command.transaction}, content);
         responder.respond(command, response::ok);
     }},
    {"a command", "container type is 1",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(container(ContainerType::command, command.operation, command.transaction, content));
     }},
    {"an event", "container type is 4",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(container(ContainerType::event, event::object_added, command.transaction, {}));
     }},
    {"a type that there is not", "container type is 30583",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(container(static_cast<ContainerType>(0x7777), command.operation, command.transaction, content));
     }},
    {"zeros", "container type is 0", [](ScriptedResponder& responder, const Command&) { responder.say(Bytes(512)); }},
    {"a length of 0", "container length is 0",
     [](ScriptedResponder& responder, const Command& command) { responder.say(data_container(command, 0)); }},
    {"a length of 11", "container length is 11",
     [](ScriptedResponder& responder, const Command& command) { responder.say(data_container(command, 11)); }},
    {"a length that is not given", "container length is not given",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(data_container(command, length_not_in_32_bits));
     }},
    {"a length beyond the data", "container length promises 1000 bytes more than came",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(data_container(command, 2012));
         responder.respond(command, response::ok);
     }},
    {"a length of nearly 4 GiB", "more than came",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(data_container(command, 0xFFFFFFFE));
         responder.respond(command, response::ok);
     }},
    {"a length within the data", "",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(data_container(command, 512));
         responder.respond(command, response::ok);
     }},
    {"a header that ends early", "shorter than its header",
     [](ScriptedResponder& responder, const Command&) { responder.say(Bytes(5, std::byte{5})); }},
    {"empty packets", "empty packets where a container was expected",
     [](ScriptedResponder& responder, const Command&) {
         for (int i = 0; i < 10; ++i) {
             responder.say({});
         }
     }},
    {"empty packets in place of data", "more than came",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(container(ContainerType::data, command.operation, command.transaction, {}, 1012));
         for (int i = 0; i < 10; ++i) {
             responder.say({});
         }
     }},
    {"data twice", "a second data container",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.data(command, content);
         responder.respond(command, response::ok);
     }},
    {"a response with too many parameters", "container length is 36",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.respond(command, response::ok, {1, 2, 3, 4, 5, 6});
     }},
    {"a response of 4 GiB", "container length is 4294967295",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.say(container(ContainerType::response, response::ok, command.transaction, {}, 0xFFFFFFFF));
     }},
    {"a response that ends early", "response container is shorter than its length 32",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.say(container(ContainerType::response, response::ok, command.transaction, Bytes(4), 32));
     }},
    {"a response shorter than a header", "container length is 11",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.say(container(ContainerType::response, response::ok, command.transaction, {}, 11));
     }},
    {"a halt in place of data", "no answer", [](ScriptedResponder& responder, const Command&) { responder.stall(); }},
    {"a halt before the first transfer is full", "no answer",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(first_part(command, 512), false);
         responder.stall();
     }},
    {"a halt in the data", "data phase",
     [](ScriptedResponder& responder, const Command& command) {
         responder.say(first_part(command, 65536), false);
         responder.stall();
     }},
    {"a halt in place of the response", "response phase",
     [](ScriptedResponder& responder, const Command& command) {
         responder.data(command, content);
         responder.stall();
     }},
    {"silence", "no answer", [](ScriptedResponder&, const Command&) {}, Session::Failure::silent},
    {"silence before the first transfer is full", "no answer",
     [](ScriptedResponder& responder, const Command& command) { responder.say(first_part(command, 512), false); },
     Session::Failure::silent},
    {"silence in the data", "data phase",
     [](ScriptedResponder& responder, const Command& command) { responder.say(first_part(command, 65536), false); },
     Session::Failure::silent},
    {"silence in place of the response", "response phase",
     [](ScriptedResponder& responder, const Command& command) { responder.data(command, content); },
     Session::Failure::silent},
};

void check_next_works(Scripted& scripted) {
    scripted.responder.gives(operation::get_storage_ids, pattern(7, 2000));
    const auto next = scripted.session.dataset(operation::get_storage_ids, {});
    REQUIRE_MESSAGE(next.ok(), (next ? "" : next.error().text()));
    CHECK(*next == pattern(7, 2000));
}

}  // namespace

TEST_CASE("a broken dataset is an error that says what was wrong; the next transaction works") {
    for (const bool class_requests : {true, false}) {
        CAPTURE(class_requests);
        for (const auto& item : cases) {
            CAPTURE(item.name);
            Scripted scripted;
            scripted.responder.knows_class_requests = class_requests;
            std::optional<std::uint32_t> cancelled;
            scripted.responder.cancelled = [&](std::uint32_t transaction) { cancelled = transaction; };
            scripted.responder.on(operation::get_object_info,
                                  [&](const Command& command) { item.misdeed(scripted.responder, command); });
            const auto got = scripted.session.dataset(operation::get_object_info, {1});
            REQUIRE_FALSE(got);
            CAPTURE(got.error().text());
            CHECK(got.error().code == EIO);
            CHECK(got.error().stage == "GetObjectInfo");
            CHECK(got.error().detail.find(item.words) != std::string::npos);
            CHECK(scripted.session.failure() == item.failure);
            CHECK_FALSE(scripted.session.busy());
            CHECK(cancelled == (class_requests ? std::optional<std::uint32_t>(1) : std::nullopt));
            REQUIRE(scripted.session.recover());
            check_next_works(scripted);
            CHECK(scripted.session.generation() == 1);
        }
    }
}

TEST_CASE("the same where the data goes into a buffer") {
    for (const auto& item : cases) {
        CAPTURE(item.name);
        Scripted scripted;
        scripted.responder.on(operation::get_partial_object,
                              [&](const Command& command) { item.misdeed(scripted.responder, command); });
        Bytes out(content.size());
        const auto got = scripted.session.data_into(operation::get_partial_object, {1}, out);
        if (got) {
            // That the length is not given is right where the data's is known.
            CHECK(item.name == "a length that is not given");
            continue;
        }
        CHECK(got.error().code == EIO);
        REQUIRE(scripted.session.recover());
        check_next_works(scripted);
    }
}

TEST_CASE("more data than was asked for does not pass the buffer's end") {
    for (const std::size_t asked : {1UL, 499UL, 500UL, 900UL, 999UL}) {
        CAPTURE(asked);
        Scripted scripted;
        scripted.responder.gives(operation::get_partial_object, content);
        Bytes out(asked);
        const auto got = scripted.session.data_into(operation::get_partial_object, {1}, out);
        REQUIRE_FALSE(got);
        CHECK(got.error().detail.find("more data than expected") != std::string::npos);
        CHECK(scripted.session.recover());
        check_next_works(scripted);
    }
}

TEST_CASE("data where none belongs") {
    Scripted scripted;
    scripted.responder.gives(operation::get_num_objects, content);
    const auto got = scripted.session.command(operation::get_num_objects, {});
    REQUIRE_FALSE(got);
    CHECK(got.error().detail.find("1000 bytes more data than expected") != std::string::npos);
    check_next_works(scripted);
}

TEST_CASE("a dataset has a limit") {
    Scripted scripted;
    scripted.responder.gives(operation::get_object_info, content);
    CHECK(scripted.session.dataset(operation::get_object_info, {1}, content.size()));
    const auto got = scripted.session.dataset(operation::get_object_info, {1}, content.size() - 1);
    REQUIRE_FALSE(got);
    CHECK(got.error().detail == "dataset of more than 999 bytes");
    CHECK(scripted.session.failure() == Session::Failure::broken);
    check_next_works(scripted);
}

TEST_CASE("a device that does not take commands") {
    Scripted scripted;
    scripted.device.deaf = true;
    const auto got = scripted.session.command(operation::get_num_objects, {});
    REQUIRE_FALSE(got);
    CHECK(got.error().code == EIO);
    CHECK(got.error().detail.find("command phase") == 0);
    CHECK(scripted.session.failure() == Session::Failure::silent);
    scripted.device.deaf = false;
    REQUIRE(scripted.session.recover());
    check_next_works(scripted);
}

TEST_CASE("a device that halts the endpoint of the commands: the halt is cleared, whatever its status says") {
    for (const bool class_requests : {true, false}) {
        CAPTURE(class_requests);
        Scripted scripted;
        scripted.responder.knows_class_requests = class_requests;
        scripted.responder.takes_commands = false;
        const auto got = scripted.session.command(operation::get_num_objects, {});
        REQUIRE_FALSE(got);
        CHECK(got.error().detail.find("command phase") == 0);
        CHECK(scripted.session.failure() == Session::Failure::broken);
        scripted.responder.takes_commands = true;
        REQUIRE(scripted.session.recover());
        check_next_works(scripted);
        CHECK(scripted.session.generation() == 1);
    }
}
