#include "drivers/mtp/property_value.h"

#include "drivers/mtp/outgoing_datasets.h"

#include <array>
#include <charconv>

namespace plugfs::mtp {

namespace {

// The bytes of a number; 0: it is none.
std::size_t width_of(std::uint16_t type) {
    constexpr std::array<std::uint8_t, 11> widths = {0, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16};
    return type < widths.size() ? widths[type] : 0;
}

std::string hexadecimal(std::span<const std::byte> little_endian) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text = "0x";
    for (auto at = little_endian.rbegin(); at != little_endian.rend(); ++at) {
        text += digits[std::to_integer<unsigned>(*at) >> 4U];
        text += digits[std::to_integer<unsigned>(*at) & 15U];
    }
    return text;
}

std::string number_text(ByteReader& reader, std::uint16_t type) {
    const std::size_t width = width_of(type);
    const auto bytes = reader.take(width);
    if (width > 8 || bytes.empty()) {
        return hexadecimal(bytes);
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) {
        value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    }
    if (!is_signed(type)) {
        return std::to_string(value);
    }
    const std::size_t unused = 64 - (8 * width);
    return std::to_string(static_cast<std::int64_t>(value << unused) >> unused);
}

template <class Number>
std::optional<std::uint64_t> parse(const std::string& text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;
}

constexpr std::uint16_t enumeration_limit = 4096;

}  // namespace

bool is_integer(std::uint16_t type) {
    return type >= data_type::int8 && type <= data_type::uint64;
}

bool is_signed(std::uint16_t type) {
    return type % 2 == 1;
}

IntegerRange integer_range(std::uint16_t type) {
    const std::size_t bits = 8 * width_of(type);
    if (is_signed(type)) {
        const std::int64_t maximum = bits == 64 ? INT64_MAX : (std::int64_t{1} << (bits - 1)) - 1;
        return {-maximum - 1, maximum};
    }
    return {0, bits == 64 ? INT64_MAX : (std::int64_t{1} << bits) - 1};
}

std::optional<std::string> read_value_text(ByteReader& reader, std::uint16_t type) {
    if (type == data_type::string) {
        std::string text = read_string(reader);
        return reader.ok() ? std::optional(std::move(text)) : std::nullopt;
    }
    if ((type & data_type::array_flag) == 0) {
        if (width_of(type) == 0) {
            return std::nullopt;
        }
        std::string text = number_text(reader, type);
        return reader.ok() ? std::optional(std::move(text)) : std::nullopt;
    }
    ByteReader ahead = reader;
    if (!skip_value(reader, type) || ahead.u32le() > array_text_limit) {
        return std::nullopt;
    }
    std::string text;
    while (ahead.offset() < reader.offset()) {
        text += (text.empty() ? "" : " ") + number_text(ahead, type & ~data_type::array_flag);
    }
    return text;
}

Result<std::vector<std::byte>> encode_value(std::uint16_t type, const std::string& text) {
    ByteWriter out;
    if (type == data_type::string) {
        const auto length = utf16_length(text);
        if (!length || *length > string_limit) {
            return fail(EINVAL, "string", "it has to be UTF-8, of at most " + std::to_string(string_limit) + " units");
        }
        write_string(out, text);
        return std::move(out).take();
    }
    if (!is_integer(type)) {
        return fail(ENOTSUP, "value", "of data type " + std::to_string(type));
    }
    const auto value = is_signed(type) ? parse<std::int64_t>(text) : parse<std::uint64_t>(text);
    const auto [minimum, maximum] = integer_range(type);
    const bool fits = value && (width_of(type) == 8 || (static_cast<std::int64_t>(*value) >= minimum &&
                                                        static_cast<std::int64_t>(*value) <= maximum));
    if (!fits) {
        return fail(EINVAL, "value", "not a number of that type");
    }
    for (std::size_t i = 0; i < width_of(type); ++i) {
        out.u8(static_cast<std::uint8_t>(*value >> (8 * i)));
    }
    return std::move(out).take();
}

Result<DevicePropDesc> parse_device_prop_desc(std::span<const std::byte> dataset) {
    ByteReader reader(dataset);
    const auto bad = [&](const char* field) {
        return fail(EIO, "DevicePropDesc",
                    std::string(field) + " before offset " + std::to_string(reader.offset()) + " of " +
                        std::to_string(dataset.size()) + " bytes");
    };
    DevicePropDesc description;
    description.property_code = reader.u16le();
    description.data_type = reader.u16le();
    description.writable = reader.u8() == 1;
    if (!reader.ok()) {
        return bad("GetSet");
    }
    if (!skip_value(reader, description.data_type)) {
        return bad("DefaultValue");
    }
    description.current_value = read_value_text(reader, description.data_type);
    if (!reader.ok()) {
        return bad("CurrentValue");
    }
    const std::uint8_t form = reader.u8();
    if (!reader.ok()) {
        return description;  // some leave it out
    }
    const auto value = [&] { return read_value_text(reader, description.data_type).value_or(""); };
    if (form == static_cast<std::uint8_t>(DevicePropDesc::Form::range) && is_integer(description.data_type)) {
        description.form = DevicePropDesc::Form::range;
        description.minimum_value = value();
        description.maximum_value = value();
        description.step_size = value();
        return reader.ok() ? Result<DevicePropDesc>(std::move(description)) : bad("the range");
    }
    if (form == static_cast<std::uint8_t>(DevicePropDesc::Form::enumeration)) {
        description.form = DevicePropDesc::Form::enumeration;
        const std::uint16_t count = reader.u16le();
        for (std::uint16_t i = 0; i < count && i < enumeration_limit; ++i) {
            description.supported_values.push_back(value());
            if (!reader.ok()) {
                return bad("SupportedValue");
            }
        }
        if (!reader.ok()) {
            return bad("NumberOfValues");
        }
    }
    return description;
}

}  // namespace plugfs::mtp
