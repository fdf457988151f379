#include "drivers/storage/fat/short_names.h"

#include "drivers/storage/text/upcase.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace plugfs::storage::fat {

namespace {

constexpr std::size_t base_length = 8;
constexpr std::size_t extension_length = 3;
constexpr unsigned numbers = 4;  // NAME~1 to NAME~4; then names from a hash, so that a full folder stays quick
constexpr unsigned hashes = 4096;

bool is_lower(char16_t unit) {
    return unit >= 'a' && unit <= 'z';
}
bool is_upper(char16_t unit) {
    return unit >= 'A' && unit <= 'Z';
}

// Of ASCII, what can be in a short name once it is upper case.
bool allowed(char16_t unit) {
    constexpr std::u16string_view special = u"$%'-_@~`!(){}^#&";
    return is_upper(unit) || (unit >= '0' && unit <= '9') || special.find(unit) != std::u16string_view::npos;
}

struct Parts {
    std::u16string base;
    std::u16string extension;
};

Parts split(const std::u16string& name) {
    const auto dot = name.rfind(u'.');
    if (dot == std::u16string::npos || dot == 0) {
        return {name, {}};
    }
    return {name.substr(0, dot), name.substr(dot + 1)};
}

ShortName join(const std::string& base, const std::string& extension) {
    ShortName out;
    out.fill(' ');
    std::copy_n(base.begin(), std::min(base.size(), base_length), out.begin());
    std::copy_n(extension.begin(), std::min(extension.size(), extension_length), out.begin() + base_length);
    if (out[0] == 0xe5) {  // would be an entry that is not used
        out[0] = 0x05;
    }
    return out;
}

// Upper case; nothing: a character cannot be there, or both cases are.
std::optional<std::string> exact_part(const std::u16string& part, bool& lower) {
    std::string out;
    bool upper = false;
    for (const char16_t unit : part) {
        lower = lower || is_lower(unit);
        upper = upper || is_upper(unit);
        const char16_t big = is_lower(unit) ? static_cast<char16_t>(unit - 'a' + 'A') : unit;
        if (!allowed(big)) {
            return std::nullopt;
        }
        out += static_cast<char>(big);
    }
    return lower && upper ? std::nullopt : std::optional(out);
}

// What the code page has of it; spaces and dots go, everything else becomes '_'.
std::string lossy_part(const std::u16string& part, const CodePage& page, std::size_t limit) {
    std::string out;
    for (const char16_t unit : part) {
        if (unit == ' ' || unit == '.') {
            continue;
        }
        if (out.size() == limit) {
            break;
        }
        const char16_t big = UpcaseTable::standard().upper(unit);
        const auto byte = page.from_unicode(big);
        out += static_cast<char>(byte && (big >= 0x80 || allowed(big)) ? *byte : '_');
    }
    return out;
}

}  // namespace

std::u16string show(const ShortName& name, std::uint8_t case_bits, const CodePage& page) {
    const auto part = [&](std::size_t from, std::size_t length, bool lower) {
        std::u16string out;
        for (std::size_t i = from; i < from + length; ++i) {
            const unsigned char byte = i == 0 && name[0] == 0x05 ? 0xe5 : name[i];
            const char16_t unit = page.to_unicode(byte);
            out += lower && is_upper(unit) ? static_cast<char16_t>(unit - 'A' + 'a') : unit;
        }
        out.erase(out.find_last_not_of(u' ') + 1);
        return out;
    };
    std::u16string out = part(0, base_length, (case_bits & lower_base) != 0);
    const auto extension = part(base_length, extension_length, (case_bits & lower_extension) != 0);
    return extension.empty() ? out : out + u'.' + extension;
}

std::optional<ExactName> exact_short_name(const std::u16string& name) {
    const Parts parts = split(name);
    if (parts.base.empty() || parts.base.size() > base_length || parts.extension.size() > extension_length) {
        return std::nullopt;
    }
    bool small_base = false;
    bool small_extension = false;
    const auto base = exact_part(parts.base, small_base);
    const auto extension = exact_part(parts.extension, small_extension);
    if (!base || !extension) {
        return std::nullopt;
    }
    const unsigned bits = (small_base ? lower_base : 0U) | (small_extension ? lower_extension : 0U);
    return ExactName{join(*base, *extension), static_cast<std::uint8_t>(bits)};
}

std::optional<ShortName> short_name_for(const std::u16string& name, const CodePage& page,
                                        const std::function<bool(const ShortName&)>& taken) {
    const Parts parts = split(name);
    std::string base = lossy_part(parts.base, page, base_length);
    const std::string extension = lossy_part(parts.extension, page, extension_length);
    if (base.empty()) {
        base = "_";
    }
    for (unsigned number = 1; number <= numbers; ++number) {
        const auto candidate = join(base.substr(0, base_length - 2) + '~' + std::to_string(number), extension);
        if (!taken(candidate)) {
            return candidate;
        }
    }
    const std::uint64_t hash = UpcaseTable::standard().hash(name);
    for (unsigned attempt = 0; attempt < hashes; ++attempt) {
        std::array<char, 5> digits{};
        const auto value = static_cast<unsigned>((hash >> 16U) + attempt * 0x9e37U) & 0xffffU;
        std::snprintf(digits.data(), digits.size(), "%04X", value);
        const auto candidate =
            join(base.substr(0, 2) + digits.data() + '~' + std::to_string(1 + attempt % 9), extension);
        if (!taken(candidate)) {
            return candidate;
        }
    }
    return std::nullopt;
}

std::uint8_t checksum(const ShortName& name) {
    unsigned sum = 0;
    for (const unsigned char byte : name) {
        sum = (((sum & 1U) << 7U) + (sum >> 1U) + byte) & 0xffU;
    }
    return static_cast<std::uint8_t>(sum);
}

}  // namespace plugfs::storage::fat
