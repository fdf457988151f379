// Names on FAT, exFAT and NTFS are UTF-16; everywhere else in plugfs they are UTF-8 (plugfs/unicode.h).
#pragma once

#include <plugfs/unicode.h>

#include <string>
#include <string_view>

namespace plugfs::storage {

// Valid UTF-8. What cannot be in a file name (half a surrogate pair, control characters, '/') becomes U+FFFD; `odd`, if
// given, is set when there was any.
[[nodiscard]] std::string to_utf8(std::u16string_view text, bool* odd = nullptr);

}  // namespace plugfs::storage
