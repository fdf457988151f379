#include "drivers/mtp/object_reader.h"

#include "object_server.h"
#include "player_fixture.h"

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

constexpr std::uint16_t partial_64 = operation::get_partial_object_64;
constexpr std::uint16_t partial_32 = operation::get_partial_object;
constexpr std::uint16_t whole = operation::get_object;
constexpr std::uint64_t four_gib = std::uint64_t{1} << 32U;

DeviceInfo offers(std::initializer_list<std::uint16_t> operations) {
    DeviceInfo info;
    info.operations_supported = operations;
    return info;
}

struct Fixture : ObjectServer {
    ObjectReader reader;
    Fixture(std::uint64_t object_size, std::initializer_list<std::uint16_t> operations)
        : ObjectServer(object_size), reader(session, offers(operations), host) {}

    // Reads and compares; the bytes that came.
    std::size_t read(std::uint64_t offset, std::size_t length) {
        Bytes out(length);
        const auto got = reader.read(object_handle, size, offset, out);
        REQUIRE_MESSAGE(got.ok(), (got ? "" : got.error().text()));
        out.resize(*got);
        CHECK(out == pattern(offset, *got));
        return *got;
    }
};

}  // namespace

TEST_CASE("the virtual player's files, by every way of reading") {
    for (const auto& way :
         {std::pair("", partial_64), std::pair("no-partial-64", partial_32), std::pair("no-partial", whole)}) {
        const std::uint16_t operation = way.second;
        CAPTURE(operation);
        PlayerFixture player;
        const auto content = pattern(0, 1'500'000);
        player.folder.file("file", content);
        (void)player.faults.set(way.first);
        (void)player.faults.set("read-past-end-hang");
        Session session(*player.device, endpoints, quick);
        REQUIRE(session.open());
        RecordingHost host(*player.device);
        const auto info = parse_device_info(*session.dataset(operation::get_device_info, {}));
        REQUIRE(info);
        ObjectReader reader(session, *info, host);
        const auto handle = player.store->list(player.storage, 0).front();
        Bytes all(content.size());
        for (std::size_t at = 0; at < all.size(); at += 100'000) {
            const auto got = reader.read(handle, all.size(), at, std::span(all).subspan(at, 100'000));
            REQUIRE(got);
            CHECK(*got == 100'000);
        }
        CHECK(all == content);
        Bytes beyond(1000);
        CHECK(*reader.read(handle, content.size(), content.size() - 10, beyond) == 10);
        CHECK(player.responder->transactions().count(operation) == 1);
        CHECK(host.lines.empty());
    }
}

TEST_CASE("no read passes the object's end, and one behind it asks nothing") {
    for (const std::uint16_t operation : {partial_64, partial_32, whole}) {
        CAPTURE(operation);
        Fixture it(10'000, {operation});
        CHECK(it.read(9'000, 1'000) == 1'000);
        CHECK(it.read(9'000, 1'001) == 1'000);  // the responder checks what it is asked for
        CHECK(it.read(9'999, 100'000) == 1);
        const auto asked = it.device.asked.size();
        CHECK(it.read(10'000, 1) == 0);
        CHECK(it.read(10'001, 1) == 0);
        CHECK(it.read(UINT64_MAX, 100) == 0);
        CHECK(it.read(0, 0) == 0);
        CHECK(it.device.asked.size() == asked);
    }
    Fixture empty(0, {partial_64});
    CHECK(empty.read(0, 100) == 0);
    CHECK(empty.device.asked.empty());
}

TEST_CASE("the end of an object never ends a packet, which hangs some phones") {
    const std::size_t packet = endpoints.bulk_in_packet;
    for (const char* partial : {"", "no-partial-64"}) {
        for (const std::size_t size : {packet - container_header_size, (8 * packet) - container_header_size}) {
            CAPTURE(size);
            PlayerFixture player;
            const auto content = pattern(0, size);
            player.folder.file("file", content);
            (void)player.faults.set(partial);
            (void)player.faults.set("full-packet-end-hang");
            Session session(*player.device, endpoints, quick);
            REQUIRE(session.open());
            RecordingHost host(*player.device);
            const auto info = parse_device_info(*session.dataset(operation::get_device_info, {}));
            REQUIRE(info);
            ObjectReader reader(session, *info, host);
            const auto handle = player.store->list(player.storage, 0).front();
            Bytes all(size + 100);
            const auto got = reader.read(handle, size, 0, all);
            REQUIRE(got);
            CHECK(*got == size);
            all.resize(size);
            CHECK(all == content);
        }
    }
}

TEST_CASE("GetPartialObject64 is used where there is one, with offsets of 64 bits") {
    Fixture it(3 * four_gib, {partial_64, partial_32});
    for (const std::uint64_t offset :
         {std::uint64_t{0}, four_gib - 1000, four_gib, four_gib + 1, 2 * four_gib + 12345, 3 * four_gib - 2000}) {
        CHECK(it.read(offset, 2000) == 2000);
    }
    CHECK(it.responder.count(partial_64) == 6);
    CHECK(it.responder.commands.size() == 6);
}

TEST_CASE("GetPartialObject up to 4 GiB, never beyond") {
    Fixture it(four_gib + 10'000, {partial_32});
    CHECK(it.read(four_gib - 1000, 1000) == 1000);
    CHECK(it.responder.count(partial_32) == 1);
    it.responder.refuses(whole, response::access_denied);
    Bytes out(1000);
    for (const std::uint64_t offset : {four_gib - 999, four_gib, four_gib + 5}) {
        CHECK(it.reader.read(object_handle, it.size, offset, out).error().code == EACCES);
    }
    CHECK(it.responder.count(partial_32) == 1);
    CHECK(it.responder.count(whole) == 3);
    CHECK(it.read(5, 1000) == 1000);  // it is still there for what it can do
    CHECK(it.responder.count(partial_32) == 2);
}

TEST_CASE("an operation that is listed and not there is tried once") {
    Fixture it(10'000, {partial_64, partial_32});
    it.responder.refuses(partial_64, response::operation_not_supported);
    CHECK(it.read(5000, 100) == 100);
    CHECK(it.host.logged("reading by GetPartialObject"));
    it.responder.refuses(partial_32, response::operation_not_supported);
    CHECK(it.read(5000, 100) == 100);
    CHECK(it.host.logged("reading by GetObject"));
    CHECK(it.read(0, 10'000) == 10'000);
    CHECK(it.responder.count(partial_64) == 1);
    CHECK(it.responder.count(partial_32) == 2);
    CHECK(it.responder.count(whole) == 1);
    CHECK(it.host.lines.size() == 2);
}

TEST_CASE("other errors say nothing about an operation") {
    for (const std::uint16_t code : {response::general_error, response::invalid_object_handle, response::device_busy}) {
        CAPTURE(code);
        Fixture it(10'000, {partial_64});
        it.responder.once(partial_64, [&](const Command& command) { it.responder.respond(command, code); });
        Bytes out(100);
        const auto got = it.reader.read(object_handle, it.size, 0, out);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == response_error(partial_64, code).code);
        CHECK(it.read(0, 100) == 100);
        CHECK(it.responder.count(partial_64) == 2);
        CHECK(it.host.lines.empty());
    }
}

TEST_CASE("short answers: the rest is asked for, so often and no more") {
    for (const std::uint16_t operation : {partial_64, partial_32}) {
        CAPTURE(operation);
        Fixture it(1'000'000, {operation});
        it.most_at_once = 16'384;
        CHECK(it.read(100, 100'000) == 100'000);
        CHECK(it.responder.count(operation) == 7);
        it.most_at_once = 1;
        CHECK(it.read(100, 64) == 64);
        Bytes out(65);
        const auto got = it.reader.read(object_handle, it.size, 100, out);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == EIO);
        CHECK(got.error().detail == "64 bytes in 64 answers, 65 asked for");
        CHECK(it.responder.count(operation) == 7 + 64 + 64);
    }
}

TEST_CASE("an object that has become shorter gives what there is") {
    Fixture it(1'000'000, {partial_64});
    it.most_at_once = 700;
    it.responder.once(partial_64, [&](const Command& command) {
        it.serve(command, command.parameters[1], command.parameters[3]);
        it.most_at_once = 0;
    });
    CHECK(it.read(100, 2000) == 700);
    CHECK(it.read(100, 2000) == 0);
}

TEST_CASE("an answer longer than asked for is an error, and no byte of it passes the buffer") {
    Fixture it(1'000'000, {partial_64});
    it.responder.once(partial_64, [&](const Command& command) {
        it.responder.data(command, pattern(0, 2001));
        it.responder.respond(command, response::ok);
    });
    Bytes out(2000);
    CHECK_FALSE(it.reader.read(object_handle, it.size, 0, out));
    CHECK(it.session.failure() == Session::Failure::broken);
    REQUIRE(it.session.recover());
    CHECK(it.read(0, 2000) == 2000);
}

TEST_CASE("a part that is read ends a GetObject that was under way") {
    Fixture it(four_gib + 1000, {partial_32});
    it.responder.on(whole, [&](const Command& command) {
        it.responder.data(command, pattern(0, 1'000'000), length_not_in_32_bits);
    });
    Bytes out(2000);
    // As far as this device is concerned the object is read whole, because of its end.
    const auto got = it.reader.whole().read(object_handle, it.size, 0, out);
    REQUIRE(got);
    CHECK(out == pattern(0, 2000));
    CHECK(it.session.busy());
    CHECK(it.read(700, 2000) == 2000);
    CHECK_FALSE(it.session.busy());
    CHECK(it.device.asked == std::vector<std::string>{"command 0x1009", "control 64", "control 67", "command 0x101b"});
}
