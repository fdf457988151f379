// StickLibrary: the music on a stick: what its files' tags say, and whether there is any, which decides whether tracks/
// and playlists/ are shown.
//
// Nothing says of a stick that it has music but the names of its files. They are seen when somebody lists a folder; and
// in between, when nobody waits, look() goes through the folders by itself until it finds one, or has seen all (or
// enough). Tags are read when the kit asks for them: when somebody looks into tracks/, or at a file's attributes.
#pragma once

#include "drivers/storage/volume.h"
#include "library/tag_attributes.h"

#include <plugfs/deadline.h>
#include <plugfs/player.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::storage {

// A volume as the rest of the driver shows it.
struct ServedVolume {
    unsigned number = 0;  // in keys
    Volume* volume = nullptr;
    std::uint64_t identity = 0;  // the same for every process
    std::string folder;          // in storage/
};

class StickLibrary {
  public:
    struct Access {
        std::function<std::vector<ServedVolume>()> volumes;
        // As Driver::read(), and what it is to be taken for is seen to.
        std::function<Result<std::size_t>(Key, std::uint64_t, std::span<std::byte>)> read;
        // Music has been found, for the first time.
        std::function<void()> found;
    };

    // `host` must outlive it.
    StickLibrary(Host& host, Access access);

    [[nodiscard]] Attributes& attributes() { return attributes_; }
    [[nodiscard]] bool music() const { return memory_.music(); }

    // An entry has been seen.
    void saw(const Entry& entry);
    // A file is being written to, moved or removed, or has just been made.
    void changed(const ServedVolume& volume, Key within);
    // Other media than before: nothing that was known holds.
    void media_changed();
    // Goes on looking for music. False: there is nothing left to look at.
    bool look(Deadline deadline);

  private:
    static constexpr std::size_t folder_limit = 20'000;
    static constexpr std::size_t entry_limit = 200'000;

    struct Folder {
        unsigned volume = 0;
        Key key = 0;
        std::uint64_t cursor = 0;
    };
    Result<library::TagAttributes::File> find(Key key);
    void look_into(const ServedVolume& volume, Folder& folder);

    Host& host_;
    Access access_;
    library::TagMemory memory_;
    library::TagAttributes attributes_;
    bool began_ = false;
    std::deque<Folder> folders_;
    std::size_t seen_ = 0;  // entries
};

}  // namespace plugfs::storage
