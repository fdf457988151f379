#include "drivers/storage/cluster/folders.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

// A key from its lowest bit: slot, generation, id of the folder.
constexpr unsigned slot_bits = 23;
constexpr unsigned generation_bits = 9;
constexpr unsigned id_bits = 24;
static_assert(slot_bits + generation_bits + id_bits == 56, "keys are less than volume_key_limit");
static_assert(NameIndex::slot_limit == 1U << slot_bits, "each slot has a key");

constexpr Key low_bits(Key key, unsigned bits) {
    return key & ((Key{1} << bits) - 1);
}

std::uint16_t generation(const Folder& folder, std::uint32_t slot) {
    const auto found = folder.generations.find(slot);
    return found == folder.generations.end() ? 0 : found->second;
}

}  // namespace

Folders::Folders(Folder root) {
    root.id = root_id;
    root.parent = root_id;
    root.key = root_key;
    by_key_[root_key] = root_id;
    if (root.content.first_cluster != 0) {
        by_first_cluster_[root.content.first_cluster] = root_id;
    }
    by_id_[root_id] = std::make_unique<Folder>(std::move(root));
}

Folder* Folders::by_id(std::uint32_t id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second.get();
}

Folder* Folders::by_key(Key key) {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : by_id(found->second);
}

Folder* Folders::by_first_cluster(std::uint32_t cluster) {
    const auto found = by_first_cluster_.find(cluster);
    return found == by_first_cluster_.end() ? nullptr : by_id(found->second);
}

Result<Folder*> Folders::add(Key key, const Folder& parent, const Content& content) {
    if (last_id_ + 1 == 1U << id_bits) {
        return fail(ENFILE, "folders", "too many have been opened");
    }
    auto folder = std::make_unique<Folder>();
    folder->id = ++last_id_;
    folder->parent = parent.id;
    folder->key = key;
    folder->content = content;
    Folder* const added = folder.get();
    by_key_[key] = added->id;
    by_first_cluster_[content.first_cluster] = added->id;
    by_id_[added->id] = std::move(folder);
    return added;
}

void Folders::moved(Folder& folder, Key key, const Folder& parent) {
    by_key_.erase(folder.key);
    folder.key = key;
    folder.parent = parent.id;
    by_key_[key] = folder.id;
}

void Folders::removed(Folder& folder) {
    by_key_.erase(folder.key);
    by_first_cluster_.erase(folder.content.first_cluster);
    indexed_.remove(folder.id);
    by_id_.erase(folder.id);
}

bool Folders::within(const Folder& folder, const Folder& other) {
    const Folder* at = &folder;
    while (at != nullptr && at->id != other.id && at->id != root_id) {
        at = by_id(at->parent);
    }
    return at != nullptr && at->id == other.id;
}

Key Folders::key(const Folder& folder, std::uint32_t slot) {
    return (Key{folder.id} << (slot_bits + generation_bits)) | (Key{generation(folder, slot)} << slot_bits) | slot;
}

Result<Folders::Place> Folders::find(Key key) {
    const Key id = key >> (slot_bits + generation_bits);
    Folder* folder = id < Key{1} << id_bits ? by_id(static_cast<std::uint32_t>(id)) : nullptr;
    const auto slot = static_cast<std::uint32_t>(low_bits(key, slot_bits));
    if (folder == nullptr || Folders::key(*folder, slot) != key) {
        return fail(ESTALE, "key", std::to_string(key) + " is of nothing that is there");
    }
    return Place{folder, slot};
}

void Folders::retire(Folder& folder, std::uint32_t slot) {
    auto& generation = folder.generations[slot];
    generation = static_cast<std::uint16_t>(low_bits(Key{generation} + 1, generation_bits));
}

void Folders::index_used(const Folder& folder) {
    if (!indexed_.empty() && indexed_.front() == folder.id) {
        return;
    }
    indexed_.remove(folder.id);
    indexed_.push_front(folder.id);
    std::size_t slots = 0;
    for (auto at = indexed_.begin(); at != indexed_.end();) {
        Folder* const holder = by_id(*at);
        slots += holder->index->slots();
        if (slots > index_limit && at != indexed_.begin()) {
            holder->index.reset();
            at = indexed_.erase(at);
        } else {
            ++at;
        }
    }
}

void Folders::forget_indexes() {
    for (const auto id : indexed_) {
        by_id(id)->index.reset();
    }
    indexed_.clear();
}

}  // namespace plugfs::storage
