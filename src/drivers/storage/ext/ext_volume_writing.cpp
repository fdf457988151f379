// ExtVolume: what is in a file changes.
//
// New blocks are filled before the inode says that the file has them: nobody gets to see what lay there before. Where
// nothing was written, a file has no blocks (a hole).

#include "drivers/storage/ext/ext_volume.h"

#include <algorithm>

namespace plugfs::storage::ext {

Result<void> ExtVolume::write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_write(file, offset, bytes));
}

Result<void> ExtVolume::resize(Key file, std::uint64_t size) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_resize(file, size));
}

// Of the blocks from `first` to `last`: those that the file has and that are not written, and new ones where it has
// none.
Result<std::vector<Run>> ExtVolume::take_missing(const BlockMap& map, InodeNumber number, std::uint64_t first,
                                                 std::uint64_t last) {
    std::vector<Run> out;
    const Run before = first == 0 ? Run{} : map.at(first - 1);
    std::uint64_t goal = before.physical == 0 ? allocator_.goal_for(number) : before.physical + 1;
    for (std::uint64_t at = first; at <= last;) {
        const Run run = map.at(at);
        const std::uint64_t count = std::min(run.count, last - at + 1);
        if (run.physical != 0) {
            if (run.unwritten) {
                out.push_back({at, run.physical, count, false});
            }
            goal = run.physical + count;
            at += count;
            continue;
        }
        for (const std::uint64_t end = at + count; at < end;) {
            PLUGFS_ASSIGN(const BlockRow row, allocator_.take(goal, end - at));
            out.push_back({at, row.first, row.count, false});
            at += row.count;
            goal = row.first + row.count;
        }
    }
    return out;
}

// Each part of the bytes to where it belongs: to the file's blocks, or to those in `added`, which are filled.
Result<void> ExtVolume::write_data(const BlockMap& map, std::span<const Run> added, std::uint64_t offset,
                                   std::span<const std::byte> bytes) {
    const std::uint64_t size = library_->block_size();
    const std::uint64_t end = offset + bytes.size();
    for (const Run& run : added) {
        const std::uint64_t from = run.logical * size;
        const std::uint64_t to = run.end() * size;
        const std::uint64_t first = std::max(from, offset);
        const auto part = bytes.subspan(first - offset, std::min(to, end) - first);
        if (part.size() == to - from) {
            PLUGFS_TRY(device().write(run.physical * size, part, BlockDevice::Use::data));
            continue;
        }
        std::vector<std::byte> whole(to - from);
        std::copy(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(first - from));
        PLUGFS_TRY(device().write(run.physical * size, whole, BlockDevice::Use::data));
    }
    for (std::uint64_t at = offset; at < end;) {
        const Run run = map.at(at / size);
        const std::uint64_t blocks = std::min(run.count, (end - 1) / size - at / size + 1);
        const std::uint64_t to = std::min(end, (at / size + blocks) * size);
        if (run.physical != 0 && !run.unwritten) {
            PLUGFS_TRY(device().write(run.physical * size + at % size, bytes.subspan(at - offset, to - at),
                                      BlockDevice::Use::data));
        }
        at = to;
    }
    return {};
}

// In the block that the file ends in, behind its end: others may have left something there.
Result<void> ExtVolume::zero_behind(const BlockMap& map, std::uint64_t size) {
    const std::uint64_t block_size = library_->block_size();
    const std::uint64_t within = size % block_size;
    const Run run = map.at(size / block_size);
    if (within == 0 || run.physical == 0 || run.unwritten) {
        return {};
    }
    const std::vector<std::byte> zeroes(block_size - within);
    return device().write(run.physical * block_size + within, zeroes, BlockDevice::Use::data);
}

Result<void> ExtVolume::apply(const MapChange& change, InodeNumber number, const Inode& inode, Order order) {
    const auto write_linked = [&]() -> Result<void> {
        for (const MapBlock& block : change.linked) {
            PLUGFS_TRY(library_->write_block(block.block, block.bytes));
        }
        return {};
    };
    for (const MapBlock& block : change.fresh) {
        PLUGFS_TRY(library_->write_block(block.block, block.bytes));
    }
    PLUGFS_TRY(allocator_.write_out());
    device().order();
    if (order == Order::inode_last && !change.linked.empty()) {
        PLUGFS_TRY(write_linked());
        device().order();
    }
    PLUGFS_TRY(library_->store(number, inode));
    if (order == Order::inode_first && !change.linked.empty()) {
        device().order();
        PLUGFS_TRY(write_linked());
    }
    if (change.freed.empty()) {
        return {};
    }
    device().order();
    for (const BlockRow& row : change.freed) {
        PLUGFS_TRY(allocator_.give_back(row));
    }
    return allocator_.write_out();
}

// Files of 2 GiB and more are something that a volume says it has.
Result<void> ExtVolume::allow_large(std::uint64_t size) {
    auto* const super = library_->fs()->super;
    if (size <= INT32_MAX || ext2fs_has_feature_large_file(super) != 0) {
        return {};
    }
    ext2fs_set_feature_large_file(super);
    PLUGFS_TRY(library_->store_super_block());
    device().order();
    return {};
}

Result<void> ExtVolume::do_write(Key key, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_ASSIGN(Node file, file_to_change(key));
    if (bytes.empty()) {
        return {};
    }
    const std::uint64_t limit = file_limit(file.inode);
    if (offset > limit || bytes.size() > limit - offset) {
        return fail(EFBIG, "file", "it can have " + std::to_string(limit) + " bytes at most");
    }
    PLUGFS_ASSIGN(BlockMap * known, map(file.number, file.inode));
    const std::uint64_t block_size = library_->block_size();
    const std::uint64_t end = offset + bytes.size();
    const std::uint64_t first = offset / block_size;
    const std::uint64_t last = (end - 1) / block_size;
    std::uint64_t missing = 0;
    for (std::uint64_t at = first; at <= last; at += std::min(known->at(at).count, last - at + 1)) {
        const Run run = known->at(at);
        missing += run.physical == 0 ? std::min(run.count, last - at + 1) : 0;
    }
    PLUGFS_TRY(allocator_.check_room(missing == 0 ? 0 : missing + known->nodes_for(missing, library_->block_size())));
    PLUGFS_TRY(begin());
    const std::uint64_t old_size = EXT2_I_SIZE(&file.inode);
    PLUGFS_TRY(allow_large(std::max(old_size, end)));
    if (offset > old_size) {
        PLUGFS_TRY(zero_behind(*known, old_size));
    }
    PLUGFS_ASSIGN(const auto added, take_missing(*known, file.number, first, last));
    PLUGFS_TRY(write_data(*known, added, offset, bytes));
    MapChange change;
    if (!added.empty()) {
        PLUGFS_ASSIGN(change, known->add(*library_, allocator_, file.number, file.inode, added));
    }
    set_times(file.inode, now());
    if (added.empty() && end <= old_size) {
        return library_->store(file.number, file.inode);
    }
    PLUGFS_TRY(library_->result(ext2fs_inode_size_set(library_->fs(), reinterpret_cast<ext2_inode*>(&file.inode),
                                                      static_cast<ext2_off64_t>(std::max(old_size, end))),
                                "ext inode"));
    return apply(change, file.number, file.inode, Order::inode_last);
}

Result<void> ExtVolume::do_resize(Key key, std::uint64_t size) {
    PLUGFS_ASSIGN(Node file, file_to_change(key));
    const std::uint64_t old_size = EXT2_I_SIZE(&file.inode);
    if (size == old_size) {
        return {};
    }
    const std::uint64_t limit = file_limit(file.inode);
    if (size > limit) {
        return fail(EFBIG, "file", "it can have " + std::to_string(limit) + " bytes at most");
    }
    if (size < old_size) {
        return shorten(file, size);
    }
    PLUGFS_ASSIGN(const BlockMap* known, map(file.number, file.inode));
    PLUGFS_TRY(begin());
    PLUGFS_TRY(allow_large(size));
    PLUGFS_TRY(zero_behind(*known, old_size));
    device().order();
    set_times(file.inode, now());
    PLUGFS_TRY(library_->result(ext2fs_inode_size_set(library_->fs(), reinterpret_cast<ext2_inode*>(&file.inode),
                                                      static_cast<ext2_off64_t>(size)),
                                "ext inode"));
    return library_->store(file.number, file.inode);
}

Result<void> ExtVolume::shorten(Node& node, std::uint64_t size) {
    PLUGFS_ASSIGN(BlockMap * known, map(node.number, node.inode));
    PLUGFS_TRY(allocator_.check_room(0));
    PLUGFS_TRY(begin());
    const std::uint64_t block_size = library_->block_size();
    PLUGFS_ASSIGN(const MapChange change,
                  known->cut(*library_, allocator_, node.number, node.inode, (size + block_size - 1) / block_size));
    set_times(node.inode, now());
    PLUGFS_TRY(library_->result(ext2fs_inode_size_set(library_->fs(), reinterpret_cast<ext2_inode*>(&node.inode),
                                                      static_cast<ext2_off64_t>(size)),
                                "ext inode"));
    PLUGFS_TRY(apply(change, node.number, node.inode, Order::inode_first));
    device().order();
    return zero_behind(*known, size);
}

}  // namespace plugfs::storage::ext
