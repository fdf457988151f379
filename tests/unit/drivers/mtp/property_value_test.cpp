// Values of all data types, and descriptions of device properties.
#include "drivers/mtp/property_value.h"

#include "dataset_writer.h"
#include "drivers/mtp/device_controls.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

std::string read_text(std::uint16_t type, const std::vector<std::byte>& bytes) {
    ByteReader reader(bytes);
    return read_value_text(reader, type).value_or("none");
}

std::string round_trip(std::uint16_t type, const std::string& text) {
    const auto bytes = encode_value(type, text);
    return bytes ? read_text(type, *bytes) : "error " + std::to_string(bytes.error().code);
}
const std::string invalid = "error " + std::to_string(EINVAL);

struct Description {
    ByteWriter out;
    Description(std::uint16_t property, std::uint16_t type, bool writable) {
        out.u16le(property);
        out.u16le(type);
        out.u8(writable ? 1 : 0);
    }
    [[nodiscard]] Result<DevicePropDesc> parse() const { return parse_device_prop_desc(out.bytes()); }
};

Description level() {
    Description made(device_property::volume, data_type::int8, true);
    for (const int value : {0, -20}) {  // default, current
        made.out.u8(static_cast<std::uint8_t>(value));
    }
    for (const int value : {1, -100, 10, 5}) {  // the form; minimum, maximum, step
        made.out.u8(static_cast<std::uint8_t>(value));
    }
    return made;
}

}  // namespace

TEST_CASE("numbers of every width, with their limits") {
    CHECK(round_trip(data_type::int8, "-128") == "-128");
    CHECK(round_trip(data_type::int8, "128") == invalid);
    CHECK(round_trip(data_type::uint8, "255") == "255");
    CHECK(round_trip(data_type::uint8, "256") == invalid);
    CHECK(round_trip(data_type::uint8, "-1") == invalid);
    CHECK(round_trip(data_type::int16, "-32768") == "-32768");
    CHECK(round_trip(data_type::uint16, "65535") == "65535");
    CHECK(round_trip(data_type::uint16, "65536") == invalid);
    CHECK(round_trip(data_type::int32, "-2147483648") == "-2147483648");
    CHECK(round_trip(data_type::uint32, "4294967295") == "4294967295");
    CHECK(round_trip(data_type::int64, "-9223372036854775808") == "-9223372036854775808");
    CHECK(round_trip(data_type::uint64, "18446744073709551615") == "18446744073709551615");
    CHECK(round_trip(data_type::uint64, "18446744073709551616") == invalid);
    CHECK(round_trip(data_type::uint32, "") == invalid);
    CHECK(round_trip(data_type::uint32, "5x") == invalid);
    CHECK(encode_value(data_type::uint128, "5").error().code == ENOTSUP);
    CHECK(encode_value(data_type::array_flag | data_type::uint8, "5").error().code == ENOTSUP);
}

TEST_CASE("texts, numbers of 128 bits, arrays") {
    CHECK(round_trip(data_type::string, "Jürgen \xF0\x9F\x8E\xB5") == "Jürgen \xF0\x9F\x8E\xB5");
    CHECK(round_trip(data_type::string, "") == "");
    CHECK(round_trip(data_type::string, std::string(254, 'x')) == std::string(254, 'x'));
    CHECK(round_trip(data_type::string, std::string(255, 'x')) == invalid);
    CHECK(round_trip(data_type::string, "\xff") == invalid);
    ByteWriter wide;
    wide.u64le(0x1122334455667788);
    wide.u64le(1);
    CHECK(read_text(data_type::uint128, {wide.bytes().begin(), wide.bytes().end()}) ==
          "0x00000000000000011122334455667788");
    ByteWriter array;
    array.u32le(2);
    array.u16le(7);
    array.u16le(0xFFFF);
    const std::vector<std::byte> two(array.bytes().begin(), array.bytes().end());
    CHECK(read_text(data_type::array_flag | data_type::uint16, two) == "7 65535");
    CHECK(read_text(data_type::array_flag | data_type::int16, two) == "7 -1");
    CHECK(read_text(data_type::array_flag | data_type::uint64, two) == "none");
    CHECK(read_text(0x1234, two) == "none");
    ByteWriter picture;
    picture.u32le(array_text_limit + 1);
    picture.append(std::vector<std::byte>(array_text_limit + 1));
    picture.u8(9);
    ByteReader reader(picture.bytes());
    CHECK_FALSE(read_value_text(reader, data_type::array_flag | data_type::uint8));
    CHECK(reader.u8() == 9);  // passed over
}

TEST_CASE("a property with a range becomes a control") {
    const auto description = level().parse();
    REQUIRE(description.ok());
    CHECK(description->form == DevicePropDesc::Form::range);
    const auto control = control_for(*description);
    CHECK(control.name == "volume");
    CHECK(control.type == Control::Type::number);
    CHECK(control.writable);
    CHECK(control.value == "-20");
    CHECK(control.step == 5);
    CHECK(allowed_values(control) == "a number from -100 to 10 in steps of 5");
}

TEST_CASE("a range that nothing lies in says nothing; without one the type's counts") {
    Description made(0xD123, data_type::uint8, true);
    for (const int value : {0, 7, 1, 90, 10, 0}) {
        made.out.u8(static_cast<std::uint8_t>(value));
    }
    const auto control = control_for(*made.parse());
    CHECK(control.name == "property-d123");
    CHECK(control.minimum == 0);
    CHECK(control.maximum == 255);
    CHECK(control.step == 1);
    Description plain(device_property::playback_position, data_type::uint32, true);
    plain.out.u32le(0);
    plain.out.u32le(5);
    plain.out.u8(0);
    CHECK(control_for(*plain.parse()).maximum == UINT32_MAX);
}

TEST_CASE("a property with choices, and texts") {
    Description made(device_property::playback_rate, data_type::int16, true);
    for (const int value : {0, 1000}) {
        made.out.u16le(static_cast<std::uint16_t>(value));
    }
    made.out.u8(2);
    made.out.u16le(2);
    made.out.u16le(static_cast<std::uint16_t>(-500));
    made.out.u16le(1000);
    const auto control = control_for(*made.parse());
    CHECK(control.type == Control::Type::choice);
    CHECK(control.choices == std::vector<std::string>{"-500", "1000"});
    Description text(device_property::device_friendly_name, data_type::string, false);
    put_string(text.out, u"");
    put_string(text.out, u"Walkman");
    text.out.u8(0);
    const auto name = control_for(*text.parse());
    CHECK(name.type == Control::Type::text);
    CHECK_FALSE(name.writable);
    CHECK(name.value == "Walkman");
}

TEST_CASE("descriptions cut anywhere are errors that name the field") {
    const auto whole = level();
    for (std::size_t size = 0; size < whole.out.bytes().size(); ++size) {
        const auto parsed = parse_device_prop_desc(std::span(whole.out.bytes()).first(size));
        if (size == 7) {
            CHECK(parsed.ok());  // without its form: some leave it out
            continue;
        }
        REQUIRE_FALSE(parsed.ok());
        CHECK(parsed.error().stage == "DevicePropDesc");
        CHECK(parsed.error().detail.find("before offset") != std::string::npos);
    }
    Description unknown(0xD123, 0x0BAD, true);
    unknown.out.u64le(0);
    CHECK(unknown.parse().error().detail.starts_with("DefaultValue"));
    Description many(0xD123, data_type::uint8, true);
    many.out.u16le(0);
    many.out.u8(2);
    many.out.u16le(0xFFFF);
    many.out.u8(1);
    CHECK(many.parse().error().detail.starts_with("SupportedValue"));
}

TEST_CASE("moments as people write them") {
    CHECK(shown_date_time("20261125T162000") == "2026-11-25T16:20:00");
    CHECK(shown_date_time("20261125T162000.0+0100") == "2026-11-25T16:20:00.0+0100");
    CHECK(shown_date_time("noon") == "noon");
    CHECK(sent_date_time("2026-11-25T16:20:00") == "20261125T162000");
    CHECK(sent_date_time("2026-11-25 16:20:00+0100") == "20261125T162000+0100");
    CHECK(sent_date_time("20261125T162000") == "20261125T162000");
    CHECK(sent_date_time("noon") == "noon");
}
