// Names on FAT and exFAT are UTF-16; everywhere else in plugfs they are UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace plugfs::storage {

// Nothing: `text` is not valid UTF-8 (RFC 3629).
[[nodiscard]] std::optional<std::u16string> to_utf16(std::string_view text);
// Valid UTF-8. What cannot be in a file name (half a surrogate pair, control characters, '/') becomes U+FFFD; `odd`, if
// given, is set when there was any.
[[nodiscard]] std::string to_utf8(std::u16string_view text, bool* odd = nullptr);

}  // namespace plugfs::storage
