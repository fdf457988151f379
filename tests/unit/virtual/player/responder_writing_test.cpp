// What the initiator writes, and what it does wrong while writing.
#include "drivers/mtp/outgoing_datasets.h"
#include "initiator.h"

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using namespace plugfs::virtual_usb::test;
namespace op = mtp::operation;
namespace rc = mtp::response;
namespace prop = mtp::object_property;

namespace {

struct Writing : Initiator {
    Writing() { open(); }

    static Bytes data_container(std::uint16_t operation, std::uint32_t number, const Bytes& data,
                                std::optional<std::uint32_t> length = {}) {
        ByteWriter out;
        out.u32le(length.value_or(static_cast<std::uint32_t>(12 + data.size())));
        out.u16le(2);
        out.u16le(operation);
        out.u32le(number);
        out.append(data);
        return std::move(out).take();
    }
    Reply answer() {
        const auto containers = transfers();
        REQUIRE(containers.size() == 1);
        Reply reply;
        reply.code = containers[0].code;
        ByteReader reader(containers[0].payload);
        for (auto& parameter : reply.parameters) {
            parameter = reader.u32le();
        }
        return reply;
    }
    // A transaction with data from us, in transfers of `piece` bytes.
    Reply send(std::uint16_t operation, const std::vector<std::uint32_t>& parameters, const Bytes& data,
               std::size_t piece = SIZE_MAX) {
        const std::uint32_t number = ++transaction;
        REQUIRE(say(command(operation, number, parameters)));
        const auto whole = data_container(operation, number, data);
        for (std::size_t at = 0; at < whole.size();) {
            const std::size_t count = std::min(piece, whole.size() - at);
            REQUIRE(say(Bytes(whole.begin() + static_cast<std::ptrdiff_t>(at),
                              whole.begin() + static_cast<std::ptrdiff_t>(at + count))));
            at += count;
        }
        return answer();
    }
    Reply info(const std::string& name, std::uint64_t size, std::uint16_t format = mtp::format::undefined,
               std::uint32_t parent = mtp::root_parent, std::optional<std::int64_t> modified = {}) {
        mtp::NewObject object;
        object.object_format = format;
        object.size = size;
        object.filename = name;
        object.modified = modified;
        return send(op::send_object_info, {storage, parent}, mtp::object_info_dataset(object));
    }
    std::uint32_t make(const std::string& name, const Bytes& bytes) {
        const auto made = info(name, bytes.size());
        REQUIRE(made.code == rc::ok);
        REQUIRE(send(op::send_object, {}, bytes).code == rc::ok);
        return made.parameters[2];
    }
    Reply set_text(std::uint32_t handle, std::uint16_t property, const std::string& text) {
        ByteWriter value;
        mtp::write_string(value, text);
        return send(op::set_object_prop_value, {handle, property}, std::move(value).take());
    }
    [[nodiscard]] Bytes on_disk(const std::string& name) const {
        std::ifstream file(folder.path() / name, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const auto bytes = std::as_bytes(std::span(text));
        return {bytes.begin(), bytes.end()};
    }
    [[nodiscard]] bool there(const std::string& name) const { return std::filesystem::exists(folder.path() / name); }
};

}  // namespace

TEST_CASE("files and folders are made, in any number of transfers") {
    for (const std::size_t piece : {std::size_t{5}, std::size_t{512}, SIZE_MAX}) {
        CAPTURE(piece);
        Writing it;
        const auto folder = it.info("Album", 0, mtp::format::association);
        REQUIRE(folder.code == rc::ok);
        CHECK(folder.parameters[0] == it.storage);
        CHECK(folder.parameters[1] == 0);
        const auto made =
            it.info("track \xc3\xa4\xf0\x9f\x98\x80.mp3", 3000, mtp::format::mp3, folder.parameters[2], 86'400);
        REQUIRE(made.code == rc::ok);
        CHECK(it.send(op::send_object, {}, content(3000), piece).code == rc::ok);
        CHECK(it.on_disk("Album/track \xc3\xa4\xf0\x9f\x98\x80.mp3") == content(3000));
        CHECK(it.ask(op::get_object, {made.parameters[2]}).data == content(3000));
        CHECK(it.store->find(made.parameters[2])->modified == 86'400);
        CHECK(it.list(folder.parameters[2]) == std::vector<std::uint32_t>{made.parameters[2]});
    }
}

TEST_CASE("what is not sent whole does not stay") {
    Writing it;
    SUBCASE("no data at all, then another object") {
        CHECK(it.info("gone", 100).code == rc::ok);
        (void)it.make("next", content(10));
    }
    SUBCASE("cancelled in the middle") {
        CHECK(it.info("gone", 100).code == rc::ok);
        const auto bytes = Writing::data_container(op::send_object, 9, content(50), 112);
        REQUIRE(it.say(Writing::command(op::send_object, 9, {})));
        REQUIRE(it.say(bytes));
        ByteWriter cancel;
        cancel.u16le(mtp::cancellation_code);
        cancel.u32le(9);
        CHECK(it.responder->control({.request_type = 0x21, .request = mtp::request_cancel}, false, cancel.bytes(), 0));
        CHECK(it.responder->cancelled() == 1);
        (void)it.make("next", content(10));
    }
    SUBCASE("the connection goes in the middle") {
        CHECK(it.info("gone", 100).code == rc::ok);
        it.responder->reset();
        it.open();
        (void)it.make("next", content(10));
    }
    SUBCASE("less than was said") {
        CHECK(it.info("gone", 100).code == rc::ok);
        CHECK(it.send(op::send_object, {}, content(99)).code == rc::incomplete_transfer);
        (void)it.make("next", content(10));
    }
    CHECK_FALSE(it.there("gone"));
    CHECK(it.on_disk("next") == content(10));
    CHECK(it.send(op::send_object, {}, content(5)).code == rc::no_valid_object_info);
}

TEST_CASE("renamed, moved and removed, with all that is in it and the same handles") {
    Writing it;
    const auto album = it.info("Album", 0, mtp::format::association).parameters[2];
    const auto other = it.info("Other", 0, mtp::format::association).parameters[2];
    const auto track = it.info("track", 0, mtp::format::undefined, album).parameters[2];
    CHECK(it.send(op::send_object, {}, {}).code == rc::ok);
    CHECK(it.set_text(album, prop::object_file_name, "Renamed").code == rc::ok);
    CHECK(it.there("Renamed/track"));
    CHECK(it.ask(op::move_object, {album, it.storage, other}).code == rc::ok);
    CHECK(it.there("Other/Renamed/track"));
    CHECK(it.list(album) == std::vector<std::uint32_t>{track});
    CHECK(it.set_text(track, prop::object_file_name, "song").code == rc::ok);
    CHECK(it.there("Other/Renamed/song"));
    CHECK(it.set_text(track, prop::date_modified, mtp::format_date_time(1'000'000)).code == rc::ok);
    CHECK(it.store->find(track)->modified == 1'000'000);
    CHECK(it.set_text(track, prop::date_modified, "yesterday").code == rc::invalid_object_prop_value);
    CHECK(it.set_text(track, prop::artist, "x").code == rc::ok);
    CHECK(it.set_text(track, prop::duration, "x").code == rc::access_denied);
    CHECK(it.ask(op::delete_object, {other, 0}).code == rc::ok);
    CHECK_FALSE(it.there("Other"));
    CHECK(it.ask(op::get_object_info, {track}).code == rc::invalid_object_handle);
    CHECK(it.ask(op::delete_object, {other, 0}).code == rc::invalid_object_handle);
}

TEST_CASE("names that are there or cannot be are refused") {
    Writing it;
    const auto file = it.make("file", content(10));
    const auto other = it.make("other", content(10));
    for (const std::string name : {"file", "", ".", "..", "a/b"}) {
        CAPTURE(name);
        CHECK(it.info(name, 1).code == rc::general_error);
        CHECK(it.set_text(other, prop::object_file_name, name).code == rc::general_error);
    }
    CHECK(it.info("x", 1, mtp::format::undefined, file).code == rc::invalid_parent_object);
    CHECK(it.send(op::send_object_info, {it.storage, mtp::root_parent}, content(20)).code == rc::invalid_dataset);
    CHECK(it.ask(op::move_object, {file, it.storage, other}).code == rc::invalid_parent_object);
    CHECK(it.on_disk("file") == content(10));
}

TEST_CASE("a part of an object is changed between BeginEditObject and EndEditObject, and not otherwise") {
    Writing it;
    const auto file = it.make("file", content(100));
    CHECK(it.send(op::send_partial_object, {file, 0, 0, 3}, content(3)).code == rc::general_error);
    CHECK(it.ask(op::truncate_object, {file, 5, 0}).code == rc::general_error);
    CHECK(it.ask(op::begin_edit_object, {file}).code == rc::ok);
    CHECK(it.send(op::send_partial_object, {file, 90, 0, 20}, content(20)).parameters[0] == 20);
    CHECK(it.on_disk("file").size() == 110);
    CHECK(it.ask(op::truncate_object, {file, 50, 0}).code == rc::ok);
    CHECK(it.ask(op::end_edit_object, {file}).code == rc::ok);
    CHECK(it.on_disk("file") == content(50));
    CHECK(it.ask(op::end_edit_object, {file}).code == rc::general_error);
}

TEST_CASE("data containers that lie") {
    Writing it;
    CHECK(it.info("file", 10).code == rc::ok);
    REQUIRE(it.say(Writing::command(op::send_object, 7, {})));
    SUBCASE("a length below the header's") {
        CHECK_FALSE(it.say(Writing::data_container(op::send_object, 7, {}, 5)));
    }
    SUBCASE("more than the length says") {
        CHECK_FALSE(it.say(Writing::data_container(op::send_object, 7, content(10), 15)));
    }
    SUBCASE("a command in its place") {
        CHECK_FALSE(it.say(Writing::command(op::get_storage_ids, 8, {})));
    }
    CHECK_FALSE(it.there("file"));
    CHECK(it.ask(op::get_storage_ids).code == rc::ok);
}

TEST_CASE("read-only, free: what cannot be written is refused, and nothing is there") {
    Writing it;
    const auto file = it.make("file", content(10));
    CHECK(it.faults.set("free=100"));
    CHECK(it.info("large", 101).code == rc::store_full);
    CHECK(it.info("small", 100).code == rc::ok);
    CHECK(it.faults.set("read-only"));
    CHECK(it.info("other", 1).code == rc::store_read_only);
    CHECK(it.ask(op::delete_object, {file, 0}).code == rc::store_read_only);
    CHECK(it.ask(op::begin_edit_object, {file}).code == rc::store_read_only);
    CHECK(it.set_text(file, prop::object_file_name, "x").code == rc::store_read_only);
    CHECK_FALSE(it.there("large"));
    CHECK_FALSE(it.there("other"));
    CHECK(it.on_disk("file") == content(10));
}

TEST_CASE("no-edit, no-rename, no-move") {
    Writing it;
    const auto file = it.make("file", content(10));
    for (const char* fault : {"no-edit", "no-rename", "no-move"}) {
        CHECK(it.faults.set(fault));
    }
    for (const std::uint16_t operation : {op::begin_edit_object, op::send_partial_object, op::set_object_prop_value,
                                          op::move_object, op::truncate_object, op::end_edit_object}) {
        CAPTURE(operation);
        CHECK(it.ask(operation, {file, it.storage, 0}).code == rc::operation_not_supported);
    }
}

TEST_CASE("CopyObject: the name, the date and all that is in it; and what devices do instead") {
    Writing it;
    const auto file = it.make("file", content(100));
    const auto made = it.store->make(it.storage, 0, "Album", true);
    REQUIRE(made);
    const std::vector<std::uint32_t> order = {file, it.storage, *made};
    const auto copied = [&](const char* name) { return it.on_disk(std::string("Album/") + name); };

    CHECK(it.set_text(file, prop::date_modified, mtp::format_date_time(1'000'000)).code == rc::ok);
    const auto reply = it.ask(op::copy_object, order);
    REQUIRE(reply.code == rc::ok);
    CHECK(reply.parameters[0] != file);
    CHECK(it.list(*made) == std::vector<std::uint32_t>{reply.parameters[0]});
    CHECK(copied("file") == content(100));
    CHECK(it.on_disk("file") == content(100));
    CHECK(it.store->find(reply.parameters[0])->modified == 1'000'000);
    CHECK(it.ask(op::copy_object, order).code == rc::general_error);  // the name is there
    CHECK(it.ask(op::copy_object, {*made, it.storage, *made}).code != rc::ok);
    CHECK(it.ask(op::copy_object, {file, 99, *made}).code == rc::invalid_storage_id);
    CHECK(it.ask(op::copy_object, {99999, it.storage, *made}).code == rc::invalid_object_handle);
    CHECK(it.ask(op::delete_object, {reply.parameters[0], 0}).code == rc::ok);

    SUBCASE("no-copy, refuse-copy, free") {
        CHECK(it.faults.set("free=99"));
        CHECK(it.ask(op::copy_object, order).code == rc::store_full);
        CHECK(it.faults.set("refuse-copy"));
        CHECK(it.ask(op::copy_object, order).code == rc::general_error);
        CHECK(it.faults.set("no-copy"));
        CHECK(it.ask(op::copy_object, order).code == rc::operation_not_supported);
        CHECK(it.list(*made).empty());
    }
    SUBCASE("short-copy") {
        CHECK(it.faults.set("short-copy"));
        CHECK(it.ask(op::copy_object, order).code == rc::ok);
        CHECK(copied("file") == content(50));
    }
    SUBCASE("renamed-copy") {
        CHECK(it.faults.set("renamed-copy"));
        CHECK(it.ask(op::copy_object, order).code == rc::ok);
        CHECK(copied("Copy of file") == content(100));
    }
    SUBCASE("no-such-copy") {
        CHECK(it.faults.set("no-such-copy"));
        const auto answer = it.ask(op::copy_object, order);
        CHECK(answer.code == rc::ok);
        CHECK(answer.parameters[0] == file);
        CHECK(it.list(*made).empty());
    }
    SUBCASE("copy-moves") {
        CHECK(it.faults.set("copy-moves"));
        CHECK(it.ask(op::copy_object, order).code == rc::ok);
        CHECK_FALSE(it.there("file"));
        CHECK(copied("file") == content(100));
    }
    SUBCASE("slow-copy") {
        CHECK(it.faults.set("slow-copy=3600000"));
        CHECK(it.say(Writing::command(op::copy_object, 77, order)));
        CHECK(it.responder->in(player_bulk_in).front().not_before > InTransfer::Clock::now());
    }
}

TEST_CASE("refuse-empty, short-store, send-stall, drop-dates") {
    Writing it;
    CHECK(it.faults.set("refuse-empty"));
    CHECK(it.info("empty", 0).code == rc::ok);
    CHECK(it.send(op::send_object, {}, {}).code == rc::incomplete_transfer);
    CHECK_FALSE(it.there("empty"));
    CHECK(it.faults.set("short-store"));
    CHECK(it.info("short", 1000).code == rc::ok);
    CHECK(it.send(op::send_object, {}, content(1000), 100).code == rc::ok);
    CHECK(it.on_disk("short").size() == 500);
    CHECK(it.faults.set("send-stall"));
    CHECK(it.info("stalled", 1000).code == rc::ok);
    REQUIRE(it.say(Writing::command(op::send_object, 7, {})));
    CHECK_FALSE(it.say(Writing::data_container(op::send_object, 7, content(1000))));
    CHECK_FALSE(it.there("stalled"));
    it.faults.clear();
    CHECK(it.faults.set("drop-dates"));
    const auto made = it.info("dated", 0, mtp::format::undefined, mtp::root_parent, 1000);
    CHECK(it.send(op::send_object, {}, {}).code == rc::ok);
    CHECK(it.store->find(made.parameters[2])->modified > 1'000'000);
    CHECK(it.set_text(made.parameters[2], prop::date_modified, mtp::format_date_time(1000)).code == rc::access_denied);
}

TEST_CASE("own-events: what the initiator changes is news, or not") {
    Writing it;
    (void)it.list();
    (void)it.make("one", content(10));
    CHECK(it.store->changes().empty());
    CHECK(it.faults.set("own-events"));
    (void)it.make("two", content(10));
    CHECK_FALSE(it.store->changes().empty());
}
