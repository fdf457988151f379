// Transactions as devices do them, each in its own way of cutting them into transfers.
#include "drivers/mtp/session.h"

#include "scripted_responder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

// Around packets, the transfers that the session posts ahead, and the pieces that it reads in.
constexpr std::size_t sizes[] = {0,     1,     499,   500,   501,   511,   512,   1011,  1012,   1013,   1524,
                                 16371, 16372, 16373, 16384, 16396, 16884, 16896, 70000, 262132, 262144, 600'000};

Bytes whole_data(const Command& command, std::span<const std::byte> content) {
    return container(ContainerType::data, command.operation, command.transaction, content);
}
Bytes ok_response(const Command& command) {
    return container(ContainerType::response, response::ok, command.transaction, {});
}
Bytes joined(Bytes first, const Bytes& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

// A way of sending a dataset and the response.
using Way = void (*)(ScriptedResponder&, const Command&, const Bytes& content);
struct NamedWay {
    std::string name;
    Way way;
};
const NamedWay ways[] = {
    {"by the book",
     [](ScriptedResponder& responder, const Command& command, const Bytes& content) {
         responder.data(command, content);
         responder.respond(command, response::ok);
     }},
    {"data and response in one transfer",
     [](ScriptedResponder& responder, const Command& command, const Bytes& content) {
         responder.say(joined(whole_data(command, content), ok_response(command)));
     }},
    {"no empty packet after data that fills its last one",
     [](ScriptedResponder& responder, const Command& command, const Bytes& content) {
         responder.say(whole_data(command, content), false);
         responder.respond(command, response::ok);
     }},
    {"the header in a transfer of its own",
     [](ScriptedResponder& responder, const Command& command, const Bytes& content) {
         const auto all = whole_data(command, content);
         responder.say(Bytes(all.begin(), all.begin() + container_header_size));
         if (!content.empty()) {
             responder.say(content);
         }
         responder.respond(command, response::ok);
     }},
    {"the header in a transfer of its own, and an empty one",
     [](ScriptedResponder& responder, const Command& command, const Bytes& content) {
         const auto all = whole_data(command, content);
         responder.say(Bytes(all.begin(), all.begin() + container_header_size));
         responder.say({});
         if (!content.empty()) {
             responder.say(content);
         }
         responder.respond(command, response::ok);
     }},
    {"an empty transfer before the response",
     [](ScriptedResponder& responder, const Command& command, const Bytes& content) {
         responder.data(command, content);
         responder.say({});
         responder.respond(command, response::ok);
     }},
};

}  // namespace

TEST_CASE("a dataset of any size, in any way of sending it") {
    for (const auto& item : ways) {
        CAPTURE(item.name);
        Scripted scripted;
        for (const std::size_t size : sizes) {
            CAPTURE(size);
            const auto content = pattern(size, size);
            scripted.responder.once(operation::get_object_info,
                                    [&](const Command& command) { item.way(scripted.responder, command, content); });
            const auto got = scripted.session.dataset(operation::get_object_info, {7});
            REQUIRE_MESSAGE(got.ok(), (got ? "" : got.error().text()));
            CHECK(*got == content);
            CHECK_FALSE(scripted.session.busy());
        }
        CHECK(scripted.device.asked.size() == std::size(sizes));  // commands, and nothing else
    }
}

TEST_CASE("data into a buffer of any size, in any way of sending it") {
    for (const auto& item : ways) {
        CAPTURE(item.name);
        Scripted scripted;
        for (const std::size_t size : sizes) {
            for (const std::size_t less : {0, 1, 12, 500, 512}) {
                if (less > size) {
                    continue;
                }
                CAPTURE(size);
                CAPTURE(less);
                const auto content = pattern(size, size - less);  // a device may give less than asked for
                scripted.responder.once(operation::get_partial_object, [&](const Command& command) {
                    item.way(scripted.responder, command, content);
                });
                Bytes out(size);
                const auto got = scripted.session.data_into(operation::get_partial_object, {7}, out);
                REQUIRE_MESSAGE(got.ok(), (got ? "" : got.error().text()));
                out.resize(*got);
                CHECK(out == content);
            }
        }
    }
}

TEST_CASE("transactions are numbered from OpenSession on") {
    Scripted scripted;
    scripted.responder.refuses(operation::get_num_objects, response::ok);
    for (std::uint32_t expected = 1; expected <= 3; ++expected) {
        REQUIRE(scripted.session.command(operation::get_num_objects, {1, 2, 3, 4, 5}));
        CHECK(scripted.responder.commands.back().transaction == expected);
        CHECK(scripted.responder.commands.back().parameters == Parameters{1, 2, 3, 4, 5});
    }
    CHECK(scripted.session.generation() == 1);
    REQUIRE(scripted.session.open());
    CHECK(scripted.session.generation() == 2);
    CHECK(scripted.responder.commands.back().transaction == 0);
}

TEST_CASE("a response's parameters") {
    Scripted scripted;
    for (std::size_t count = 0; count <= parameter_limit; ++count) {
        CAPTURE(count);
        scripted.responder.once(operation::get_num_objects, [&](const Command& command) {
            ByteWriter parameters;
            for (std::size_t i = 0; i < count; ++i) {
                parameters.u32le(static_cast<std::uint32_t>(100 + i));
            }
            scripted.responder.say(
                container(ContainerType::response, response::ok, command.transaction, parameters.bytes()));
        });
        const auto got = scripted.session.command(operation::get_num_objects, {});
        REQUIRE(got);
        CHECK(got->code == response::ok);
        for (std::size_t i = 0; i < parameter_limit; ++i) {
            CHECK(got->parameters[i] == (i < count ? 100 + i : 0));
        }
    }
}

TEST_CASE("a refusal is an error with its meaning, and nothing is done about it") {
    Scripted scripted;
    const std::vector<std::pair<std::uint16_t, int>> meanings = {{response::invalid_object_handle, ENOENT},
                                                                 {response::operation_not_supported, ENOTSUP},
                                                                 {response::device_busy, EBUSY},
                                                                 {response::session_not_open, ECONNRESET},
                                                                 {response::store_full, ENOSPC},
                                                                 {response::access_denied, EACCES},
                                                                 {response::general_error, EIO},
                                                                 {0xFFFF, EIO},
                                                                 {0, EIO}};
    for (const auto& item : meanings) {
        const auto code = item.first;
        const int error = item.second;
        CAPTURE(code);
        scripted.responder.refuses(operation::get_object_info, code);
        const auto dataset = scripted.session.dataset(operation::get_object_info, {1});
        REQUIRE_FALSE(dataset);
        CHECK(dataset.error().code == error);
        CHECK(dataset.error().stage == "GetObjectInfo");
        CHECK(scripted.session.failure() == Session::Failure::refused);
        Bytes out(1000);
        const auto data = scripted.session.data_into(operation::get_object_info, {1}, out);
        REQUIRE_FALSE(data);
        CHECK(data.error().code == error);
    }
    // Some send data first and regret it then.
    scripted.responder.on(operation::get_object_info, [&](const Command& command) {
        scripted.responder.data(command, pattern(0, 100));
        scripted.responder.respond(command, response::incomplete_transfer);
    });
    CHECK(scripted.session.dataset(operation::get_object_info, {1}).error().detail.find("Incomplete_Transfer") !=
          std::string::npos);
    CHECK(scripted.device.asked.size() == 2 * meanings.size() + 1);
    scripted.responder.refuses(operation::get_num_objects, response::ok);
    CHECK(scripted.session.command(operation::get_num_objects, {}));
    CHECK(scripted.session.failure() == Session::Failure::none);
}

TEST_CASE("operations have names in messages, unknown ones their number") {
    CHECK(operation_name(operation::get_partial_object_64) == "GetPartialObject64");
    CHECK(operation_name(0x9ABC) == "0x9abc");
    CHECK(response_error(0x9ABC, 0x2FFF).text().find("0x9abc: the device answered 0x2fff") == 0);
}

TEST_CASE("data read in steps, as it arrives") {
    Scripted scripted;
    const std::size_t size = 3'000'000;
    scripted.responder.gives(operation::get_object, pattern(0, size));
    REQUIRE(scripted.session.begin(operation::get_object, {9}, 1000, size));
    CHECK(scripted.session.busy());
    std::size_t at = 0;
    for (const std::size_t step : {1UL, 11UL, 512UL, 100'000UL, 1'000'000UL, size}) {
        Bytes piece(step);
        const auto got = scripted.session.read_data(piece);
        REQUIRE(got);
        CHECK(*got == std::min(step, size - at));
        piece.resize(*got);
        CHECK(piece == pattern(at, *got));
        at += *got;
        CHECK(scripted.session.data_pending() == (at < size));
    }
    Bytes more(10);
    CHECK(*scripted.session.read_data(more) == 0);
    CHECK(scripted.session.finish());
    CHECK_FALSE(scripted.session.busy());
}

TEST_CASE("a transaction that another interrupts is cancelled first") {
    Scripted scripted;
    std::uint32_t cancelled = 0;
    scripted.responder.cancelled = [&](std::uint32_t transaction) { cancelled = transaction; };
    scripted.responder.gives(operation::get_object, pattern(0, 100'000));
    scripted.responder.refuses(operation::get_num_objects, response::ok);
    REQUIRE(scripted.session.begin(operation::get_object, {9}, 1000, 100'000));
    Bytes piece(5000);
    REQUIRE(scripted.session.read_data(piece));
    CHECK(scripted.session.command(operation::get_num_objects, {}));
    CHECK(cancelled == 1);
    CHECK(scripted.device.asked ==
          std::vector<std::string>{"command 0x1009", "control 64", "control 67", "command 0x1006"});
}

TEST_CASE("containers too long for their length field") {
    constexpr std::uint64_t whole = (std::uint64_t{1} << 32U) + 5000;
    const std::uint32_t cut_off = static_cast<std::uint32_t>(whole + container_header_size);
    for (const std::uint32_t length : {length_not_in_32_bits, cut_off}) {
        CAPTURE(length);
        Scripted scripted;
        scripted.responder.on(operation::get_object, [&](const Command& command) {
            scripted.responder.data(command, pattern(0, 50'000), length);
        });
        REQUIRE(scripted.session.begin(operation::get_object, {1}, 1000, whole));
        Bytes out(20'000);
        REQUIRE(scripted.session.read_data(out));
        CHECK(out == pattern(0, out.size()));
        CHECK(scripted.session.data_pending());
        scripted.session.abort();
        CHECK_FALSE(scripted.session.busy());
    }
    // The whole of it, with a length that is not given but known otherwise.
    Scripted scripted;
    scripted.responder.on(operation::get_object, [&](const Command& command) {
        scripted.responder.data(command, pattern(0, 50'000), length_not_in_32_bits);
        scripted.responder.respond(command, response::ok);
    });
    Bytes out(50'000);
    REQUIRE(scripted.session.begin(operation::get_object, {1}, 1000, out.size()));
    CHECK(*scripted.session.read_data(out) == out.size());
    CHECK(out == pattern(0, out.size()));
    CHECK(scripted.session.finish());
}
