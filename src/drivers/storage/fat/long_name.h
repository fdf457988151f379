// LongName: a long name as it is put together from the slots in front of a short one. Microsoft FAT specification
// (2005) 7.
#pragma once

#include "drivers/storage/fat/short_names.h"

#include <span>
#include <vector>

namespace plugfs::storage::fat {

inline constexpr std::uint8_t attribute_directory = 0x10;
inline constexpr std::uint8_t attribute_long_name = 0x0f;
inline constexpr std::size_t name_limit = 255;  // UTF-16 units
inline constexpr std::size_t units_in_slot = 13;
inline constexpr std::uint8_t last_part = 0x40;  // the mark of the part that comes first on the medium

class LongName {
  public:
    void reset() { parts_ = 0; }
    // The next slot with attribute_long_name. What does not fit to what came before is forgotten: parts whose short
    // name has been removed by somebody who does not know long names are common.
    void add(std::span<const std::byte> slot);
    // What came before a slot with this short name, if it belongs to it.
    [[nodiscard]] std::optional<std::u16string> complete(const ShortName& name) const;
    [[nodiscard]] std::uint32_t parts() const { return parts_; }

    // The slots for `name`, as they lie on the medium.
    [[nodiscard]] static std::vector<std::byte> encode(const std::u16string& name, std::uint8_t checksum);

  private:
    std::uint32_t parts_ = 0;  // 0: none has begun
    std::uint32_t next_ = 0;   // the part that must come now; 0: all are there
    std::uint8_t checksum_ = 0;
    std::u16string units_;
};

}  // namespace plugfs::storage::fat
