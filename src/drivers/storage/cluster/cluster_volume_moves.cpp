// ClusterVolume: entries that are in two places for a moment; see MoveNote.

#include "drivers/storage/cluster/cluster_volume.h"
#include "drivers/storage/cluster/move_note.h"

#include <algorithm>
#include <array>

namespace plugfs::storage {

// Before `moved` is written, with its key slot's number.
Result<void> ClusterVolume::note_move(const Node& source, const Node& moved) {
    const std::uint64_t offset = format_->note_offset();
    if (offset == 0 || source.content.first_cluster == 0) {
        return {};
    }
    const std::uint32_t cluster_slot = format_->slots_with_key() - 1;  // counted from the key slot
    MoveNote note;
    note.cluster = source.content.first_cluster;
    PLUGFS_ASSIGN(note.new_slot, slots_->offset(*moved.folder, moved.slot + cluster_slot));
    PLUGFS_ASSIGN(const auto old_key, slots_->offset(*source.folder, source.slot));
    note.old_slots.push_back(old_key);
    for (std::uint32_t slot = source.first_slot; slot < source.first_slot + source.slot_count; ++slot) {
        if (slot != source.slot) {
            PLUGFS_ASSIGN(const auto old, slots_->offset(*source.folder, slot));
            note.old_slots.push_back(old);
        }
    }
    const auto parent = format_->parent_slot(moved);
    if (moved.kind == Kind::directory && source.folder != moved.folder && parent) {
        PLUGFS_ASSIGN(const auto place, heap_->locate(source.content, parent->offset));
        note.parent_slot = place ? place->offset : 0;
        note.parent_cluster = parent->cluster;
    }
    PLUGFS_TRY(write_note(device_, offset, note));
    device_.order();
    return {};
}

Result<std::optional<std::uint32_t>> ClusterVolume::cluster_at(std::uint64_t offset) {
    if (offset > device_.size() - slot_size) {
        return std::optional<std::uint32_t>();
    }
    std::array<std::byte, slot_size> slot{};
    PLUGFS_TRY(device_.read(offset, slot, BlockDevice::Use::metadata));
    return format_->cluster_in(slot);
}

// When the volume is opened. A note of a move that was complete says that two slots refer to the same cluster, and they
// do not.
Result<void> ClusterVolume::complete_move() {
    const std::uint64_t offset = format_->note_offset();
    if (offset == 0) {
        return {};
    }
    PLUGFS_ASSIGN(const auto note, read_note(device_, offset));
    const std::size_t cluster_slot = format_->slots_with_key() - 1;
    if (!note || note->old_slots.size() <= cluster_slot || !heap_->table().valid(note->cluster)) {
        return {};
    }
    PLUGFS_ASSIGN(const auto at_old, cluster_at(note->old_slots[cluster_slot]));
    PLUGFS_ASSIGN(const auto at_new, cluster_at(note->new_slot));
    const bool both = at_old == note->cluster && at_new == note->cluster;
    const bool within = std::all_of(note->old_slots.begin(), note->old_slots.end(),
                                    [this](std::uint64_t slot) { return slot <= device_.size() - slot_size; });
    if (!both || !within || note->new_slot == note->old_slots[cluster_slot]) {
        return {};
    }
    std::array<std::byte, slot_size> slot{};
    if (note->parent_slot != 0 && note->parent_slot <= device_.size() - slot_size) {
        PLUGFS_TRY(device_.read(note->parent_slot, slot, BlockDevice::Use::metadata));
        format_->put_parent(slot, note->parent_cluster);
        PLUGFS_TRY(device_.write(note->parent_slot, slot, BlockDevice::Use::metadata));
    }
    for (const auto old : note->old_slots) {  // the key slot first
        PLUGFS_TRY(device_.read(old, slot, BlockDevice::Use::metadata));
        format_->free_slot(slot);
        PLUGFS_TRY(device_.write(old, slot, BlockDevice::Use::metadata));
        device_.order();
    }
    health_.report(LogLevel::info, "a move that was interrupted has been completed");
    return device_.commit();
}

}  // namespace plugfs::storage
