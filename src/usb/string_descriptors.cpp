// String descriptors; see the header.
#include "usb/string_descriptors.h"

#include "usb/descriptors.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <array>

namespace plugfs::usb {
namespace {

constexpr std::uint8_t get_descriptor = 6;  // bRequest, USB 2.0, table 9-4
constexpr std::size_t string_limit = 255;   // bLength is one byte
constexpr std::size_t head_size = 2;
constexpr std::uint16_t english = 0x0409;
constexpr std::uint32_t replacement = 0xfffd;
constexpr auto one_string = std::chrono::seconds(1);

void append_utf8(std::string& text, std::uint32_t point) {
    const auto put = [&](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (point < 0x80U) {
        put(point);
    } else if (point < 0x800U) {
        put(0xc0U | (point >> 6U));
        put(0x80U | (point & 0x3fU));
    } else if (point < 0x10000U) {
        put(0xe0U | (point >> 12U));
        put(0x80U | ((point >> 6U) & 0x3fU));
        put(0x80U | (point & 0x3fU));
    } else {
        put(0xf0U | (point >> 18U));
        put(0x80U | ((point >> 12U) & 0x3fU));
        put(0x80U | ((point >> 6U) & 0x3fU));
        put(0x80U | (point & 0x3fU));
    }
}

bool is_high_surrogate(std::uint32_t unit) {
    return unit >= 0xd800U && unit < 0xdc00U;
}
bool is_low_surrogate(std::uint32_t unit) {
    return unit >= 0xdc00U && unit < 0xe000U;
}

}  // namespace

std::string utf8_from_utf16le(std::span<const std::byte> bytes) {
    std::string text;
    ByteReader reader(bytes);
    std::uint32_t high = 0;  // a high surrogate that waits for its other half
    while (reader.remaining() >= 2) {
        const std::uint32_t unit = reader.u16le();
        if (high != 0 && is_low_surrogate(unit)) {
            append_utf8(text, 0x10000U + ((high - 0xd800U) << 10U) + (unit - 0xdc00U));
            high = 0;
            continue;
        }
        if (high != 0) {
            append_utf8(text, replacement);
            high = 0;
        }
        if (is_high_surrogate(unit)) {
            high = unit;
        } else {
            append_utf8(text, is_low_surrogate(unit) ? replacement : unit);
        }
    }
    if (high != 0 || reader.remaining() != 0) {
        append_utf8(text, replacement);
    }
    while (!text.empty() && text.back() == '\0') {
        text.pop_back();
    }
    return text;
}

Result<std::size_t> StringReader::request(std::uint8_t index, std::uint16_t language, std::span<std::byte> out) {
    constexpr auto type = static_cast<unsigned>(DescriptorType::string);
    const Setup setup{.request_type = 0,
                      .request = get_descriptor,
                      .value = static_cast<std::uint16_t>((type << 8U) | index),
                      .index = language};
    auto got = device_.control_in(setup, out, Deadline::earlier(deadline_, Deadline::after(one_string)));
    if (!got && (got.error().code == ETIMEDOUT || got.error().code == ENODEV)) {
        given_up_ = true;
    }
    return got;
}

std::optional<std::string> StringReader::read_body(std::uint8_t index, std::uint16_t language) {
    std::array<std::byte, string_limit> bytes{};
    auto got = request(index, language, bytes);
    if (!got && !given_up_) {
        // Some devices fail when more is asked for than there is: ask for the head, then for what it announces.
        got = request(index, language, std::span(bytes).first(head_size));
        if (got && *got == head_size) {
            const auto length = std::max(std::to_integer<std::size_t>(bytes[0]), head_size);
            got = request(index, language, std::span(bytes).first(std::min(length, bytes.size())));
        }
    }
    if (!got || *got < head_size || std::to_integer<std::uint8_t>(bytes[1]) != std::uint8_t(DescriptorType::string)) {
        return std::nullopt;
    }
    const auto length = std::min(std::to_integer<std::size_t>(bytes[0]), *got);
    if (length < head_size) {
        return std::nullopt;
    }
    return std::string(reinterpret_cast<const char*>(bytes.data()) + head_size, length - head_size);
}

std::string StringReader::read(std::uint8_t index) {
    if (index == 0 || given_up_) {
        return {};
    }
    if (!language_) {
        // A device that fails to list its languages may still have strings, most likely in English.
        const auto languages = read_body(0, 0);
        const bool listed = languages && languages->size() >= 2;
        language_ = listed ? ByteReader(std::as_bytes(std::span(*languages))).u16le() : english;
    }
    if (given_up_) {
        return {};
    }
    const auto body = read_body(index, *language_);
    return body ? utf8_from_utf16le(std::as_bytes(std::span(*body))) : std::string();
}

}  // namespace plugfs::usb
