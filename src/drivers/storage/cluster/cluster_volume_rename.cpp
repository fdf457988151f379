// ClusterVolume: entries get a new name, a new place, or another entry's.
//
// What lies in one unit of the medium (a sector) is written at once, so the new entry goes beside the old one if there
// is room. Otherwise the new one is written first, and the old one removed behind a barrier.

#include "drivers/storage/cluster/cluster_volume.h"
#include "drivers/storage/text/utf16.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

// Files up to this size are copied when their entry cannot be moved at once.
constexpr std::uint64_t copy_limit = std::uint64_t{1} << 20U;

}  // namespace

Result<Entry> ClusterVolume::rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_rename(entry, folder, name, replaced));
}

Result<Entry> ClusterVolume::do_rename(Key key, Key target_key, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_ASSIGN(Node source, node(key, true));
    PLUGFS_ASSIGN(Folder * target, folder(target_key));
    const Folder* moving = source.kind == Kind::directory ? folders_.by_key(key) : nullptr;
    if (moving != nullptr && folders_.within(*target, *moving)) {
        return fail(EINVAL, "rename", "a folder cannot be moved into itself");
    }
    if (replaced) {
        PLUGFS_ASSIGN(Node victim, node(*replaced, true));
        return replace(source, victim);
    }
    PLUGFS_ASSIGN(const auto units, check_name(name));
    PLUGFS_TRY(load_index(*target));
    PLUGFS_ASSIGN(const auto taken, find(*target, units));
    if (taken && (taken->folder != source.folder || taken->slot != source.slot)) {
        return fail(EEXIST, "name", quoted(name) + " is " + quoted(taken->shown_name));
    }
    PLUGFS_TRY(begin());
    return move(source, *target, units);
}

Result<Entry> ClusterVolume::move(Node& source, Folder& target, const std::u16string& name) {
    Node moved = source;
    moved.folder = &target;
    moved.name = name;
    bool done = false;
    if (source.folder == &target) {
        index_names(source, false);
        auto beside = move_beside(source, moved);
        if (!beside || !*beside) {
            index_names(source, true);
        }
        PLUGFS_ASSIGN(done, std::move(beside));
    }
    Folder* const own =
        source.kind == Kind::directory ? folders_.by_key(Folders::key(*source.folder, source.slot)) : nullptr;
    if (!done) {
        PLUGFS_TRY(move_away(source, moved));
    } else if (moved.slot != source.slot) {
        Folders::retire(target, source.slot);
    }
    if (own != nullptr) {
        folders_.moved(*own, Folders::key(target, moved.slot), target);
    }
    PLUGFS_ASSIGN(const Node stored, format_->at(target, moved.slot, true));
    return entry(stored);
}

// To another unit: the new entry first, with clusters of its own if they are few.
Result<void> ClusterVolume::move_away(const Node& source, Node& moved) {
    Folder& target = *moved.folder;
    PLUGFS_ASSIGN(const Slots sized, format_->encode(moved, *target.index));
    PLUGFS_ASSIGN(const std::uint32_t first, reserve(target, moved.slot_count));
    PLUGFS_ASSIGN(const bool copied, copy(source, moved.content));
    PLUGFS_ASSIGN(const Slots slots, format_->encode(moved, *target.index));
    if (!copied) {
        moved.slot = first + format_->key_slot(moved.slot_count);
        PLUGFS_TRY(note_move(source, moved));
    }
    PLUGFS_TRY(insert(moved, slots, first));
    if (source.kind == Kind::directory && source.folder != &target) {
        device_.order();  // the note tells what it leads up to only while both entries are there
        PLUGFS_TRY(format_->folder_moved(moved));
    }
    device_.order();
    PLUGFS_TRY(erase(source));
    return copied ? drop_copied(source) : Result<void>();
}

// Gives a small file's bytes to clusters of their own, so that its entry can move without two entries that have the
// same clusters at any moment. False: it is large, or there is no room; or it has no clusters at all.
Result<bool> ClusterVolume::copy(const Node& source, Content& content) {
    if (source.kind != Kind::file || source.size == 0 || source.size > copy_limit) {
        return false;
    }
    auto own = heap_->extend({}, heap_->clusters_for(source.size), false);
    if (!own) {
        return own.error().code == ENOSPC ? Result<bool>(false) : Result<bool>(own.error());
    }
    std::vector<std::byte> bytes(source.valid);
    PLUGFS_TRY(heap_->read(source.content, 0, bytes, BlockDevice::Use::data));
    PLUGFS_TRY(heap_->write(*own, 0, bytes, BlockDevice::Use::data));
    device_.order();
    content = *own;
    return true;
}

// After copy(), when the old entry has gone.
Result<void> ClusterVolume::drop_copied(const Node& source) {
    PLUGFS_ASSIGN(const auto runs, heap_->chains().runs(source.content, 0));
    device_.order();
    return heap_->cut(source.content, 0, runs);
}

// The unit of `source`'s key slot with what is to change in it; written at once.
Result<ClusterVolume::Unit> ClusterVolume::unit_without(const Node& source) {
    Unit unit;
    unit.first = source.slot - source.slot % slots_->per_unit();
    PLUGFS_ASSIGN(const std::uint32_t count, slots_->count(*source.folder));
    unit.slots.resize(std::min(slots_->per_unit(), count - unit.first) * slot_size);
    PLUGFS_TRY(slots_->read(*source.folder, unit.first, unit.slots));
    for (std::uint32_t slot = source.first_slot; slot < source.first_slot + source.slot_count; ++slot) {
        if (unit.has(slot)) {
            format_->free_slot(unit.at(slot));
        }
    }
    return unit;
}

// Those slots of the entry that lie in other units than its key slot.
Result<void> ClusterVolume::erase_rest(const Node& source) {
    for (std::uint32_t slot = source.first_slot; slot < source.first_slot + source.slot_count; ++slot) {
        if (slots_->together(slot, source.slot)) {
            continue;
        }
        Slots bytes(slot_size);
        PLUGFS_TRY(slots_->read(*source.folder, slot, bytes));
        format_->free_slot(bytes);
        PLUGFS_TRY(slots_->write(*source.folder, slot, bytes));
    }
    return {};
}

// A new name in the same unit, its own old slots included, which the index has as free. False: there is no room.
Result<bool> ClusterVolume::move_beside(const Node& source, Node& moved) {
    NameIndex& index = *source.folder->index;
    PLUGFS_ASSIGN(const Slots slots, format_->encode(moved, index));
    const auto first = index.find_free_beside(source.slot, moved.slot_count);
    if (!first) {
        return false;
    }
    const std::uint32_t end = index.end();
    if (*first + moved.slot_count > end) {
        PLUGFS_TRY(end_at(*source.folder, *first + moved.slot_count));
    }
    PLUGFS_ASSIGN(Unit unit, unit_without(source));
    for (std::uint32_t slot = end; slot < *first; ++slot) {
        format_->free_slot(unit.at(slot));
    }
    std::copy(slots.begin(), slots.end(), unit.at(*first).begin());
    PLUGFS_TRY(slots_->write(*source.folder, unit.first, unit.slots));
    index.set_end(std::max(end, *first + moved.slot_count));
    moved.first_slot = *first;
    moved.slot = *first + format_->key_slot(moved.slot_count);
    index_names(moved, true);
    device_.order();
    PLUGFS_TRY(erase_rest(source));
    return true;
}

Result<Entry> ClusterVolume::replace(Node& source, Node& target) {
    if (source.folder == target.folder && source.slot == target.slot) {
        return entry(target);
    }
    if (source.kind != target.kind) {
        return fail(target.kind == Kind::directory ? EISDIR : ENOTDIR, "rename", "a file and a folder");
    }
    Folder* victim = nullptr;
    Folder* own = nullptr;
    if (target.kind == Kind::directory) {
        PLUGFS_ASSIGN(victim, folder(Folders::key(*target.folder, target.slot)));
        PLUGFS_TRY(check_empty(*victim));
        own = folders_.by_key(Folders::key(*source.folder, source.slot));
    }
    PLUGFS_ASSIGN(const auto runs, heap_->chains().runs(target.content, 0));
    Node result = target;
    result.content = source.content;
    result.size = source.size;
    result.valid = source.valid;
    result.modified = source.modified;
    format_->take_over(result, source);
    PLUGFS_TRY(begin());
    PLUGFS_TRY(switch_over(source, result));
    Folders::retire(*target.folder, target.slot);
    device_.order();
    if (victim != nullptr) {
        folders_.removed(*victim);
    }
    if (own != nullptr) {
        folders_.moved(*own, Folders::key(*result.folder, result.slot), *result.folder);
    }
    PLUGFS_TRY(heap_->cut(target.content, 0, runs));
    return entry(result);
}

// `result`'s entry gets what `source` has, and `source` goes.
Result<void> ClusterVolume::switch_over(const Node& source, Node& result) {
    const Slots update = format_->update(result);
    const auto last = result.slot + static_cast<std::uint32_t>(update.size() / slot_size) - 1;
    if (source.folder == result.folder && slots_->together(source.slot, result.slot) &&
        slots_->together(result.slot, last)) {
        PLUGFS_ASSIGN(Unit unit, unit_without(source));
        std::copy(update.begin(), update.end(), unit.at(result.slot).begin());
        PLUGFS_TRY(slots_->write(*source.folder, unit.first, unit.slots));
        device_.order();
        PLUGFS_TRY(erase_rest(source));
        index_names(source, false);
        Folders::retire(*source.folder, source.slot);
        return {};
    }
    PLUGFS_ASSIGN(const bool copied, copy(source, result.content));
    if (!copied) {
        PLUGFS_TRY(note_move(source, result));
    }
    PLUGFS_TRY(slots_->write(*result.folder, result.slot, format_->update(result)));
    if (source.kind == Kind::directory && source.folder != result.folder) {
        device_.order();  // see move_away()
        PLUGFS_TRY(format_->folder_moved(result));
    }
    device_.order();
    PLUGFS_TRY(erase(source));
    return copied ? drop_copied(source) : Result<void>();
}

}  // namespace plugfs::storage
