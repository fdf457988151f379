// PathFinder: entries of a volume by their paths, as others write them: with '/' between the names, and in another
// case, perhaps, than they have on the medium. What it has listed it remembers: it is made for one task, and let go.
#pragma once

#include "drivers/storage/volume.h"

#include <map>
#include <string>
#include <string_view>

namespace plugfs::storage {

class PathFinder {
  public:
    static constexpr std::size_t entry_limit = 200'000;  // that are remembered; then it begins anew
    static constexpr std::size_t folder_limit = 70'000;  // entries of one folder that are looked at
    static constexpr std::size_t depth_limit = 64;

    struct Found {
        Entry entry;
        std::string path;  // as it is on the medium
    };

    // `volume` must outlive it.
    explicit PathFinder(Volume& volume) : volume_(volume) {}

    // "" is the root. ENOENT: there is none. The volume's errors.
    [[nodiscard]] Result<Found> find(std::string_view path);
    // All that is in a folder, by names. EFBIG: more than folder_limit.
    using Entries = std::multimap<std::string, Entry>;  // names in lower case, as far as they are ASCII
    [[nodiscard]] Result<const Entries*> list(Key folder);

  private:
    Volume& volume_;
    std::map<Key, Entries> known_;
    std::size_t count_ = 0;
};

// Letters of ASCII made small.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace plugfs::storage
