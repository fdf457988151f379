// Hosts that say what no initiator should: the player says no, and goes on.
#include "initiator.h"

#include <algorithm>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using namespace plugfs::virtual_usb::test;
namespace op = plugfs::mtp::operation;
namespace rc = plugfs::mtp::response;
namespace prop = plugfs::mtp::object_property;

namespace {

void check_alive(Initiator& it) {
    CHECK(it.ask(op::get_storage_ids).code == rc::ok);
}

}  // namespace

TEST_CASE("bytes that are no command halt the endpoint, and the next command is taken") {
    Initiator it;
    it.open();
    for (const std::uint32_t length : {0U, 1U, 11U, 33U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
        CAPTURE(length);
        CHECK_FALSE(it.say(Initiator::command(op::get_storage_ids, 1, {}, length)));
        CHECK(it.transfers().empty());
        check_alive(it);
    }
    for (const int type : {0, 2, 3, 4, 0xFF, 0x0100}) {
        CAPTURE(type);
        auto bytes = Initiator::command(op::get_storage_ids, 1, {});
        bytes[4] = static_cast<std::byte>(type);
        bytes[5] = static_cast<std::byte>(type >> 8);
        CHECK_FALSE(it.say(bytes));
        check_alive(it);
    }
    CHECK(it.say({}));  // an empty packet may end data; by itself it says nothing
    CHECK_FALSE(it.say(Bytes(100'000)));
    CHECK_FALSE(it.say(Bytes(100'000, std::byte{0xff})));
    check_alive(it);
}

TEST_CASE("a command cut at any byte is none; what it had begun is over with Cancel, Device Reset or a reset") {
    for (int way = 0; way < 3; ++way) {
        CAPTURE(way);
        Initiator it;
        it.open();
        const auto whole = Initiator::command(op::get_object_info, 5, {1, 2, 3, 4, 5});
        for (std::size_t length = 0; length < whole.size(); ++length) {
            CAPTURE(length);
            const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
            CHECK(it.say(part) == (length == 0 || length >= 12));
            CHECK(it.transfers().empty());
            ByteWriter cancel;
            cancel.u16le(mtp::cancellation_code);
            cancel.u32le(5);
            const usb::Setup request{.request_type = 0x21,
                                     .request = way == 0 ? mtp::request_cancel : mtp::request_device_reset};
            if (way == 2) {
                it.responder->reset();
            } else {
                CHECK(
                    it.responder->control(request, false, way == 0 ? cancel.bytes() : std::span<const std::byte>(), 0));
            }
            CHECK(it.ask(op::get_device_info).code == rc::ok);
        }
    }
}

TEST_CASE("a command in pieces is one") {
    Initiator it;
    const auto whole = Initiator::command(op::open_session, 1, {1});
    CHECK(it.say(Bytes(whole.begin(), whole.begin() + 13)));
    CHECK(it.say(Bytes(whole.begin() + 13, whole.end())));
    REQUIRE(it.transfers().size() == 1);
    check_alive(it);
}

TEST_CASE("what follows a command in its transfer is not the next one") {
    Initiator it;
    auto bytes = Initiator::command(op::open_session, 1, {1});
    const auto more = Initiator::command(op::get_device_info, 2, {});
    bytes.insert(bytes.end(), more.begin(), more.end());
    CHECK(it.say(bytes));
    CHECK(it.transfers().size() == 1);
    check_alive(it);
}

TEST_CASE("parameters that are not given are 0, those given too many are not read") {
    Initiator it;
    it.open();
    CHECK(it.ask(op::get_object_info).code == rc::invalid_object_handle);
    CHECK(it.ask(op::get_storage_info).code == rc::invalid_storage_id);
    CHECK(it.ask(op::get_storage_ids, {1, 2, 3, 4, 5}).code == rc::ok);
    CHECK_FALSE(it.say(Initiator::command(op::get_storage_ids, 1, {1, 2, 3, 4, 5, 6})));
}

TEST_CASE("handles, storages, properties and formats that there are not") {
    Initiator it;
    it.folder.file("Music/a", content(10));
    it.folder.file("file", content(10));
    it.open();
    const auto root = it.list();
    const std::uint32_t music = root.at(0);
    const std::uint32_t file = root.at(1);
    for (const std::uint32_t handle : {0U, 0xFFFFFFFFU, 0x7FFFFFFFU, file + 1000}) {
        CAPTURE(handle);
        for (const std::uint16_t operation :
             {op::get_object_info, op::get_object, op::get_partial_object, op::get_partial_object_64}) {
            CHECK(it.ask(operation, {handle, 0, 10, 10}).code == rc::invalid_object_handle);
        }
        CHECK(it.ask(op::get_object_prop_value, {handle, prop::object_size}).code == rc::invalid_object_handle);
    }
    for (const std::uint16_t operation : {op::get_object, op::get_partial_object, op::get_partial_object_64}) {
        CHECK(it.ask(operation, {music, 0, 0, 1}).code == rc::invalid_object_handle);  // a folder has no data
    }
    for (const std::uint16_t operation : {op::get_object_handles, op::get_num_objects}) {
        CHECK(it.ask(operation, {0x12345, 0, mtp::root_parent}).code == rc::invalid_storage_id);
        CHECK(it.ask(operation, {it.storage, 0, 0x12345}).code == rc::invalid_parent_object);
        CHECK(it.ask(operation, {it.storage, 0, file}).code == rc::invalid_parent_object);
        it.faults.set("no-format-filter");
        CHECK(it.ask(operation, {it.storage, mtp::format::mp3, mtp::root_parent}).code ==
              rc::specification_by_format_unsupported);
        it.faults.clear();
    }
    // A property's code has 16 bits: what has more is none.
    for (const std::uint32_t property : {0U, 0xDCE0U, 0xFFFFU, 0x10000U | prop::object_size, 0xFFFFFFFFU}) {
        CAPTURE(property);
        CHECK(it.ask(op::get_object_prop_value, {file, property}).code == rc::invalid_object_prop_code);
        CHECK(it.ask(op::get_object_prop_desc, {property}).code == rc::invalid_object_prop_code);
        if (property != mtp::all_properties) {
            CHECK(it.ask(op::get_object_prop_list, {0, 0, property, 0, 1}).code != rc::ok);
        }
        const std::uint32_t device_property =
            property == 0x1DC04 ? 0x10000U | mtp::device_property::battery_level : property;
        CHECK(it.ask(op::get_device_prop_value, {device_property}).code == rc::device_prop_not_supported);
        CHECK(it.ask(op::get_device_prop_desc, {device_property}).code == rc::device_prop_not_supported);
    }
}

TEST_CASE("lists of properties that cannot be given are refused") {
    Initiator it;
    it.folder.file("file", content(10));
    it.open();
    const std::uint32_t file = it.list().at(0);
    const auto code = [&](std::vector<std::uint32_t> parameters) {
        return it.ask(op::get_object_prop_list, parameters).code;
    };
    constexpr std::uint32_t all = mtp::all_properties;
    CHECK(code({file, 0, all, 0, 0}) == rc::ok);
    CHECK(code({file, mtp::format::mp3, all, 0, 0}) == rc::specification_by_format_unsupported);
    CHECK(code({file, 0, 0, 1, 0}) == rc::parameter_not_supported);
    CHECK(code({0, 0, all, 0, 0}) == rc::specification_by_depth_unsupported);
    CHECK(code({0xFFFFFFFF, 0, all, 0, 0}) == rc::specification_by_depth_unsupported);
    CHECK(code({0xFFFFFFFF, 0, all, 0, 1}) == rc::specification_by_depth_unsupported);
    CHECK(code({file, 0, all, 0, 2}) == rc::specification_by_depth_unsupported);
    CHECK(code({file, 0, all, 0, 0xFFFFFFFF}) == rc::specification_by_depth_unsupported);
    CHECK(code({file + 99, 0, all, 0, 0}) == rc::invalid_object_handle);
    CHECK(code({file + 99, 0, all, 0, 1}) == rc::invalid_object_handle);
}

TEST_CASE("operations that do not exist, or that it does not have, change nothing") {
    Initiator it;
    it.folder.file("file", content(10));
    it.open();
    const std::uint32_t file = it.list().at(0);
    for (const std::uint16_t operation : {op::format_store, op::set_object_protection, op::send_object_prop_list,
                                          op::reset_device, op::power_down, std::uint16_t{0}, std::uint16_t{0xFFFF}}) {
        CAPTURE(operation);
        CHECK(it.ask(operation, {file, 0, 0, 0, 0}).code == rc::operation_not_supported);
    }
    CHECK(it.ask(op::get_object, {file}).data == content(10));
}

TEST_CASE("every operation with parameters of every odd kind answers with one response") {
    Initiator it;
    it.folder.file("Music/a.mp3", content(1000));
    it.open();
    const std::uint32_t folder = it.list().at(0);
    const std::vector<std::uint32_t> odd = {0, 1, folder, folder + 1, it.storage, 0xDC04, 0x7FFFFFFF, 0xFFFFFFFF};
    for (std::uint32_t operation = 0x1001; operation <= 0x9830; ++operation) {
        if (operation == 0x1030) {
            operation = 0x95C0;
        } else if (operation == 0x95D0) {
            operation = 0x9800;
        }
        // Those that wait for data, or remove what the others ask for, are responder_writing_test.cpp's.
        if (operation == op::close_session || operation == op::send_object_info || operation == op::send_object ||
            operation == op::set_object_prop_value || operation == op::send_partial_object ||
            operation == op::set_device_prop_value || operation == op::set_object_references ||
            operation == op::delete_object || operation == op::move_object) {
            continue;
        }
        CAPTURE(operation);
        for (const std::uint32_t first : odd) {
            for (const std::uint32_t others : odd) {
                const auto reply =
                    it.ask(static_cast<std::uint16_t>(operation), {first, others, others, others, first});
                CHECK((reply.code >> 12U) != 0);
            }
        }
    }
}

TEST_CASE("symbolic links are not followed, and nothing beyond the folders is given") {
    namespace fs = std::filesystem;
    Initiator it;
    const plugfs::test::TemporaryFolder outside;
    outside.file("secret", content(100, 5));
    it.folder.file("file", content(10));
    fs::create_symlink(outside.path() / "secret", it.folder.path() / "link");
    fs::create_directory_symlink(outside.path(), it.folder.path() / "folder");
    it.open();
    const auto handles = it.list();
    REQUIRE(handles.size() == 1);
    // Nor where a link takes the place of what was listed.
    fs::remove(it.folder.path() / "file");
    fs::create_symlink(outside.path() / "secret", it.folder.path() / "file");
    CHECK(it.ask(op::get_object, {handles[0]}).code == rc::invalid_object_handle);
    CHECK(it.ask(op::get_object_info, {handles[0]}).code == rc::invalid_object_handle);
}

TEST_CASE("an object that becomes shorter while it is sent is filled up; one that has gone is no object") {
    Initiator it;
    it.folder.file("file", content(1000));
    it.open();
    const std::uint32_t file = it.list().at(0);
    REQUIRE(it.say(Initiator::command(op::get_object, 1, {file})));
    std::filesystem::resize_file(it.folder.path() / "file", 100);
    const auto sent = it.transfers();
    REQUIRE(sent.size() == 2);
    auto expected = content(100);
    expected.resize(1000);
    CHECK(sent[0].payload == expected);
    std::filesystem::remove(it.folder.path() / "file");
    CHECK(it.ask(op::get_object, {file}).code == rc::invalid_object_handle);
    CHECK(it.list().empty());
}

TEST_CASE("class requests that are not right are not supported") {
    Initiator it;
    const auto asked = [&](std::uint8_t request, bool in, std::span<const std::byte> data, std::size_t length) {
        return it.responder->control({.request_type = 0x21, .request = request}, in, data, length);
    };
    const Bytes cancel = {std::byte{0x01}, std::byte{0x40}, std::byte{}, std::byte{}, std::byte{}, std::byte{}};
    CHECK(asked(mtp::request_cancel, false, cancel, 0));
    CHECK_FALSE(asked(mtp::request_cancel, true, cancel, 0));
    CHECK_FALSE(asked(mtp::request_cancel, false, {}, 0));
    CHECK_FALSE(asked(mtp::request_cancel, false, std::span(cancel).first(1), 0));
    CHECK_FALSE(asked(mtp::request_cancel, false, content(6), 0));
    CHECK_FALSE(asked(mtp::request_device_reset, true, {}, 0));
    CHECK_FALSE(asked(mtp::request_get_device_status, false, {}, 0));
    CHECK_FALSE(asked(mtp::request_get_extended_event_data, true, {}, 100));
    CHECK_FALSE(asked(0, true, {}, 100));
    for (std::size_t length = 0; length < 8; ++length) {
        const auto status = asked(mtp::request_get_device_status, true, {}, length);
        REQUIRE(status);
        CHECK(status->size() == std::min<std::size_t>(length, 4));
    }
}
