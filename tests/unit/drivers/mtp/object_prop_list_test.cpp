// datasets.cpp: ObjectPropList, the largest of the datasets and the one that a device has most to say about.
#include "dataset_writer.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

const std::vector<Described> two_objects = {
    {.handle = 7, .size = 0x123456789A, .parent = 3, .name = u"AC/DC.mp3"},
    {.handle = 8, .format = format::association, .parent = 3, .name = u"", .modified = u"no date"}};

Error error_of(const std::vector<std::byte>& bytes) {
    const auto objects = parse_object_prop_list(bytes);
    REQUIRE_FALSE(objects);
    CHECK(objects.error().code == EIO);
    CHECK(objects.error().stage == "ObjectPropList");
    return objects.error();
}

}  // namespace

TEST_CASE("ObjectPropList: properties are gathered by object, in the order of their first appearance") {
    const auto objects = parse_object_prop_list(object_prop_list(two_objects));
    REQUIRE(objects);
    REQUIRE(objects->size() == 2);
    const auto& track = objects->front();
    CHECK(track.handle == 7);
    CHECK(track.storage_id == 0x00010001);
    CHECK(track.object_format == format::mp3);
    CHECK(track.size == 0x123456789A);
    CHECK(track.size_known);
    CHECK(track.parent == 3);
    CHECK(track.filename == "AC/DC.mp3");
    CHECK(track.modified == 1709208000);
    CHECK_FALSE(track.created);
    const auto& folder = objects->back();
    CHECK(folder.handle == 8);
    CHECK(folder.folder());
    CHECK(folder.filename.empty());
    CHECK_FALSE(folder.modified);
}

TEST_CASE("ObjectPropList: elements of objects may come mixed, and twice") {
    PropListWriter list;
    list.element(2, object_property::object_format, data_type::uint16).u16le(format::mp3);
    list.element(1, object_property::object_format, data_type::uint16).u16le(format::wav);
    put_string(list.element(2, object_property::object_file_name, data_type::string), u"two");
    put_string(list.element(1, object_property::object_file_name, data_type::string), u"one");
    put_string(list.element(1, object_property::object_file_name, data_type::string), u"one again");
    const auto objects = parse_object_prop_list(list.list());
    REQUIRE(objects);
    REQUIRE(objects->size() == 2);
    CHECK(objects->front().handle == 2);
    CHECK(objects->front().filename == "two");
    CHECK(objects->back().filename == "one again");
}

TEST_CASE("ObjectPropList: what is not needed is skipped, whatever its type") {
    PropListWriter list;
    list.element(1, object_property::protection_status, data_type::uint16).u16le(0);
    list.element(1, object_property::duration, data_type::uint32).u32le(1);
    list.element(1, object_property::hidden, data_type::int8).u8(0);
    put_string(list.element(1, object_property::artist, data_type::string), u"Anna Sine");
    auto& array = list.element(1, 0xDC81, data_type::uint8 | data_type::array_flag);
    array.u32le(3);
    array.append(std::vector<std::byte>(3));
    list.element(1, object_property::object_size, data_type::uint64).u64le(5);
    const auto objects = parse_object_prop_list(list.list());
    REQUIRE(objects);
    REQUIRE(objects->size() == 1);
    CHECK(objects->front().size == 5);
}

TEST_CASE("ObjectPropList: sizes of 64 and of 32 bits, and one that does not fit") {
    PropListWriter list;
    list.element(1, object_property::object_size, data_type::uint64).u64le(UINT64_MAX);
    list.element(2, object_property::object_size, data_type::uint32).u32le(77);
    list.element(3, object_property::object_size, data_type::uint32).u32le(size_not_in_32_bits);
    list.element(4, object_property::object_size, data_type::uint64).u64le(size_not_in_32_bits);
    list.element(5, object_property::object_format, data_type::uint16).u16le(format::mp3);
    const auto objects = parse_object_prop_list(list.list());
    REQUIRE(objects);
    REQUIRE(objects->size() == 5);
    CHECK((*objects)[0].size == UINT64_MAX);
    CHECK((*objects)[1].size == 77);
    CHECK((*objects)[1].size_known);
    CHECK_FALSE((*objects)[2].size_known);
    CHECK((*objects)[3].size_known);
    CHECK_FALSE((*objects)[4].size_known);
}

TEST_CASE("ObjectPropList: an identity of zeros is none") {
    PropListWriter list;
    auto& identity = list.element(1, object_property::persistent_unique_object_identifier, data_type::uint128);
    identity.u64le(0x0102030405060708);
    identity.u64le(0);
    auto& none = list.element(2, object_property::persistent_unique_object_identifier, data_type::uint128);
    none.u64le(0);
    none.u64le(0);
    const auto objects = parse_object_prop_list(list.list());
    REQUIRE(objects);
    CHECK(objects->front().persistent_identity == std::string("\x08\x07\x06\x05\x04\x03\x02\x01\0\0\0\0\0\0\0\0", 16));
    CHECK(objects->back().persistent_identity.empty());
}

TEST_CASE("ObjectPropList: a property with another data type than its own is an error that names both") {
    namespace property = object_property;
    for (const std::uint16_t code : {property::storage_id, property::object_format, property::object_size,
                                     property::object_file_name, property::date_created, property::date_modified,
                                     property::parent_object, property::persistent_unique_object_identifier}) {
        CAPTURE(code);
        for (const int type : {0x0001, 0x0005, 0x4006, 0x0000, 0xFFFE}) {
            PropListWriter list;
            list.element(1, code, static_cast<std::uint16_t>(type)).append(std::vector<std::byte>(32));
            const auto detail = error_of(list.list()).detail;
            CAPTURE(detail);
            CHECK(detail.find("property 0xdc") == 0);
            CHECK(detail.find("has data type 0x") != std::string::npos);
        }
    }
    PropListWriter list;
    list.element(1, 0xDABC, 0x0042).append(std::vector<std::byte>(32));
    CHECK(error_of(list.list()).detail == "value of property 0xdabc with data type 0x0042 at offset 12");
}

TEST_CASE("ObjectPropList cut at every byte") {
    const auto whole = object_prop_list(two_objects);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        const auto detail = error_of(part).detail;
        CAPTURE(detail);
        const bool count = detail.find("NumberOfElements") == 0;
        const bool element = detail.find("property 0x") != std::string::npos;
        CHECK(count != element);
    }
}

TEST_CASE("ObjectPropList: a value that passes the end is named") {
    PropListWriter list;
    list.element(1, object_property::object_format, data_type::uint16).u16le(format::mp3);
    list.element(1, object_property::object_file_name, data_type::string).u8(200);
    CHECK(error_of(list.list()).detail == "property 0xdc07 of element 1 at offset 23 passes the end of 23 bytes");
    PropListWriter array;
    array.element(1, 0xDC81, data_type::uint128 | data_type::array_flag).u32le(0xFFFFFFFF);
    CHECK(error_of(array.list()).detail.find("value of property 0xdc81") == 0);
}

TEST_CASE("ObjectPropList: counts that are not true") {
    PropListWriter list;
    put_string(list.element(1, object_property::object_file_name, data_type::string), u"x");
    for (const std::uint32_t count : {4'000'000'000U, 0xFFFFFFFFU, 0x80000000U, 2U}) {
        CAPTURE(count);
        CHECK(error_of(list.list(count)).detail.find("NumberOfElements " + std::to_string(count)) == 0);
    }
    const auto none = parse_object_prop_list(list.list(0));
    REQUIRE(none);
    CHECK(none->empty());
}

TEST_CASE("ObjectPropList: more objects than a folder can have") {
    ByteWriter list;
    constexpr auto count = static_cast<std::uint32_t>(object_limit + 1);
    list.u32le(count);
    for (std::uint32_t handle = 1; handle <= count; ++handle) {
        list.u32le(handle);
        list.u16le(object_property::hidden);
        list.u16le(data_type::uint8);
        list.u8(0);
    }
    CHECK(error_of(std::move(list).take()).detail == "more than 1000000 objects");
}
