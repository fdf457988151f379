// Folders: what is known of the folders that have been opened, and the keys of what is in them.
//
// A key is the number of the folder, the slot of the entry in it, and how often that slot has been given away anew: so
// nothing has to be remembered of an entry, and a key never comes to mean another one. Of folders something is
// remembered, so that keys stay good when a folder moves.
#pragma once

#include "drivers/storage/cluster/chains.h"
#include "drivers/storage/cluster/name_index.h"
#include "drivers/storage/volume.h"

#include <list>
#include <memory>
#include <unordered_map>

namespace plugfs::storage {

struct Folder {
    std::uint32_t id = 0;
    std::uint32_t parent = 0;  // id; the root is its own
    Key key = root_key;
    Content content;
    // The root folder of FAT12 and FAT16 has a place of its own instead of clusters.
    std::uint64_t fixed_offset = 0;  // on the device; 0: it has clusters
    std::uint32_t fixed_slots = 0;
    std::unordered_map<std::uint32_t, std::uint16_t> generations;  // of slots given away anew
    std::unique_ptr<NameIndex> index;
};

class Folders {
  public:
    explicit Folders(Folder root);

    [[nodiscard]] Folder& root() { return *by_id_.at(root_id); }
    [[nodiscard]] Folder* by_id(std::uint32_t id);
    [[nodiscard]] Folder* by_key(Key key);
    [[nodiscard]] Folder* by_first_cluster(std::uint32_t cluster);
    // ENFILE: too many have been opened since the volume was.
    [[nodiscard]] Result<Folder*> add(Key key, const Folder& parent, const Content& content);
    void moved(Folder& folder, Key key, const Folder& parent);
    void removed(Folder& folder);
    // Whether `folder` is `other` or lies in it.
    [[nodiscard]] bool within(const Folder& folder, const Folder& other);

    [[nodiscard]] static Key key(const Folder& folder, std::uint32_t slot);
    struct Place {
        Folder* folder = nullptr;
        std::uint32_t slot = 0;
    };
    // ESTALE: no such folder, or the slot has been given away.
    [[nodiscard]] Result<Place> find(Key key);
    // What was in the slot has gone: its key is good no more.
    static void retire(Folder& folder, std::uint32_t slot);

    // Says that the folder's index has been used; those used longest ago are dropped when all are too large.
    void index_used(const Folder& folder);
    void forget_indexes();

  private:
    static constexpr std::uint32_t root_id = 1;
    static constexpr std::size_t index_limit = 4U << 20U;  // slots in all indexes; the last used one always stays

    std::unordered_map<std::uint32_t, std::unique_ptr<Folder>> by_id_;
    std::unordered_map<Key, std::uint32_t> by_key_;
    std::unordered_map<std::uint32_t, std::uint32_t> by_first_cluster_;
    std::list<std::uint32_t> indexed_;  // ids, the last used first
    std::uint32_t last_id_ = root_id;
};

}  // namespace plugfs::storage
