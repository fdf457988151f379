#include "drivers/storage/cluster/folder_slots.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::uint32_t slots_in_piece = 512;

}  // namespace

Result<std::uint32_t> FolderSlots::count(const Folder& folder) {
    if (folder.fixed_offset != 0) {
        return folder.fixed_slots;
    }
    const std::uint32_t cluster_slots = heap_.layout().cluster_size / static_cast<std::uint32_t>(slot_size);
    const std::uint32_t most = std::max(limit_ / cluster_slots, 1U);
    PLUGFS_ASSIGN(const auto more, heap_.chains().at(folder.content, most));
    if (more) {
        return fail(EUCLEAN, "folder", "it has more than " + std::to_string(limit_) + " slots");
    }
    PLUGFS_ASSIGN(const std::uint32_t clusters, heap_.chains().length(folder.content));
    return std::min(clusters * cluster_slots, limit_);
}

Result<ClusterHeap::Place> FolderSlots::place(const Folder& folder, std::uint32_t slot) {
    const std::uint64_t offset = std::uint64_t{slot} * slot_size;
    const auto past_end = fail(EUCLEAN, "folder", "it ends before slot " + std::to_string(slot));
    if (folder.fixed_offset != 0) {
        return slot < folder.fixed_slots
                   ? Result<ClusterHeap::Place>(ClusterHeap::Place{
                         folder.fixed_offset + offset, std::uint64_t{folder.fixed_slots - slot} * slot_size})
                   : past_end;
    }
    PLUGFS_ASSIGN(const auto found, heap_.locate(folder.content, offset));
    return found ? Result<ClusterHeap::Place>(*found) : past_end;
}

Result<void> FolderSlots::read(const Folder& folder, std::uint32_t first, std::span<std::byte> out) {
    while (!out.empty()) {
        PLUGFS_ASSIGN(const auto at, place(folder, first));
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), at.length));
        PLUGFS_TRY(device_.read(at.offset, out.first(length), BlockDevice::Use::metadata));
        out = out.subspan(length);
        first += static_cast<std::uint32_t>(length / slot_size);
    }
    return {};
}

Result<void> FolderSlots::write(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                BlockDevice::Rank rank) {
    while (!slots.empty()) {
        PLUGFS_ASSIGN(const auto at, place(folder, first));
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(slots.size(), at.length));
        PLUGFS_TRY(device_.write_ranked(at.offset, slots.first(length), BlockDevice::Use::metadata, rank));
        slots = slots.subspan(length);
        first += static_cast<std::uint32_t>(length / slot_size);
    }
    return {};
}

Result<void> FolderSlots::write_last(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                     std::uint32_t last) {
    const auto end = first + static_cast<std::uint32_t>(slots.size() / slot_size);
    if (!together(first, end - 1)) {
        PLUGFS_TRY(write_others(folder, first, slots, last));
        device_.order();
    }
    return write_unit(BlockDevice::Rank::entry, folder, first, slots, last);
}

Result<void> FolderSlots::write_ahead(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                      std::uint32_t ahead) {
    const auto end = first + static_cast<std::uint32_t>(slots.size() / slot_size);
    PLUGFS_TRY(write_unit(BlockDevice::Rank::content, folder, first, slots, ahead));
    if (together(first, end - 1)) {
        return {};
    }
    device_.order();
    return write_others(folder, first, slots, ahead);
}

// Of the slots, those that lie in the unit of slot `of`.
Result<void> FolderSlots::write_unit(BlockDevice::Rank rank, const Folder& folder, std::uint32_t first,
                                     std::span<const std::byte> slots, std::uint32_t of) {
    const auto end = first + static_cast<std::uint32_t>(slots.size() / slot_size);
    const std::uint32_t from = std::max(first, of - of % per_unit_);
    const std::uint32_t to = std::min(end, of - of % per_unit_ + per_unit_);
    return write(folder, from, slots.subspan((from - first) * slot_size, (to - from) * slot_size), rank);
}

Result<void> FolderSlots::write_others(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                       std::uint32_t but) {
    const auto end = first + static_cast<std::uint32_t>(slots.size() / slot_size);
    for (std::uint32_t slot = first; slot < end; slot = slot - slot % per_unit_ + per_unit_) {
        if (!together(slot, but)) {
            PLUGFS_TRY(write_unit(BlockDevice::Rank::content, folder, first, slots, slot));
        }
    }
    return {};
}

Result<bool> FolderSlots::same_unit(const Folder& a, std::uint32_t slot_a, const Folder& b, std::uint32_t slot_b) {
    PLUGFS_ASSIGN(const auto place_a, place(a, slot_a - slot_a % per_unit_));
    PLUGFS_ASSIGN(const auto place_b, place(b, slot_b - slot_b % per_unit_));
    return place_a.offset == place_b.offset;
}

Result<std::optional<std::span<const std::byte>>> SlotReader::next() {
    using Slot = std::optional<std::span<const std::byte>>;
    if (!count_) {
        PLUGFS_ASSIGN(count_, slots_.count(folder_));
    }
    if (next_ >= *count_) {
        return Slot();
    }
    if (piece_.empty() || next_ < piece_at_ || next_ >= piece_at_ + piece_.size() / slot_size) {
        piece_at_ = next_;
        piece_.resize(std::min(slots_in_piece - next_ % slots_in_piece, *count_ - next_) * slot_size);
        PLUGFS_TRY(slots_.read(folder_, next_, piece_));
    }
    const std::size_t at = (next_ - piece_at_) * slot_size;
    ++next_;
    return Slot(std::span<const std::byte>(piece_).subspan(at, slot_size));
}

}  // namespace plugfs::storage
