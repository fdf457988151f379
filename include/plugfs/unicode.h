// UTF-8 (RFC 3629) and UTF-16 (RFC 2781): devices have names and texts in the one, users see them in the other. What is
// decoded comes from outside: whatever is there, nothing is read past the end.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace plugfs {

// For what is no character.
inline constexpr char32_t replacement_character = 0xfffd;

[[nodiscard]] constexpr bool is_high_surrogate(char32_t unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}
[[nodiscard]] constexpr bool is_low_surrogate(char32_t unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

// A character, and how many bytes or units it takes.
struct Decoded {
    char32_t code_point = 0;
    std::size_t length = 0;
};

// The character at the start of `text`, which is not empty. Length 0: there is none (no first byte, cut off, too long a
// form, half a surrogate pair, above U+10FFFF).
[[nodiscard]] constexpr Decoded decode_utf8(std::string_view text) {
    const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return {first, 1};
    }
    const std::size_t length = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return {};
    }
    char32_t code_point = first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) {
            return {};
        }
        code_point = (code_point << 6U) | (byte(i) & 0x3fU);
    }
    constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = is_high_surrogate(code_point) || is_low_surrogate(code_point);
    return code_point < least[length] || surrogate || code_point > 0x10ffff ? Decoded{} : Decoded{code_point, length};
}

// The same for UTF-16. Length 0: half a surrogate pair.
[[nodiscard]] constexpr Decoded decode_utf16(std::u16string_view text) {
    const char32_t unit = text[0];
    if (is_high_surrogate(unit) && text.size() > 1 && is_low_surrogate(text[1])) {
        return {0x10000 + ((unit - 0xd800) << 10U) + (text[1] - 0xdc00U), 2};
    }
    return is_high_surrogate(unit) || is_low_surrogate(unit) ? Decoded{} : Decoded{unit, 1};
}

[[nodiscard]] constexpr bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = decode_utf8(text).length;
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

inline void append_utf8(std::string& out, char32_t code_point) {
    const auto byte = [&out](char32_t value) { out += static_cast<char>(static_cast<unsigned char>(value)); };
    if (code_point < 0x80) {
        byte(code_point);
        return;
    }
    if (code_point < 0x800) {
        byte(0xc0U | (code_point >> 6U));
    } else {
        if (code_point < 0x10000) {
            byte(0xe0U | (code_point >> 12U));
        } else {
            byte(0xf0U | (code_point >> 18U));
            byte(0x80U | ((code_point >> 12U) & 0x3fU));
        }
        byte(0x80U | ((code_point >> 6U) & 0x3fU));
    }
    byte(0x80U | (code_point & 0x3fU));
}

// Half a surrogate pair becomes U+FFFD; `damaged`, if given, is set when there was any.
[[nodiscard]] inline std::string utf16_to_utf8(std::u16string_view text, bool* damaged = nullptr) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto [code_point, length] = decode_utf16(text);
        if (length == 0 && damaged != nullptr) {
            *damaged = true;
        }
        append_utf8(out, length != 0 ? code_point : replacement_character);
        text.remove_prefix(length != 0 ? length : 1);
    }
    return out;
}

// Nothing: `text` is no UTF-8.
[[nodiscard]] inline std::optional<std::u16string> utf8_to_utf16(std::string_view text) {
    std::u16string out;
    while (!text.empty()) {
        const auto [code_point, length] = decode_utf8(text);
        if (length == 0) {
            return std::nullopt;
        }
        if (code_point >= 0x10000) {
            out += static_cast<char16_t>(0xd800 + ((code_point - 0x10000) >> 10U));
            out += static_cast<char16_t>(0xdc00 + ((code_point - 0x10000) & 0x3ffU));
        } else {
            out += static_cast<char16_t>(code_point);
        }
        text.remove_prefix(length);
    }
    return out;
}

}  // namespace plugfs
