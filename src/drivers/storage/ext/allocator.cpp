#include "drivers/storage/ext/allocator.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

// Rows that are looked at for one that is long enough.
constexpr unsigned search_limit = 64;

}  // namespace

// The superblock's own counts may be old: others do not keep them while they write.
void Allocator::sum_up() {
    std::uint64_t blocks = 0;
    std::uint64_t inodes = 0;
    const ext2_filsys fs = library_.fs();
    for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
        blocks += ext2fs_bg_free_blocks_count(fs, group);
        inodes += ext2fs_bg_free_inodes_count(fs, group);
    }
    ext2fs_free_blocks_count_set(fs->super, std::min(blocks, library_.block_count()));
    fs->super->s_free_inodes_count =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(inodes, fs->super->s_inodes_count));
}

void Allocator::forget() {
    loaded_ = false;
    changed_blocks_.clear();
    changed_inodes_.clear();
    sum_up();
}

Result<void> Allocator::load() {
    if (!loaded_) {
        PLUGFS_TRY(library_.result(ext2fs_read_bitmaps(library_.fs()), "ext bitmaps"));
        loaded_ = true;
    }
    return {};
}

std::uint64_t Allocator::available() const {
    auto* const super = library_.fs()->super;
    const std::uint64_t free = ext2fs_free_blocks_count(super);
    const std::uint64_t reserved = ext2fs_r_blocks_count(super);
    return free > reserved ? free - reserved : 0;
}

Result<void> Allocator::check_room(std::uint64_t blocks) {
    PLUGFS_TRY(load());
    return blocks <= available() ? Result<void>() : fail(ENOSPC, "blocks", std::to_string(blocks) + " are needed");
}

// The first free row between the two.
std::optional<BlockRow> Allocator::row_from(std::uint64_t from, std::uint64_t end, std::uint64_t count) {
    const auto map = library_.fs()->block_map;
    blk64_t first = 0;
    if (from >= end || ext2fs_find_first_zero_block_bitmap2(map, from, end - 1, &first) != 0) {
        return std::nullopt;
    }
    const std::uint64_t limit = std::min<std::uint64_t>(end, first + count);
    blk64_t after = 0;
    if (ext2fs_find_first_set_block_bitmap2(map, first, limit - 1, &after) != 0) {
        after = limit;
    }
    return BlockRow{first, after - first};
}

std::optional<BlockRow> Allocator::long_row(std::uint64_t from, std::uint64_t end, std::uint64_t count) {
    std::optional<BlockRow> best;
    for (unsigned i = 0; i < search_limit; ++i) {
        const auto row = row_from(from, end, count);
        if (!row) {
            break;
        }
        if (!best || row->count > best->count) {
            best = row;
        }
        if (row->count == count) {
            break;
        }
        from = row->first + row->count;
    }
    return best;
}

Result<BlockRow> Allocator::take(std::uint64_t goal, std::uint64_t count) {
    PLUGFS_TRY(load());
    const std::uint64_t begin = library_.fs()->super->s_first_data_block;
    const std::uint64_t end = library_.block_count();
    goal = goal > begin && goal < end ? goal : std::clamp(cursor_, begin, end - 1);
    auto row = row_from(goal, end, count);
    if (row && row->first != goal && row->count < count) {
        row = long_row(goal, end, count);
    }
    if (!row) {
        row = long_row(begin, goal, count);
    }
    if (!row) {
        return fail(ENOSPC, "blocks", "there are none");
    }
    if (!library_.usable(row->first, row->count)) {
        return fail(EUCLEAN, "ext block bitmap",
                    "block " + std::to_string(row->first) + " is free, and is one of a table");
    }
    mark(*row, true);
    cursor_ = row->first + row->count;
    return *row;
}

void Allocator::mark(const BlockRow& row, bool used) {
    const ext2_filsys fs = library_.fs();
    ext2fs_block_alloc_stats_range(fs, row.first, static_cast<blk_t>(row.count), used ? 1 : -1);
    for (auto group = ext2fs_group_of_blk2(fs, row.first); group <= ext2fs_group_of_blk2(fs, row.first + row.count - 1);
         ++group) {
        changed_blocks_.insert(group);
    }
}

Result<void> Allocator::give_back(const BlockRow& row) {
    PLUGFS_TRY(load());
    if (row.count == 0) {
        return {};
    }
    blk64_t free = 0;
    if (!library_.usable(row.first, row.count) ||
        ext2fs_find_first_zero_block_bitmap2(library_.fs()->block_map, row.first, row.first + row.count - 1, &free) ==
            0) {
        return fail(EUCLEAN, "ext block bitmap",
                    "block " + std::to_string(row.first) + " or one behind it belongs to a file, and is free");
    }
    mark(row, false);
    return {};
}

Result<InodeNumber> Allocator::take_inode(InodeNumber folder, bool directory) {
    PLUGFS_TRY(load());
    const ext2_filsys fs = library_.fs();
    InodeNumber number = 0;
    const errcode_t code = ext2fs_new_inode(fs, folder, directory ? LINUX_S_IFDIR : LINUX_S_IFREG, nullptr, &number);
    if (code == EXT2_ET_INODE_ALLOC_FAIL) {
        return fail(ENOSPC, "inodes", "there are none");
    }
    PLUGFS_TRY(library_.result(code, "ext inode bitmap"));
    if (number < EXT2_FIRST_INODE(fs->super) || number > fs->super->s_inodes_count) {
        return fail(EUCLEAN, "ext inode bitmap", "inode " + std::to_string(number) + " is free");
    }
    ext2fs_inode_alloc_stats2(fs, number, 1, directory ? 1 : 0);
    changed_inodes_.insert(ext2fs_group_of_ino(fs, number));
    return number;
}

Result<void> Allocator::give_back_inode(InodeNumber number, bool directory) {
    PLUGFS_TRY(load());
    const ext2_filsys fs = library_.fs();
    if (ext2fs_test_inode_bitmap2(fs->inode_map, number) == 0) {
        return fail(EUCLEAN, "ext inode bitmap", "inode " + std::to_string(number) + " is a file's, and free");
    }
    ext2fs_inode_alloc_stats2(fs, number, -1, directory ? 1 : 0);
    changed_inodes_.insert(ext2fs_group_of_ino(fs, number));
    return {};
}

std::uint64_t Allocator::goal_for(InodeNumber number) {
    const ext2_filsys fs = library_.fs();
    return std::max<std::uint64_t>(cursor_, ext2fs_group_first_block2(fs, ext2fs_group_of_ino(fs, number)));
}

// As ext2fs_write_bitmaps() writes all of them.
Result<void> Allocator::write_block_bitmap(dgrp_t group) {
    const ext2_filsys fs = library_.fs();
    const std::uint32_t per_group = fs->super->s_clusters_per_group;
    const std::uint64_t first = ext2fs_group_first_block2(fs, group);
    std::vector<std::byte> bytes(fs->blocksize, std::byte{0xff});
    PLUGFS_TRY(library_.result(ext2fs_get_block_bitmap_range2(fs->block_map, first, per_group, bytes.data()),
                               "ext block bitmap"));
    // What lies past the end counts as used.
    for (std::uint64_t bit = library_.block_count() - first; bit < std::uint64_t{fs->blocksize} * 8; ++bit) {
        bytes[bit / 8] |= static_cast<std::byte>(1U << (bit % 8));
    }
    auto* const raw = reinterpret_cast<char*>(bytes.data());
    PLUGFS_TRY(library_.result(ext2fs_block_bitmap_csum_set(fs, group, raw, static_cast<int>(per_group / 8)),
                               "ext block bitmap"));
    return library_.write_block(ext2fs_block_bitmap_loc(fs, group), bytes);
}

Result<void> Allocator::write_inode_bitmap(dgrp_t group) {
    const ext2_filsys fs = library_.fs();
    const std::uint32_t per_group = fs->super->s_inodes_per_group;
    std::vector<std::byte> bytes(fs->blocksize, std::byte{0xff});
    PLUGFS_TRY(library_.result(
        ext2fs_get_inode_bitmap_range2(fs->inode_map, std::uint64_t{group} * per_group + 1, per_group, bytes.data()),
        "ext inode bitmap"));
    auto* const raw = reinterpret_cast<char*>(bytes.data());
    PLUGFS_TRY(library_.result(ext2fs_inode_bitmap_csum_set(fs, group, raw, static_cast<int>(per_group / 8)),
                               "ext inode bitmap"));
    return library_.write_block(ext2fs_inode_bitmap_loc(fs, group), bytes);
}

Result<void> Allocator::write_out() {
    const ext2_filsys fs = library_.fs();
    std::set<std::uint32_t> tables;
    for (const dgrp_t group : changed_blocks_) {
        PLUGFS_TRY(write_block_bitmap(group));
    }
    for (const dgrp_t group : changed_inodes_) {
        PLUGFS_TRY(write_inode_bitmap(group));
    }
    changed_blocks_.merge(changed_inodes_);
    const std::uint32_t per_table = EXT2_DESC_PER_BLOCK(fs->super);
    for (const dgrp_t group : changed_blocks_) {
        ext2fs_group_desc_csum_set(fs, group);
        tables.insert(group / per_table);
    }
    const auto* const all = reinterpret_cast<const std::byte*>(fs->group_desc);
    for (const std::uint32_t table : tables) {
        const std::uint64_t block = ext2fs_descriptor_block_loc2(fs, fs->super->s_first_data_block, table);
        PLUGFS_TRY(library_.write_block(block, {all + std::size_t{table} * fs->blocksize, fs->blocksize}));
    }
    changed_blocks_.clear();
    changed_inodes_.clear();
    return {};
}

}  // namespace plugfs::storage::ext
