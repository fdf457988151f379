#include "common/names.h"

#include <plugfs/unicode.h>

#include <algorithm>
#include <cstdint>

namespace plugfs {

namespace {

constexpr std::string_view division_slash = "\xE2\x88\x95";  // U+2215

bool misleading(char32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||  // C0, DEL, C1
           code_point == 0x2028 || code_point == 0x2029 ||                    // line and paragraph separator
           (code_point >= 0x202a && code_point <= 0x202e) ||                  // bidirectional embedding and override
           (code_point >= 0x2066 && code_point <= 0x2069) ||                  // bidirectional isolates
           code_point == 0xfeff;                                              // byte order mark
}

// Where the extension begins (its dot), or the end: short and after a first character, else it is no extension.
std::size_t extension_at(std::string_view name) {
    const auto dot = name.rfind('.');
    const bool short_enough = dot != std::string_view::npos && dot > 0 && name.size() - dot <= 16;
    return short_enough ? dot : name.size();
}

std::string cut_stem(std::string_view name, std::size_t limit, std::string_view addition) {
    const auto dot = extension_at(name);
    const auto extension = name.substr(dot);
    std::size_t length = std::min(dot, limit - extension.size() - addition.size());
    while (length > 0 && length < dot && (static_cast<unsigned char>(name[length]) & 0xc0U) == 0x80) {
        --length;
    }
    std::string out(name.substr(0, length));
    out += addition;
    out += extension;
    return out;
}

}  // namespace

std::string safe_name(std::string_view text, std::string_view fallback) {
    std::string out;
    while (!text.empty() && out.size() < 4 * name_limit) {
        const auto [code_point, length] = decode_utf8(text);
        if (length == 0) {
            append_utf8(out, replacement_character);
        } else if (code_point == '/') {
            out += division_slash;
        } else if (misleading(code_point)) {
            out += '_';
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    if (out.empty()) {
        out = fallback;
    }
    if (out == "." || out == "..") {
        out.insert(0, "_");
    }
    return out.size() > name_limit ? cut_stem(out, name_limit, "") : out;
}

std::string safe_device_name(std::string_view text, std::string_view fallback) {
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) {
        return std::string(fallback);
    }
    std::string name = safe_name(text.substr(first, text.find_last_not_of(blank) - first + 1), fallback);
    if (name.front() == '.') {
        name.front() = '_';
    }
    // Room for the " (2)" of a second device of the same model.
    return name.size() > 100 ? cut_stem(name, 100, "") : name;
}

std::string unique_name(const std::string& name, const std::function<bool(const std::string&)>& taken) {
    std::string candidate = name;
    for (unsigned number = 2; taken(candidate); ++number) {
        candidate = cut_stem(name, name_limit, " (" + std::to_string(number) + ")");
    }
    return candidate;
}

}  // namespace plugfs
