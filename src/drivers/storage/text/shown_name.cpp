#include "drivers/storage/text/shown_name.h"

#include "drivers/storage/text/utf16.h"

namespace plugfs::storage {

std::string shown_name(const std::string& name) {
    const bool valid = is_utf8(name);
    std::string out;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        const bool odd = byte < 0x20 || byte == 0x7f || (!valid && byte >= 0x80);
        out += odd ? std::string("\xef\xbf\xbd") : std::string(1, c);
    }
    return out;
}

}  // namespace plugfs::storage
