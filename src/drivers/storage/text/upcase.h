// How names are compared: FAT and exFAT keep case and ignore it, by a table from each UTF-16 unit to its upper case.
// exFAT has the table on the medium; for FAT, it is Unicode's simple mapping.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::storage {

class UpcaseTable {
  public:
    static const UpcaseTable& standard();
    // `units`: the upper case of 0, 1, 2, ...; what is not given stays as it is.
    explicit UpcaseTable(std::vector<char16_t> units);

    [[nodiscard]] char16_t upper(char16_t unit) const { return unit < units_.size() ? units_[unit] : unit; }
    [[nodiscard]] std::u16string upper(std::u16string_view text) const;
    [[nodiscard]] bool same(std::u16string_view a, std::u16string_view b) const;
    // Equal for names that are the same.
    [[nodiscard]] std::uint64_t hash(std::u16string_view name) const;

  private:
    std::vector<char16_t> units_;
};

}  // namespace plugfs::storage
