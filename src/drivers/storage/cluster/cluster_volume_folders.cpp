// ClusterVolume: entries in their folder: where there is room, and how they get there.

#include "drivers/storage/cluster/cluster_volume.h"

namespace plugfs::storage {

Result<void> ClusterVolume::load_index(Folder& folder) {
    if (folder.index != nullptr) {
        folders_.index_used(folder);
        return {};
    }
    PLUGFS_ASSIGN(const std::uint32_t count, slots_->count(folder));
    auto index = std::make_unique<NameIndex>(count, slots_->per_unit());
    SlotReader reader(*slots_, folder, 0);
    while (true) {
        PLUGFS_ASSIGN(const auto step, format_->next(folder, reader));
        if (step.end) {
            index->set_end(step.end_slot);
            break;
        }
        if (!step.node) {
            continue;
        }
        if (step.node->state == Node::State::broken || !step.node->damage.empty()) {
            return fail(EUCLEAN, "folder", step.node->damage);
        }
        index->mark(step.node->first_slot, step.node->slot_count, true);
        if (step.node->state == Node::State::good) {
            for (const auto hash : format_->hashes(*step.node)) {
                index->add_name(hash, step.node->slot);
            }
        }
    }
    folder.index = std::move(index);
    folders_.index_used(folder);
    return {};
}

void ClusterVolume::index_names(const Node& node, bool add) {
    NameIndex* const index = node.folder->index.get();
    if (index == nullptr) {
        return;
    }
    for (const auto hash : format_->hashes(node)) {
        if (add) {
            index->add_name(hash, node.slot);
        } else {
            index->remove_name(hash, node.slot);
        }
    }
    index->mark(node.first_slot, node.slot_count, add);
}

Result<std::optional<Node>> ClusterVolume::find(Folder& folder, const std::u16string& name) {
    std::optional<Node> found;
    Result<void> result;
    folder.index->find_name(format_->hash(name), [&](std::uint32_t slot) {
        auto node = format_->at(folder, slot, true);
        if (!node) {
            result = node.error();
        } else if (format_->is_named(*node, name)) {
            found = std::move(*node);
        }
        return found || !result;
    });
    PLUGFS_TRY(result);
    return found;
}

// Free slots in a row; nothing is written to them yet, but they can be.
Result<std::uint32_t> ClusterVolume::reserve(Folder& folder, std::uint32_t count) {
    const std::uint32_t with_key = format_->slots_with_key();
    // Growing by clusters of one unit may take as many steps as the set has slots.
    for (unsigned attempt = 0; attempt <= NameIndex::set_limit; ++attempt) {
        const auto first = folder.index->find_free(count, with_key);
        if (first) {
            PLUGFS_TRY(use_end(folder, *first, count));
            return *first;
        }
        PLUGFS_TRY(grow(folder));
    }
    return fail(ENOSPC, "folder", "there is no room for the entry");
}

// Slots from `first` on are about to be used: if they lie past the end of the folder, the end moves behind them.
Result<void> ClusterVolume::use_end(Folder& folder, std::uint32_t first, std::uint32_t count) {
    const std::uint32_t end = folder.index->end();
    if (first + count <= end) {
        return {};
    }
    PLUGFS_TRY(end_at(folder, first + count));
    if (first > end) {  // what is skipped is not the end any more
        PLUGFS_TRY(end_at(folder, first));
        Slots skipped((first - end) * slot_size);
        for (std::size_t i = 0; i < skipped.size(); i += slot_size) {
            format_->free_slot(std::span(skipped).subspan(i, slot_size));
        }
        PLUGFS_TRY(slots_->write(folder, end, skipped));
        device_.order();
    }
    folder.index->set_end(first + count);
    return {};
}

// Some who format volumes leave old bytes behind the end of a folder.
Result<void> ClusterVolume::end_at(const Folder& folder, std::uint32_t slot) {
    if (slot >= folder.index->slots()) {
        return {};
    }
    Slots bytes(slot_size);
    PLUGFS_TRY(slots_->read(folder, slot, bytes));
    if (bytes[0] != std::byte{}) {
        PLUGFS_TRY(slots_->write(folder, slot, Slots(slot_size)));
        device_.order();
    }
    return {};
}

Result<void> ClusterVolume::grow(Folder& folder) {
    const std::uint32_t old_slots = folder.index->slots();
    if (folder.fixed_offset != 0 || old_slots >= slots_->limit()) {
        return fail(ENOSPC, "folder", "it has " + std::to_string(old_slots) + " slots, and cannot have more");
    }
    PLUGFS_ASSIGN(const Content content, heap_->extend(folder.content, 1, true));
    device_.order();
    if (format_->knows_folder_length() && &folder != &folders_.root()) {
        PLUGFS_ASSIGN(Node own, node(folder.key, false));
        own.content = content;
        own.size = std::uint64_t{content.clusters.value_or(0)} * heap_->layout().cluster_size;
        own.valid = own.size;
        PLUGFS_TRY(store(own, BlockDevice::Rank::content));
        device_.order();
    }
    folder.content = content;
    PLUGFS_ASSIGN(const std::uint32_t count, slots_->count(folder));
    folder.index->grow(count);
    return {};
}

Result<void> ClusterVolume::insert(Node& node, const Slots& slots, std::uint32_t first) {
    node.first_slot = first;
    node.slot = first + format_->key_slot(node.slot_count);
    PLUGFS_TRY(slots_->write_last(*node.folder, first, slots, node.slot));
    index_names(node, true);
    return {};
}

Result<void> ClusterVolume::erase(const Node& node) {
    Slots bytes(node.slot_count * slot_size);
    PLUGFS_TRY(slots_->read(*node.folder, node.first_slot, bytes));
    for (std::size_t i = 0; i < bytes.size(); i += slot_size) {
        format_->free_slot(std::span(bytes).subspan(i, slot_size));
    }
    PLUGFS_TRY(slots_->write_ahead(*node.folder, node.first_slot, bytes, node.slot));
    index_names(node, false);
    Folders::retire(*node.folder, node.slot);
    return {};
}

}  // namespace plugfs::storage
