#include "drivers/storage/text/utf16.h"

#include <algorithm>

namespace plugfs::storage {

std::string to_utf8(std::u16string_view text, bool* odd) {
    std::string out;
    while (!text.empty()) {
        const auto [code_point, length] = decode_utf16(text);
        const bool fits = length != 0 && code_point >= 0x20 && code_point != '/';
        if (!fits && odd != nullptr) {
            *odd = true;
        }
        append_utf8(out, fits ? code_point : replacement_character);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

}  // namespace plugfs::storage
