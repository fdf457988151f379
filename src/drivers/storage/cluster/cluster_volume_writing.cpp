// ClusterVolume: what is in a file changes.
//
// New clusters are written and linked before the entry says that the file is so long: what it says is never a lie, and
// nobody gets to see what lay there before.

#include "drivers/storage/cluster/cluster_volume.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

// How much of a file grows at a time where it has to be filled with zeroes.
constexpr std::uint64_t fill_step = std::uint64_t{8} << 20U;

}  // namespace

Result<void> ClusterVolume::write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_write(file, offset, bytes));
}

Result<void> ClusterVolume::resize(Key file, std::uint64_t size) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_resize(file, size));
}

Result<void> ClusterVolume::do_write(Key key, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_ASSIGN(Node file, file_to_change(key));
    if (bytes.empty()) {
        return {};
    }
    if (offset > format_->file_limit() || bytes.size() > format_->file_limit() - offset) {
        return fail(EFBIG, "file", "it can have " + std::to_string(format_->file_limit()) + " bytes at most");
    }
    PLUGFS_TRY(check_room(file, std::max(file.size, offset + bytes.size())));
    PLUGFS_TRY(begin_adding());
    PLUGFS_TRY(fill(file, offset));
    return put(file, offset, bytes);
}

// Before anything is done: whether there is room for all of it, if that is known.
Result<void> ClusterVolume::check_room(const Node& node, std::uint64_t size) {
    const auto free = heap_->allocator().free_count();
    const std::uint64_t cluster_size = heap_->layout().cluster_size;
    const std::uint64_t needed = size / cluster_size + (size % cluster_size != 0 ? 1 : 0);
    if (needed > heap_->table().cluster_count()) {
        return fail(ENOSPC, "clusters", "the file would be larger than the volume");
    }
    PLUGFS_ASSIGN(const std::uint32_t have, heap_->chains().length(node.content));
    return free && needed > have && needed - have > *free
               ? fail(ENOSPC, "clusters", std::to_string(needed - have) + " more are needed")
               : Result<void>();
}

// The file has clusters for `size` bytes.
Result<void> ClusterVolume::lengthen(Node& node, std::uint64_t size) {
    PLUGFS_ASSIGN(const std::uint32_t have, heap_->chains().length(node.content));
    const std::uint32_t needed = heap_->clusters_for(size);
    if (needed > have) {
        PLUGFS_ASSIGN(node.content, heap_->extend(node.content, needed - have, false));
    }
    return {};
}

// Writes at or before the end of what is valid.
Result<void> ClusterVolume::put(Node& node, std::uint64_t offset, std::span<const std::byte> bytes) {
    const std::uint64_t end = offset + bytes.size();
    PLUGFS_TRY(lengthen(node, std::max(node.size, end)));
    PLUGFS_TRY(heap_->write(node.content, offset, bytes, BlockDevice::Use::data));
    node.size = std::max(node.size, end);
    node.valid = std::max(node.valid, end);
    node.modified = now();
    return store(node, BlockDevice::Rank::entry);
}

// Zeroes up to `size`, in steps that are complete in themselves.
Result<void> ClusterVolume::fill(Node& node, std::uint64_t size) {
    while (node.valid < size) {
        const std::uint64_t to = std::min(size, node.valid - node.valid % fill_step + fill_step);
        PLUGFS_TRY(lengthen(node, std::max(node.size, to)));
        PLUGFS_TRY(heap_->zero(node.content, node.valid, to, BlockDevice::Use::data));
        node.valid = to;
        node.size = std::max(node.size, to);
        node.modified = now();
        PLUGFS_TRY(store(node, BlockDevice::Rank::entry));
        if (node.valid < size) {
            PLUGFS_TRY(device_.commit());
        }
    }
    return {};
}

Result<void> ClusterVolume::do_resize(Key key, std::uint64_t size) {
    PLUGFS_ASSIGN(Node file, file_to_change(key));
    if (size == file.size) {
        return {};
    }
    if (size > format_->file_limit()) {
        return fail(EFBIG, "file", "it can have " + std::to_string(format_->file_limit()) + " bytes at most");
    }
    PLUGFS_TRY(check_room(file, size));
    if (size < file.size) {
        return shorten(file, size);
    }
    PLUGFS_TRY(begin());
    if (format_->knows_valid_length()) {
        PLUGFS_TRY(lengthen(file, size));
        file.size = size;
        file.modified = now();
        return store(file, BlockDevice::Rank::entry);
    }
    const std::uint64_t old_size = file.size;
    auto filled = fill(file, size);
    if (!filled && filled.error().code == ENOSPC && file.size > old_size) {
        PLUGFS_TRY(shorten(file, old_size));
    }
    return filled;
}

Result<void> ClusterVolume::shorten(Node& node, std::uint64_t size) {
    const std::uint32_t keep = heap_->clusters_for(size);
    PLUGFS_ASSIGN(const auto runs, heap_->chains().runs(node.content, keep));
    PLUGFS_TRY(begin());
    const Content old = node.content;
    node.size = size;
    node.valid = std::min(node.valid, size);
    node.modified = now();
    if (keep == 0) {
        node.content = {};
    } else if (node.content.clusters) {
        node.content.clusters = keep;
    }
    PLUGFS_TRY(store(node, BlockDevice::Rank::content));
    device_.order();
    return heap_->cut(old, keep, runs);
}

}  // namespace plugfs::storage
