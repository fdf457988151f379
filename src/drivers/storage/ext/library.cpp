#include "drivers/storage/ext/library.h"

#include "drivers/storage/ext/super_block_seal.h"

#include <algorithm>
#include <array>
#include <bit>

namespace plugfs::storage::ext {

static_assert(std::endian::native == std::endian::little, "structures of the medium are used as they are");

Result<std::unique_ptr<Library>> Library::open(BlockDevice& device, bool writable, bool trusting) {
    [[maybe_unused]] static const bool named = [] {
        initialize_ext2_error_table();  // for error_message()
        return true;
    }();
    std::unique_ptr<Library> library(new Library(device, writable, trusting));
    PLUGFS_TRY(library->reopen());
    return library;
}

Library::~Library() {
    if (fs_ != nullptr) {
        ext2fs_free(fs_);  // writes nothing
    }
}

Result<void> Library::reopen() {
    if (fs_ != nullptr) {
        ext2fs_free(fs_);
        fs_ = nullptr;
    }
    const int flags =
        EXT2_FLAG_64BITS | (writable_ ? EXT2_FLAG_RW : 0) | (trusting_ ? EXT2_FLAG_IGNORE_CSUM_ERRORS : 0);
    PLUGFS_TRY(result(open_filesystem(channel_, flags, fs_), "ext superblock"));
    return check_groups();
}

Error Library::error(errcode_t code, const char* stage, const std::string& detail) {
    if (channel_.failure) {
        const Error failure = std::move(*channel_.failure);
        channel_.failure.reset();
        // Where something lies past the end of the medium, it is what is on it that is wrong.
        return failure.code == EINVAL ? fail(EUCLEAN, stage, failure.detail) : failure;
    }
    const std::string what = (detail.empty() ? "" : detail + ": ") + error_message(code);
    return fail(code == ENOMEM || code == EXT2_ET_NO_MEMORY ? ENOMEM : EUCLEAN, stage, what);
}

void Library::add_zone(std::uint64_t block, std::uint64_t count) {
    if (!zones_.empty() && zones_.back().end == block) {
        zones_.back().end += count;
    } else {
        zones_.push_back({block, block + count});
    }
}

// The library believes what the group descriptors say.
Result<void> Library::check_groups() {
    zones_.clear();
    add_zone(0, fs_->super->s_first_data_block + 1U + fs_->desc_blocks);
    const std::uint64_t end = block_count();
    for (dgrp_t group = 0; group < fs_->group_desc_count; ++group) {
        const std::string detail = "group " + std::to_string(group);
        if (!trusting_ && ext2fs_group_desc_csum_verify(fs_, group) == 0) {
            return fail(EUCLEAN, "ext group descriptor", detail + ": its checksum does not hold");
        }
        const std::uint64_t tables[] = {ext2fs_block_bitmap_loc(fs_, group), ext2fs_inode_bitmap_loc(fs_, group),
                                        ext2fs_inode_table_loc(fs_, group)};
        for (std::size_t i = 0; i < 3; ++i) {
            const std::uint64_t count = i == 2 ? fs_->inode_blocks_per_group : 1;
            if (tables[i] <= fs_->super->s_first_data_block || tables[i] >= end || count > end - tables[i]) {
                return fail(EUCLEAN, "ext group descriptor",
                            detail + ": a table lies at block " + std::to_string(tables[i]));
            }
            add_zone(tables[i], count);
        }
    }
    std::sort(zones_.begin(), zones_.end(), [](const Zone& a, const Zone& b) { return a.first < b.first; });
    const auto sorted = std::move(zones_);
    zones_.clear();
    for (const Zone& zone : sorted) {
        if (!zones_.empty() && zone.first <= zones_.back().end) {
            zones_.back().end = std::max(zones_.back().end, zone.end);
        } else {
            zones_.push_back(zone);
        }
    }
    return {};
}

bool Library::usable(std::uint64_t block, std::uint64_t count) const {
    if (block >= block_count() || count > block_count() - block) {
        return false;
    }
    const auto after = std::upper_bound(zones_.begin(), zones_.end(), block + count - 1,
                                        [](std::uint64_t at, const Zone& zone) { return at < zone.first; });
    return after == zones_.begin() || std::prev(after)->end <= block;
}

Result<std::vector<std::byte>> Library::read_block(std::uint64_t block) {
    if (block >= block_count()) {
        return fail(EUCLEAN, "ext block", std::to_string(block) + " lies past the end");
    }
    std::vector<std::byte> bytes(block_size());
    PLUGFS_TRY(device().read(block * block_size(), bytes, BlockDevice::Use::metadata));
    return bytes;
}

Result<void> Library::write_block(std::uint64_t block, std::span<const std::byte> bytes) {
    return device().write(block * block_size(), bytes, BlockDevice::Use::metadata);
}

Result<Inode> Library::inode(InodeNumber number) {
    Inode inode{};
    PLUGFS_TRY(result(ext2fs_read_inode_full(fs_, number, reinterpret_cast<ext2_inode*>(&inode), sizeof inode),
                      "ext inode", std::to_string(number)));
    if (EXT2_INODE_SIZE(fs_->super) == EXT2_GOOD_OLD_INODE_SIZE) {
        inode.i_extra_isize = 0;
    }
    return inode;
}

Result<void> Library::store(InodeNumber number, const Inode& inode) {
    Inode copy = inode;
    const int size = std::min<int>(sizeof copy, EXT2_INODE_SIZE(fs_->super));
    return result(ext2fs_write_inode_full(fs_, number, reinterpret_cast<ext2_inode*>(&copy), size), "ext inode",
                  std::to_string(number));
}

Result<void> Library::store_new(InodeNumber number, const Inode& inode) {
    std::vector<std::byte> whole(std::max<std::size_t>(sizeof inode, EXT2_INODE_SIZE(fs_->super)));
    std::copy_n(reinterpret_cast<const std::byte*>(&inode), sizeof inode, whole.begin());
    return result(ext2fs_write_inode_full(fs_, number, reinterpret_cast<ext2_inode*>(whole.data()),
                                          static_cast<int>(EXT2_INODE_SIZE(fs_->super))),
                  "ext inode", std::to_string(number));
}

// What changes lies in the first half, and the device writes that at once.
Result<void> Library::store_super_block() {
    std::array<std::byte, SuperBlock::size> bytes{};
    std::copy_n(reinterpret_cast<const std::byte*>(fs_->super), bytes.size(), bytes.begin());
    if (!checksums() || keep_checksum(bytes)) {
        return device().write(SuperBlock::offset, std::span(bytes).first(bytes.size() / 2), BlockDevice::Use::metadata);
    }
    PLUGFS_TRY(result(ext2fs_superblock_csum_set(fs_, fs_->super), "ext superblock"));
    std::copy_n(reinterpret_cast<const std::byte*>(fs_->super), bytes.size(), bytes.begin());
    return device().write(SuperBlock::offset, bytes, BlockDevice::Use::metadata);
}

}  // namespace plugfs::storage::ext
