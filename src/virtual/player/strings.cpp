#include "virtual/player/strings.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <vector>

namespace plugfs::virtual_usb {

namespace {

std::vector<std::uint16_t> utf16(const std::string& text) {
    std::vector<std::uint16_t> units;
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t length =
            first < 0x80 ? 1 : (first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : (first >= 0xc2 ? 2 : 0)));
        if (length == 0 || i + length > text.size()) {
            units.push_back(0xD800U | first);
            ++i;
            continue;
        }
        std::uint32_t code = length == 1 ? first : first & (0x7fU >> length);
        for (std::size_t k = 1; k < length; ++k) {
            code = (code << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
        }
        if (code >= 0x10000) {
            units.push_back(static_cast<std::uint16_t>(0xD800U + ((code - 0x10000) >> 10U)));
            units.push_back(static_cast<std::uint16_t>(0xDC00U + ((code - 0x10000) & 0x3ffU)));
        } else {
            units.push_back(static_cast<std::uint16_t>(code));
        }
        i += length;
    }
    return units;
}

}  // namespace

void write_string(ByteWriter& out, const std::string& text) {
    auto units = utf16(text);
    if (units.empty()) {
        out.u8(0);
        return;
    }
    units.resize(std::min<std::size_t>(units.size(), 254));
    out.u8(static_cast<std::uint8_t>(units.size() + 1));
    for (const std::uint16_t unit : units) {
        out.u16le(unit);
    }
    out.u16le(0);
}

std::string take_string(ByteReader& reader) {
    std::string text;
    const std::size_t count = reader.u8();
    ByteReader units(reader.take(2 * count));
    const auto put = [&text](std::uint32_t code) {
        if (code < 0x80) {
            text += static_cast<char>(code);
        } else if (code < 0x800) {
            text += static_cast<char>(0xC0U | (code >> 6U));
            text += static_cast<char>(0x80U | (code & 0x3FU));
        } else {
            if (code < 0x10000) {
                text += static_cast<char>(0xE0U | (code >> 12U));
            } else {
                text += static_cast<char>(0xF0U | (code >> 18U));
                text += static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
            }
            text += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
            text += static_cast<char>(0x80U | (code & 0x3FU));
        }
    };
    while (units.remaining() >= 2) {
        const std::uint32_t unit = units.u16le();
        if (unit == 0) {
            break;
        }
        if (unit < 0xD800 || unit > 0xDFFF) {
            put(unit);
            continue;
        }
        ByteReader ahead = units;
        const std::uint32_t low = unit < 0xDC00 && ahead.remaining() >= 2 ? ahead.u16le() : 0;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            units = ahead;
            put(0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00));
        } else {
            put('?');
        }
    }
    return text;
}

std::string date_time(std::int64_t moment, bool local) {
    std::array<char, 32> text{};
    std::tm fields{};
    const std::time_t time = moment;
    (void)(local ? ::localtime_r(&time, &fields) : ::gmtime_r(&time, &fields));
    (void)std::strftime(text.data(), text.size(), local ? "%Y%m%dT%H%M%S" : "%Y%m%dT%H%M%SZ", &fields);
    return text.data();
}

}  // namespace plugfs::virtual_usb
