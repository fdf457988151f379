// Code pages: what the bytes of FAT's short names mean.
#pragma once

#include <array>
#include <optional>

namespace plugfs::storage {

class CodePage {
  public:
    using UpperHalf = std::array<char16_t, 128>;  // the characters 0x80 to 0xff

    // 437 (DOS, and what Windows uses in the US) or 850 (Western Europe). Nothing: not known.
    [[nodiscard]] static std::optional<CodePage> find(unsigned number);

    [[nodiscard]] char16_t to_unicode(unsigned char byte) const { return byte < 0x80 ? byte : (*units_)[byte - 0x80]; }
    // Nothing: the code page does not have it.
    [[nodiscard]] std::optional<unsigned char> from_unicode(char16_t unit) const;

  private:
    explicit CodePage(const UpperHalf& units) : units_(&units) {}

    const UpperHalf* units_;
};

}  // namespace plugfs::storage
