// NtfsVolume: how what an operation has staged takes effect.
//
//   file data, and a note of all the rest - barrier - the rest, to where it belongs - commit
//
// That the volume is being changed is a change like the others, the first one.

#include "drivers/storage/ntfs/ntfs_volume.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

namespace {

// Written in one go at most.
constexpr std::size_t noted_again = 64;  // blocks
constexpr std::size_t piece_limit = std::size_t{1} << 20U;

bool lies_in(const std::vector<Range>& parts, std::uint64_t offset, std::uint64_t length) {
    const auto after = std::upper_bound(parts.begin(), parts.end(), offset,
                                        [](std::uint64_t at, const Range& part) { return at < part.offset; });
    return after != parts.begin() && offset + length <= std::prev(after)->offset + std::prev(after)->length;
}

}  // namespace

// An operation that has failed has not happened: neither in memory nor on the medium.
Error NtfsVolume::failed(const Error& error) {
    const Error kept = error;
    // What did reach the block layer is mended as after a power cut.
    if (std::exchange(writing_, false)) {
        const auto mended = notes_->recover(true);
        if (!mended || *mended == RedoNotes::Found::stale) {
            health_.damaged("a change could not be written whole: " + kept.text());
        }
    }
    if (std::exchange(changing_, false)) {
        if (const auto again = library_->reopen(); !again) {
            health_.damaged(again.error().stage + ": " + again.error().detail);
        } else if (free_clusters_) {
            library_->volume()->free_clusters = *free_clusters_;
            NVolSetFreeSpaceKnown(library_->volume());
        }
    }
    return health_.seen(kept);
}

Result<void> NtfsVolume::begin() {
    ++changes_;
    // From here on the library keeps count; it does not like to begin with nothing.
    PLUGFS_TRY(space());
    changing_ = true;
    free_clusters_ = library_->volume()->free_clusters;
    return marked_ ? Result<void>() : mark(true);
}

Result<void> NtfsVolume::mark(bool being_changed) {
    ntfs_volume* const volume = library_->volume();
    library_->begin();
    const le16 flags = being_changed ? volume->flags | VOLUME_IS_DIRTY : volume->flags & ~VOLUME_IS_DIRTY;
    if (ntfs_volume_write_flags(volume, flags) != 0) {
        return library_->error("NTFS $Volume");
    }
    PLUGFS_TRY(conclude());
    marked_ = being_changed;
    return {};
}

Result<void> NtfsVolume::conclude(const DataParts& data) {
    PLUGFS_TRY(library_->write_out());
    StagedDevice::Blocks content;
    StagedDevice::Blocks again;  // content, where the last operation has put some, too
    StagedDevice::Blocks rest;
    std::vector<std::byte> before(device().block_size());
    for (const auto& [offset, bytes] : library_->staged().blocks()) {
        if (lies_in(data, offset, bytes.size()) && !notes_->recent(offset)) {
            (notes_->recent_data(offset) ? again : content).emplace(offset, bytes);
            continue;
        }
        PLUGFS_TRY(device().read(offset, before, BlockDevice::Use::metadata));
        if (bytes != before) {
            rest.emplace(offset, bytes);
        }
    }
    if (!content.empty() || !again.empty() || !rest.empty()) {
        writing_ = true;
        if (again.size() > noted_again) {
            PLUGFS_TRY(notes_->add_separator());
            device().order();
            content.merge(again);
        } else {
            rest.merge(again);
        }
        PLUGFS_TRY(bring_out(content, rest));
        writing_ = false;
    }
    library_->staged().drop();
    return {};
}

Result<void> NtfsVolume::bring_out(const StagedDevice::Blocks& data, const StagedDevice::Blocks& rest) {
    PLUGFS_TRY(write_blocks(data, BlockDevice::Use::data));
    if (notes_->fits(rest, data)) {
        PLUGFS_TRY(notes_->add(rest, data));
    } else {
        // What was noted before must not be done again after it.
        PLUGFS_TRY(notes_->erase());
    }
    device().order();
    PLUGFS_TRY(write_blocks(rest, BlockDevice::Use::metadata));
    return device().commit();
}

Result<void> NtfsVolume::write_blocks(const StagedDevice::Blocks& blocks, BlockDevice::Use use) {
    std::vector<std::byte> piece;
    std::uint64_t first = 0;
    for (const auto& [offset, bytes] : blocks) {
        if (!piece.empty() && (offset != first + piece.size() || piece.size() >= piece_limit)) {
            PLUGFS_TRY(device().write(first, piece, use));
            piece.clear();
        }
        if (piece.empty()) {
            first = offset;
        }
        piece.insert(piece.end(), bytes.begin(), bytes.end());
    }
    return piece.empty() ? Result<void>() : device().write(first, piece, use);
}

Result<void> NtfsVolume::settle() {
    if (!device().writable()) {
        return {};
    }
    if (marked_ && health_.writable()) {
        PLUGFS_TRY(device().flush());
        changing_ = true;
        PLUGFS_TRY(changed(mark(false)));
        device().order();
        PLUGFS_TRY(notes_->erase());
        PLUGFS_TRY(device().commit());
    }
    return device().flush();
}

}  // namespace plugfs::storage::ntfs
