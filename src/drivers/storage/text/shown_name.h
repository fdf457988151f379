// Names of file systems that keep bytes, as UTF-8.
#pragma once

#include <string>

namespace plugfs::storage {

// `name` itself if it is UTF-8 without control characters. Otherwise each byte that is none, or of which nobody knows
// what it is, becomes U+FFFD.
[[nodiscard]] std::string shown_name(const std::string& name);

}  // namespace plugfs::storage
