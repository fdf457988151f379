// FolderSlots: a folder as numbered slots, directory entries of 32 bytes, wherever they lie.
#pragma once

#include "drivers/storage/cluster/cluster_heap.h"
#include "drivers/storage/cluster/folders.h"

namespace plugfs::storage {

inline constexpr std::size_t slot_size = 32;

class FolderSlots {
  public:
    // `limit`: slots that a folder may have. `unit`: bytes that reach the medium whole.
    FolderSlots(BlockDevice& device, ClusterHeap& heap, std::uint32_t limit, std::uint32_t unit)
        : device_(device), heap_(heap), limit_(limit), per_unit_(unit / static_cast<std::uint32_t>(slot_size)) {}

    [[nodiscard]] std::uint32_t limit() const { return limit_; }
    [[nodiscard]] std::uint32_t per_unit() const { return per_unit_; }
    // How many the folder has room for. EUCLEAN: more than it may have.
    [[nodiscard]] Result<std::uint32_t> count(const Folder& folder);

    // Whole slots. EUCLEAN: past the end of the folder.
    [[nodiscard]] Result<void> read(const Folder& folder, std::uint32_t first, std::span<std::byte> out);
    [[nodiscard]] Result<void> write(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                     BlockDevice::Rank rank = BlockDevice::Rank::content);
    // As entries, and the unit of slot `last` reaches the medium after the others.
    [[nodiscard]] Result<void> write_last(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                          std::uint32_t last);
    // So that the unit of slot `ahead` reaches it before the others.
    [[nodiscard]] Result<void> write_ahead(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                           std::uint32_t ahead);
    // Where it lies on the device.
    [[nodiscard]] Result<std::uint64_t> offset(const Folder& folder, std::uint32_t slot) {
        PLUGFS_ASSIGN(const auto found, place(folder, slot));
        return found.offset;
    }
    [[nodiscard]] bool together(std::uint32_t a, std::uint32_t b) const { return a / per_unit_ == b / per_unit_; }
    // Those in both places reach the medium together.
    [[nodiscard]] Result<bool> same_unit(const Folder& a, std::uint32_t slot_a, const Folder& b, std::uint32_t slot_b);

  private:
    [[nodiscard]] Result<ClusterHeap::Place> place(const Folder& folder, std::uint32_t slot);
    [[nodiscard]] Result<void> write_others(const Folder& folder, std::uint32_t first, std::span<const std::byte> slots,
                                            std::uint32_t but);
    [[nodiscard]] Result<void> write_unit(BlockDevice::Rank rank, const Folder& folder, std::uint32_t first,
                                          std::span<const std::byte> slots, std::uint32_t of);

    BlockDevice& device_;
    ClusterHeap& heap_;
    std::uint32_t limit_;
    std::uint32_t per_unit_;
};

// Reads a folder's slots one after the other, in large pieces.
class SlotReader {
  public:
    SlotReader(FolderSlots& slots, const Folder& folder, std::uint32_t from)
        : slots_(slots), folder_(folder), next_(from) {}

    // The number of the slot that next() gives.
    [[nodiscard]] std::uint32_t position() const { return next_; }
    // Goes on with another slot.
    void seek(std::uint32_t slot) { next_ = slot; }
    // Valid until the next call; nothing: the folder has no more room.
    [[nodiscard]] Result<std::optional<std::span<const std::byte>>> next();

  private:
    FolderSlots& slots_;
    const Folder& folder_;
    std::uint32_t next_;
    std::vector<std::byte> piece_;
    std::uint32_t piece_at_ = 0;
    std::optional<std::uint32_t> count_;
};

}  // namespace plugfs::storage
