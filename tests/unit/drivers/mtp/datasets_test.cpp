#include "drivers/mtp/datasets.h"

#include "dataset_writer.h"

#include <doctest/doctest.h>

#include <functional>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

// Every part of a dataset from its beginning, in memory of its own length; `parse` gives the error of a part, or null
// where the parser is content.
template <class Parse>
void at_every_length(const std::vector<std::byte>& whole, const Parse& parse) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        parse(length, std::span<const std::byte>(part));
    }
}

// The field that the parser named, which stands at the beginning of the detail.
std::string field(const Error& error) {
    return error.detail.substr(0, error.detail.find(" at offset"));
}

constexpr std::uint32_t four_billion = 4'000'000'000U;

}  // namespace

TEST_CASE("DeviceInfo") {
    const auto info = parse_device_info(device_info({operation::get_device_info, operation::get_partial_object_64}));
    REQUIRE(info);
    CHECK(info->standard_version == 100);
    CHECK(info->vendor_extension_id == 6);
    CHECK(info->vendor_extension_description == "microsoft.com: 1.0");
    CHECK(info->functional_mode == 0);
    CHECK(info->supports(operation::get_partial_object_64));
    CHECK_FALSE(info->supports(operation::get_partial_object));
    CHECK(info->events_supported == std::vector<std::uint16_t>{event::object_added, event::object_removed});
    CHECK(info->device_properties_supported == std::vector<std::uint16_t>{device_property::battery_level});
    CHECK(info->capture_formats.empty());
    CHECK(info->image_formats == std::vector<std::uint16_t>{format::association, format::mp3});
    CHECK(info->manufacturer == "Sony");
    CHECK(info->model == "NWZ-A15");
    CHECK(info->device_version == "1.20");
    CHECK(info->serial_number == "0123456789");
}

TEST_CASE("DeviceInfo cut at every byte: an error that names the field, but for the last strings") {
    const auto whole = device_info({operation::get_device_info});
    // Where fields begin; what is left out are the strings, which some devices leave out, too.
    const std::vector<std::pair<std::size_t, std::string>> fields = {{0, "StandardVersion"},
                                                                     {2, "VendorExtensionID"},
                                                                     {6, "VendorExtensionVersion"},
                                                                     {8, "VendorExtensionDesc"},
                                                                     {47, "FunctionalMode"},
                                                                     {49, "OperationsSupported"},
                                                                     {55, "EventsSupported"},
                                                                     {63, "DevicePropertiesSupported"},
                                                                     {69, "CaptureFormats"},
                                                                     {73, "ImageFormats"},
                                                                     {81, ""}};
    at_every_length(whole, [&](std::size_t length, std::span<const std::byte> part) {
        const auto info = parse_device_info(part);
        if (length >= 81) {
            REQUIRE(info);
            CHECK(info->manufacturer == (length >= 92 ? "Sony" : ""));
            CHECK(info->serial_number.empty());
            return;
        }
        REQUIRE_FALSE(info);
        CHECK(info.error().code == EIO);
        CHECK(info.error().stage == "DeviceInfo");
        const auto* expected = &fields[0];
        for (const auto& candidate : fields) {
            expected = candidate.first <= length ? &candidate : expected;
        }
        CHECK(field(info.error()) == expected->second);
        CHECK(info.error().detail.ends_with("passes the end of " + std::to_string(length) + " bytes"));
    });
}

TEST_CASE("DeviceInfo with counts of four billion") {
    for (const std::size_t offset : {49U, 55U, 63U, 69U, 73U}) {
        CAPTURE(offset);
        auto bytes = device_info({operation::get_device_info});
        for (std::size_t i = 0; i < 4; ++i) {
            bytes[offset + i] = static_cast<std::byte>(four_billion >> (8 * i));
        }
        const auto info = parse_device_info(bytes);
        REQUIRE_FALSE(info);
        CHECK(info.error().stage == "DeviceInfo");
        CHECK(info.error().detail.find("at offset " + std::to_string(offset + 4)) != std::string::npos);
    }
}

TEST_CASE("StorageInfo") {
    const auto info = parse_storage_info(storage_info(u"Internal storage", u"WALKMAN"));
    REQUIRE(info);
    CHECK(info->storage_type == 3);
    CHECK(info->filesystem_type == 2);
    CHECK(info->access_capability == 0);
    CHECK(info->max_capacity == std::uint64_t{64} << 30U);
    CHECK(info->free_space_in_bytes == std::uint64_t{5} << 30U);
    CHECK(info->storage_description == "Internal storage");
    CHECK(info->volume_label == "WALKMAN");
    at_every_length(storage_info(u"Internal", u""), [](std::size_t length, std::span<const std::byte> part) {
        const auto cut = parse_storage_info(part);
        if (length >= 26) {
            REQUIRE(cut);
            CHECK(cut->storage_description == (length >= 45 ? "Internal" : ""));
            return;
        }
        REQUIRE_FALSE(cut);
        CHECK(cut.error().stage == "StorageInfo");
        CHECK(field(cut.error()) == (length < 2    ? "StorageType"
                                     : length < 4  ? "FilesystemType"
                                     : length < 6  ? "AccessCapability"
                                     : length < 14 ? "MaxCapacity"
                                     : length < 22 ? "FreeSpaceInBytes"
                                                   : "FreeSpaceInObjects"));
    });
}

TEST_CASE("ObjectInfo") {
    const auto info =
        parse_object_info(0x55, object_info({.size = 4'123'456, .parent = 0x44, .name = u"J\u00fcrgen.mp3"}));
    REQUIRE(info);
    CHECK(info->handle == 0x55);
    CHECK(info->storage_id == 0x00010001);
    CHECK(info->object_format == format::mp3);
    CHECK_FALSE(info->folder());
    CHECK(info->size == 4'123'456);
    CHECK(info->size_known);
    CHECK(info->parent == 0x44);
    CHECK(info->filename == "J\xc3\xbcrgen.mp3");
    CHECK_FALSE(info->damaged_name);
    CHECK_FALSE(info->created);
    CHECK(info->modified == 1709208000);
    CHECK(info->persistent_identity.empty());
}

TEST_CASE("ObjectInfo of a folder, of a large object, and without usable dates") {
    const auto folder = parse_object_info(1, object_info({.format = format::association, .name = u"Music"}));
    REQUIRE(folder);
    CHECK(folder->folder());
    const auto large = parse_object_info(1, object_info({.size = std::uint64_t{1} << 32U, .name = u"film"}));
    REQUIRE(large);
    CHECK_FALSE(large->size_known);
    const auto dateless = parse_object_info(1, object_info({.name = u"x", .modified = u"yesterday"}));
    REQUIRE(dateless);
    CHECK(dateless->created == 1577836800);
    CHECK_FALSE(dateless->modified);
    const auto damaged = parse_object_info(1, object_info({.name = u"x\xD800"}));
    REQUIRE(damaged);
    CHECK(damaged->damaged_name);
}

TEST_CASE("ObjectInfo cut at every byte: an error that names the field, but for the dates") {
    const auto whole = object_info({.name = u"a.mp3"});
    constexpr std::size_t dates = 52 + 1 + 2 * 6;
    at_every_length(whole, [&](std::size_t length, std::span<const std::byte> part) {
        const auto info = parse_object_info(9, part);
        if (length >= dates) {
            REQUIRE(info);
            CHECK(info->filename == "a.mp3");
            CHECK(info->modified.has_value() == (length >= dates + 2 * 35));
            return;
        }
        REQUIRE_FALSE(info);
        CHECK(info.error().code == EIO);
        CHECK(info.error().stage == "ObjectInfo");
        CHECK(field(info.error()) == (length < 4    ? "StorageID"
                                      : length < 6  ? "ObjectFormat"
                                      : length < 8  ? "ProtectionStatus"
                                      : length < 12 ? "ObjectCompressedSize"
                                      : length < 14 ? "ThumbFormat"
                                      : length < 38 ? "ThumbCompressedSize to ImageBitDepth"
                                      : length < 42 ? "ParentObject"
                                      : length < 44 ? "AssociationType"
                                      : length < 48 ? "AssociationDesc"
                                      : length < 52 ? "SequenceNumber"
                                                    : "Filename"));
    });
}

TEST_CASE("arrays of handles") {
    ByteWriter out;
    out.u32le(2);
    out.u32le(0x10001);
    out.u32le(0xFFFFFFFF);
    const std::vector<std::byte> whole(out.bytes().begin(), out.bytes().end());
    const auto handles = parse_handles("GetObjectHandles", whole);
    REQUIRE(handles);
    CHECK(*handles == std::vector<std::uint32_t>{0x10001, 0xFFFFFFFF});
    at_every_length(whole, [](std::size_t /*length*/, std::span<const std::byte> part) {
        const auto cut = parse_handles("GetObjectHandles", part);
        REQUIRE_FALSE(cut);
        CHECK(cut.error().stage == "GetObjectHandles");
        CHECK(field(cut.error()) == "the array");
    });
}

TEST_CASE("ObjectSize has 64 bits, or 32") {
    ByteWriter wide;
    wide.u64le(0x123456789AU);
    CHECK(*parse_object_size(wide.bytes()) == 0x123456789AU);
    CHECK(*parse_object_size(wide.bytes().first(7)) == 0x3456789AU);
    CHECK(*parse_object_size(wide.bytes().first(4)) == 0x3456789AU);
    for (std::size_t length = 0; length < 4; ++length) {
        const auto size = parse_object_size(wide.bytes().first(length));
        REQUIRE_FALSE(size);
        CHECK(field(size.error()) == "ObjectSize");
    }
}
