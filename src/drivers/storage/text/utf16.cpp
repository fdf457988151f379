#include "drivers/storage/text/utf16.h"

#include <cstdint>

namespace plugfs::storage {

namespace {

constexpr char32_t replacement = 0xfffd;

bool high_surrogate(char32_t unit) {
    return unit >= 0xd800 && unit < 0xdc00;
}
bool low_surrogate(char32_t unit) {
    return unit >= 0xdc00 && unit < 0xe000;
}

// The length of the sequence that begins `text`; 0: it is none.
std::size_t decode(std::string_view text, char32_t& code_point) {
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) {
        code_point = first;
        return 1;
    }
    const std::size_t length = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return 0;
    }
    code_point = first & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0U) != 0x80) {
            return 0;
        }
        code_point = (code_point << 6U) | (next & 0x3fU);
    }
    constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = high_surrogate(code_point) || low_surrogate(code_point);
    return code_point < least[length] || surrogate || code_point > 0x10ffff ? 0 : length;
}

void append(std::string& out, char32_t code_point) {
    const auto byte = [&out](char32_t value) { out += static_cast<char>(value); };
    if (code_point < 0x80) {
        byte(code_point);
        return;
    }
    if (code_point < 0x800) {
        byte(0xc0 | (code_point >> 6U));
    } else {
        if (code_point < 0x10000) {
            byte(0xe0 | (code_point >> 12U));
        } else {
            byte(0xf0 | (code_point >> 18U));
            byte(0x80 | ((code_point >> 12U) & 0x3fU));
        }
        byte(0x80 | ((code_point >> 6U) & 0x3fU));
    }
    byte(0x80 | (code_point & 0x3fU));
}

}  // namespace

std::optional<std::u16string> to_utf16(std::string_view text) {
    std::u16string out;
    while (!text.empty()) {
        char32_t code_point = 0;
        const std::size_t length = decode(text, code_point);
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

std::string to_utf8(std::u16string_view text, bool* odd) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char32_t code_point = text[i];
        if (high_surrogate(code_point) && i + 1 < text.size() && low_surrogate(text[i + 1])) {
            code_point = 0x10000 + ((code_point - 0xd800) << 10U) + (text[i + 1] - 0xdc00U);
            ++i;
        } else if (high_surrogate(code_point) || low_surrogate(code_point) || code_point < 0x20 || code_point == '/') {
            code_point = replacement;
            if (odd != nullptr) {
                *odd = true;
            }
        }
        append(out, code_point);
    }
    return out;
}

}  // namespace plugfs::storage
