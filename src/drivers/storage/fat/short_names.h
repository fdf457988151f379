// Short names: eight bytes and three, upper case, in a code page; each entry has one, also beside a long name.
// Microsoft FAT specification (2005) 6.1 and 7.
#pragma once

#include "drivers/storage/text/code_pages.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

namespace plugfs::storage::fat {

using ShortName = std::array<unsigned char, 11>;

// Bits of the byte at 12 of an entry: the base, or the extension, is to be shown in lower case (Windows NT).
inline constexpr std::uint8_t lower_base = 0x08;
inline constexpr std::uint8_t lower_extension = 0x10;

// As it is shown: "README.TXT"; empty if it is all blank.
[[nodiscard]] std::u16string show(const ShortName& name, std::uint8_t case_bits, const CodePage& page);

struct ExactName {
    ShortName name;
    std::uint8_t case_bits = 0;
};
// The short name that says all of `name`; nothing: it needs a long one. ASCII only, so that it does not depend on the
// code page of who reads it.
[[nodiscard]] std::optional<ExactName> exact_short_name(const std::u16string& name);

// A short name to go with the long one, NAME~1.TXT; nothing: all that were tried are taken.
[[nodiscard]] std::optional<ShortName> short_name_for(const std::u16string& name, const CodePage& page,
                                                      const std::function<bool(const ShortName&)>& taken);

// What the parts of the long name carry to show that they belong to this short name.
[[nodiscard]] std::uint8_t checksum(const ShortName& name);

}  // namespace plugfs::storage::fat
