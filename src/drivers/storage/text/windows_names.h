// Names that Windows could open, which FAT and exFAT have.
#pragma once

#include <plugfs/result.h>

#include <string>
#include <string_view>

namespace plugfs::storage {

inline constexpr std::size_t windows_name_limit = 255;  // UTF-16 units

// EINVAL, ENAMETOOLONG: it is none. `type` is the file system's, for the detail.
[[nodiscard]] Result<void> check_windows_name(const std::u16string& name, const std::string& type,
                                              std::u16string_view also_forbidden = {});

}  // namespace plugfs::storage
