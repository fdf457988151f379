// Values of properties, of any data type (PTP 5.3), and descriptions of device properties (MTP 5.1.2.1).
#pragma once

#include "drivers/mtp/datasets.h"

#include <plugfs/bytes.h>
#include <plugfs/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::mtp {

// Whether it is a number that fits 64 bits; whether it has a sign.
[[nodiscard]] bool is_integer(std::uint16_t data_type);
[[nodiscard]] bool is_signed(std::uint16_t data_type);
// The smallest and the largest number of an integer type, as far as they fit a signed one of 64 bits.
struct IntegerRange {
    std::int64_t minimum = 0;
    std::int64_t maximum = 0;
};
[[nodiscard]] IntegerRange integer_range(std::uint16_t data_type);

// The next value as text: a number in decimal, one of 128 bits in hexadecimal, a string as it is, an array as its
// numbers with a space between. Nothing: the value passes the end, the type is not known, or it is an array of more
// than array_text_limit numbers (which is passed over).
inline constexpr std::size_t array_text_limit = 64;
[[nodiscard]] std::optional<std::string> read_value_text(ByteReader& reader, std::uint16_t data_type);

// The bytes of a value. EINVAL: the text is no such value; ENOTSUP: of a type that is not written (128 bits, arrays).
[[nodiscard]] Result<std::vector<std::byte>> encode_value(std::uint16_t data_type, const std::string& text);

struct DevicePropDesc {
    enum class Form : std::uint8_t { none = 0, range = 1, enumeration = 2 };
    std::uint16_t property_code = 0;
    std::uint16_t data_type = 0;
    bool writable = false;  // GetSet
    std::optional<std::string> current_value;
    Form form = Form::none;
    std::string minimum_value;  // of a range of numbers
    std::string maximum_value;
    std::string step_size;
    std::vector<std::string> supported_values;  // of an enumeration
};
[[nodiscard]] Result<DevicePropDesc> parse_device_prop_desc(std::span<const std::byte> dataset);

}  // namespace plugfs::mtp
