// Every operation, as a well-behaved initiator uses it. The answers are read with the driver's parsers.
#include "drivers/mtp/datasets.h"
#include "initiator.h"

#include <algorithm>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using namespace plugfs::virtual_usb::test;
namespace op = plugfs::mtp::operation;
namespace rc = plugfs::mtp::response;
namespace prop = plugfs::mtp::object_property;

TEST_CASE("DeviceInfo, without a session too; it lists what the device can do, less what faults take away") {
    Initiator it;
    const auto reply = it.ask(op::get_device_info);
    CHECK(reply.code == rc::ok);
    REQUIRE(reply.data);
    const auto info = mtp::parse_device_info(*reply.data);
    REQUIRE(info);
    CHECK(info->manufacturer == "plugfs");
    CHECK(info->model == "Virtual player");
    CHECK(info->serial_number == "42");
    for (const std::uint16_t operation :
         {op::get_object_prop_list, op::get_partial_object, op::get_partial_object_64}) {
        CHECK(info->supports(operation));
    }
    CHECK(info->supports(op::delete_object));
    REQUIRE(it.faults.set("no-partial"));
    REQUIRE(it.faults.set("no-object-prop-list"));
    const auto less = mtp::parse_device_info(*it.ask(op::get_device_info).data);
    REQUIRE(less);
    for (const std::uint16_t operation :
         {op::get_object_prop_list, op::get_partial_object, op::get_partial_object_64}) {
        CHECK_FALSE(less->supports(operation));
    }
}

TEST_CASE("sessions") {
    Initiator it;
    CHECK(it.ask(op::get_storage_ids).code == rc::session_not_open);
    CHECK(it.ask(op::close_session).code == rc::session_not_open);
    it.open();
    CHECK(it.ask(op::open_session, {1}).code == rc::session_already_open);
    CHECK(it.ask(op::get_storage_ids).code == rc::ok);
    CHECK(it.ask(op::close_session).code == rc::ok);
    CHECK(it.ask(op::get_storage_ids).code == rc::session_not_open);
    it.open();
    it.responder->reset();
    CHECK(it.ask(op::get_storage_ids).code == rc::session_not_open);
    CHECK(it.responder->transactions().at(op::get_storage_ids) == 4);
}

TEST_CASE("handles outlive their session, unless a fault gives others") {
    Initiator it;
    it.folder.file("a", {});
    it.open();
    const auto before = it.list();
    CHECK(it.list() == before);
    CHECK(it.ask(op::close_session).code == rc::ok);
    it.open();
    CHECK(it.list() == before);
    CHECK(it.ask(op::close_session).code == rc::ok);
    REQUIRE(it.faults.set("new-handles"));
    it.open();
    const auto after = it.list();
    REQUIRE(after.size() == 1);
    CHECK(after != before);
    CHECK(it.ask(op::get_object_info, {before[0]}).code == rc::invalid_object_handle);
    CHECK(it.ask(op::get_object_info, {after[0]}).code == rc::ok);
}

TEST_CASE("storages") {
    Initiator it;
    const plugfs::test::TemporaryFolder card;
    const auto second = it.store->add_storage("Card", card.path());
    REQUIRE(second);
    it.open();
    const auto ids = mtp::parse_handles("", *it.ask(op::get_storage_ids).data);
    REQUIRE(ids);
    CHECK(*ids == std::vector<std::uint32_t>{it.storage, *second});
    const auto info = mtp::parse_storage_info(*it.ask(op::get_storage_info, {*second}).data);
    REQUIRE(info);
    CHECK(info->storage_description == "Card");
    CHECK(info->max_capacity > 0);
    CHECK(info->free_space_in_bytes <= info->max_capacity);
    CHECK(it.store->remove_storage(*second));
    CHECK(it.ask(op::get_storage_info, {*second}).code == rc::invalid_storage_id);
    CHECK_FALSE(it.store->add_storage("None", card.path() / "none"));
    card.file("file", {});
    CHECK_FALSE(it.store->add_storage("None", card.path() / "file"));
}

TEST_CASE("handles of folders, of all objects, and their number") {
    Initiator it;
    it.folder.file("Music/Artist/track.mp3", content(10));
    it.folder.file("Music/cover.jpg", content(10));
    it.folder.file("note.txt", content(10));
    const plugfs::test::TemporaryFolder card;
    card.file("on the card", {});
    const auto second = it.store->add_storage("Card", card.path());
    REQUIRE(second);
    it.open();
    const auto root = it.list();
    REQUIRE(root.size() == 2);
    const auto music = it.list(root[0]);
    REQUIRE(music.size() == 2);
    CHECK(it.list(0).size() == 5);
    const auto number = [&](std::uint32_t storage, std::uint32_t parent) {
        const auto reply = it.ask(op::get_num_objects, {storage, 0, parent});
        CHECK(reply.code == rc::ok);
        CHECK_FALSE(reply.data);
        return reply.parameters[0];
    };
    CHECK(number(it.storage, mtp::root_parent) == 2);
    CHECK(number(it.storage, root[0]) == 2);
    CHECK(number(it.storage, 0) == 5);
    CHECK(number(mtp::all_storages, mtp::root_parent) == 3);
    CHECK(number(mtp::all_storages, 0) == 6);
    // A folder lies in one storage: it is not found in others, and listed once for all.
    CHECK(number(*second, root[0]) == 0);
    CHECK(number(mtp::all_storages, root[0]) == 2);
    const auto info = mtp::parse_object_info(music[0], *it.ask(op::get_object_info, {music[0]}).data);
    REQUIRE(info);
    CHECK(info->storage_id == it.storage);
}

TEST_CASE("objects, as ObjectInfo, as properties and as a list of them") {
    Initiator it;
    it.folder.file("Music/J\xc3\xbcrgen \xf0\x9f\x8e\xb5.mp3", content(1234));
    it.open();
    const std::uint32_t music = it.list().at(0);
    const std::uint32_t track = it.list(music).at(0);
    const auto info = mtp::parse_object_info(track, *it.ask(op::get_object_info, {track}).data);
    const auto objects =
        mtp::parse_object_prop_list(*it.ask(op::get_object_prop_list, {music, 0, mtp::all_properties, 0, 1}).data);
    REQUIRE(info);
    REQUIRE(objects);
    REQUIRE(objects->size() == 1);
    for (const auto& object : {*info, objects->front()}) {
        CHECK(object.handle == track);
        CHECK(object.storage_id == it.storage);
        CHECK(object.parent == music);
        CHECK(object.object_format == mtp::format::mp3);
        CHECK(object.size == 1234);
        CHECK(object.filename == "J\xc3\xbcrgen \xf0\x9f\x8e\xb5.mp3");
        CHECK_FALSE(object.damaged_name);
        REQUIRE(object.modified);
        CHECK(*object.modified > 1'600'000'000);
    }
    CHECK(objects->front().modified == info->modified);
    CHECK(objects->front().persistent_identity.size() == 16);
    CHECK(*mtp::parse_object_size(*it.ask(op::get_object_prop_value, {track, prop::object_size}).data) == 1234);
    // One property of one object.
    const auto one =
        mtp::parse_object_prop_list(*it.ask(op::get_object_prop_list, {track, 0, prop::object_size, 0, 0}).data);
    REQUIRE(one);
    REQUIRE(one->size() == 1);
    CHECK(one->front().size == 1234);
    CHECK(one->front().filename.empty());
    const auto root =
        mtp::parse_object_prop_list(*it.ask(op::get_object_prop_list, {0, 0, mtp::all_properties, 0, 1}).data);
    REQUIRE(root);
    REQUIRE(root->size() == 1);
    CHECK(root->front().folder());
}

TEST_CASE("a persistent identity outlives the session") {
    Initiator it;
    it.folder.file("a", {});
    it.folder.file("b", {});
    const auto identities = [&] {
        it.responder->reset();
        it.open();
        const auto objects =
            mtp::parse_object_prop_list(*it.ask(op::get_object_prop_list, {0, 0, mtp::all_properties, 0, 1}).data);
        REQUIRE(objects);
        REQUIRE(objects->size() == 2);
        return std::pair(objects->at(0).persistent_identity, objects->at(1).persistent_identity);
    };
    const auto before = identities();
    CHECK(before.first != before.second);
    CHECK(identities() == before);
}

TEST_CASE("every property that is offered has a description and a value of its type") {
    Initiator it;
    it.folder.file("a.wav", content(3));
    it.open();
    const std::uint32_t handle = it.list().at(0);
    const auto reply = it.ask(op::get_object_props_supported, {mtp::format::wav});
    ByteReader reader(*reply.data);
    const auto codes = mtp::read_array_16(reader);
    CHECK(codes.size() >= 8);
    for (const std::uint16_t code : codes) {
        CAPTURE(code);
        const auto description = it.ask(op::get_object_prop_desc, {code, mtp::format::wav});
        REQUIRE(description.data);
        ByteReader fields(*description.data);
        CHECK(fields.u16le() == code);
        const std::uint16_t type = fields.u16le();
        CHECK(fields.u8() == 0);
        CHECK(mtp::skip_value(fields, type));
        CHECK(fields.u32le() == 0);
        CHECK(fields.u8() == 0);
        CHECK(fields.ok());
        CHECK(fields.remaining() == 0);
        const auto value = it.ask(op::get_object_prop_value, {handle, code});
        REQUIRE(value.data);
        ByteReader bytes(*value.data);
        CHECK(mtp::skip_value(bytes, type));
        CHECK(bytes.remaining() == 0);
    }
}

TEST_CASE("data, whole and in parts") {
    Initiator it;
    const auto bytes = content(100'000);
    it.folder.file("file", bytes);
    it.folder.file("empty", {});
    it.open();
    const auto handles = it.list();
    const std::uint32_t empty = handles.at(0);
    const std::uint32_t file = handles.at(1);
    const auto part = [&](std::size_t offset, std::size_t length) {
        return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                     bytes.begin() + static_cast<std::ptrdiff_t>(offset + length));
    };
    CHECK(it.ask(op::get_object, {file}).data == bytes);
    CHECK(it.ask(op::get_object, {empty}).data == Bytes());
    const auto some = it.ask(op::get_partial_object, {file, 1000, 500});
    CHECK(some.data == part(1000, 500));
    CHECK(some.parameters[0] == 500);
    CHECK(it.ask(op::get_partial_object_64, {file, 1000, 0, 500}).data == part(1000, 500));
    CHECK(it.ask(op::get_partial_object, {file, 99'999, 500}).data == part(99'999, 1));
    CHECK(it.ask(op::get_partial_object, {file, 0, 0xFFFFFFFF}).data == bytes);
    CHECK(it.ask(op::get_partial_object, {file, 100'000, 1}).data == Bytes());
    CHECK(it.ask(op::get_partial_object_64, {file, 0, 1, 1}).data == Bytes());
    CHECK(it.ask(op::get_partial_object_64, {file, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}).data == Bytes());
    CHECK(it.ask(op::get_partial_object, {file, 5, 0}).data == Bytes());
}

TEST_CASE("an object of more than 4 GiB: lengths say so, offsets reach its end") {
    Initiator it;
    constexpr std::uint64_t size = (std::uint64_t{5} << 30U) + 3;
    it.folder.file("film", content(4));
    std::filesystem::resize_file(it.folder.path() / "film", size);
    it.open();
    const std::uint32_t film = it.list().at(0);
    CHECK_FALSE(mtp::parse_object_info(film, *it.ask(op::get_object_info, {film}).data)->size_known);
    CHECK(*mtp::parse_object_size(*it.ask(op::get_object_prop_value, {film, prop::object_size}).data) == size);
    const auto end = it.ask(op::get_partial_object_64, {film, static_cast<std::uint32_t>(size - 2), 1, 100});
    CHECK(end.data == Bytes(2));
    REQUIRE(it.say(Initiator::command(op::get_object, 99, {film})));
    auto& data = it.responder->in(player_bulk_in).front();
    CHECK(data.bytes.size() == size + 12);
    const auto header = data.bytes.take(16);
    ByteReader reader(header);
    CHECK(reader.u32le() == 0xFFFFFFFF);
    reader.skip(8);
    CHECK(reader.u8() == std::to_integer<std::uint8_t>(content(1)[0]));
}

TEST_CASE("device properties") {
    Initiator it;
    it.open();
    CHECK(it.ask(op::get_device_prop_value, {mtp::device_property::battery_level}).data == Bytes{std::byte{80}});
    const auto name = it.ask(op::get_device_prop_value, {mtp::device_property::device_friendly_name});
    ByteReader reader(*name.data);
    CHECK(mtp::read_string(reader) == "Virtual player");
    for (const std::uint16_t property :
         {mtp::device_property::battery_level, mtp::device_property::device_friendly_name}) {
        const auto description = it.ask(op::get_device_prop_desc, {property});
        ByteReader fields(*description.data);
        CHECK(fields.u16le() == property);
        const std::uint16_t type = fields.u16le();
        CHECK(fields.u8() == (property == mtp::device_property::battery_level ? 0 : 1));
        CHECK(mtp::skip_value(fields, type));
        CHECK(mtp::skip_value(fields, type));
        CHECK(fields.u8() == (type == mtp::data_type::uint8 ? 1 : 0));
        CHECK(fields.ok());
    }
    CHECK(it.ask(op::get_device_prop_value, {mtp::device_property::device_icon}).code == rc::device_prop_not_supported);
}

TEST_CASE("events are sent while a session is open, and a few are kept for who does not listen") {
    Initiator it;
    it.responder->send_event(mtp::event::object_added, 7);
    CHECK(it.responder->in(player_interrupt_in).empty());
    it.open();
    it.responder->send_event(mtp::event::object_added, 7);
    const auto events = it.transfers(player_interrupt_in);
    REQUIRE(events.size() == 1);
    CHECK(events[0].type == 4);
    CHECK(events[0].code == mtp::event::object_added);
    CHECK(events[0].length == 16);
    ByteReader reader(events[0].payload);
    CHECK(reader.u32le() == 7);
    for (int i = 0; i < 1000; ++i) {
        it.responder->send_event(mtp::event::object_added, 7);
    }
    CHECK(it.responder->in(player_interrupt_in).size() == 64);
}
