// Names on NTFS, and the keys of entries.
#pragma once

#include "drivers/storage/ntfs/libntfs.h"

#include <plugfs/result.h>
#include <plugfs/tree.h>

#include <string>
#include <string_view>

namespace plugfs::storage::ntfs {

// A name that a new entry may have: UTF-16 of 1 to 255 units, without what Windows does not take (control characters,
// `"*/:<>?\|`, a dot or a blank at the end). EINVAL, ENAMETOOLONG.
[[nodiscard]] Result<std::u16string> new_name(const std::string& name);

// The name in a FILE_NAME attribute; the library has checked its length.
[[nodiscard]] std::u16string name_of(const FILE_NAME_ATTR& name);
// The same characters for the library.
[[nodiscard]] const ntfschar* units(const std::u16string& name);

// Keys: the record in the MFT, how often it has been used anew, and which of its names (hard links) is meant, as a hash
// of the name and its folder. So nothing is remembered of entries, and a key is the same for every process.
class Keys {
  public:
    // `records`: more than the volume can have.
    explicit Keys(std::uint64_t records);

    struct Parts {
        std::uint64_t record = 0;
        std::uint16_t sequence = 0;
        std::uint64_t hash = 0;
    };
    [[nodiscard]] Key make(std::uint64_t record, std::uint16_t sequence, std::uint64_t folder,
                           std::u16string_view name) const;
    [[nodiscard]] Parts split(Key key) const;
    // Of the name `name` in the folder with that record.
    [[nodiscard]] std::uint64_t hash(std::uint64_t folder, std::u16string_view name) const;

  private:
    unsigned record_bits_;
    unsigned hash_bits_;
};

}  // namespace plugfs::storage::ntfs
