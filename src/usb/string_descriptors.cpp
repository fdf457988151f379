// String descriptors; see the header.
#include "usb/string_descriptors.h"

#include "usb/descriptors.h"

#include <plugfs/bytes.h>
#include <plugfs/unicode.h>

#include <algorithm>
#include <array>

namespace plugfs::usb {
namespace {

constexpr std::uint8_t get_descriptor = 6;  // bRequest, USB 2.0, table 9-4
constexpr std::size_t string_limit = 255;   // bLength is one byte
constexpr std::size_t head_size = 2;
constexpr std::uint16_t english = 0x0409;
constexpr auto one_string = std::chrono::seconds(1);

}  // namespace

std::string utf8_from_utf16le(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    std::u16string units;
    while (reader.remaining() >= 2) {
        units += static_cast<char16_t>(reader.u16le());
    }
    std::string text = utf16_to_utf8(units);
    if (reader.remaining() != 0) {
        append_utf8(text, replacement_character);
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
