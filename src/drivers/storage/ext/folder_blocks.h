// The blocks of a folder: directory entries in a row, each with its own length, so that one can be hidden behind
// another. https://docs.kernel.org/filesystems/ext4, "Directory Entries".
//
// An entry appears and goes by one number that changes: the length of the one before it, or its own inode number.
// These lie in one sector each, so a pulled cable leaves the old folder or the new one.
#pragma once

#include "drivers/storage/ext/block_map.h"

#include <plugfs/tree.h>

#include <string_view>

namespace plugfs::storage::ext {

struct RawEntry {
    std::uint32_t offset = 0;  // in the block, bytes
    std::uint32_t length = 0;  // up to the next entry
    InodeNumber inode = 0;     // 0: nothing is there
    std::string_view name;     // of the block's bytes
    bool tail = false;         // the block's checksum, which looks like an empty entry

    [[nodiscard]] static constexpr std::uint32_t size_for(std::size_t name_length) {
        return static_cast<std::uint32_t>((8 + name_length + 3) / 4 * 4);
    }
    // What another entry could have of its room.
    [[nodiscard]] std::uint32_t gap() const {
        return tail ? 0 : (inode == 0 ? length : length - size_for(name.size()));
    }
};

// All entries of a block. EUCLEAN: a length that cannot be.
[[nodiscard]] Result<std::vector<RawEntry>> parse_folder_block(std::span<const std::byte> bytes);
[[nodiscard]] const RawEntry* entry_at(const std::vector<RawEntry>& entries, std::uint32_t offset);
// Whether an entry can have this name: one that is on a medium, and one that is to be made.
[[nodiscard]] bool valid_name(std::string_view name);

class FolderBlocks {
  public:
    static constexpr std::uint64_t size_limit = std::uint64_t{32} << 20U;  // bytes of a folder

    // All of them outlive it. `inode` is that of folder `number`, and `map` its map.
    FolderBlocks(Library& library, InodeNumber number, const Inode& inode, const BlockMap& map)
        : library_(library), number_(number), inode_(inode), map_(map) {}

    // EUCLEAN: its size cannot be; EFBIG: it is larger than what is served.
    [[nodiscard]] Result<void> check() const;
    [[nodiscard]] std::uint32_t count() const {
        return static_cast<std::uint32_t>(EXT2_I_SIZE(&inode_) / library_.block_size());
    }
    // EUCLEAN: there is no such block, or its checksum does not hold.
    [[nodiscard]] Result<std::vector<std::byte>> read(std::uint32_t index) const;
    // Sets the checksum.
    [[nodiscard]] Result<void> write(std::uint32_t index, std::vector<std::byte>& bytes) const;

    // Puts an entry in a block that has a gap for it; returns its offset in the block. It is seen behind a barrier:
    // what was written before gets there first.
    [[nodiscard]] Result<std::uint32_t> insert(std::uint32_t index, InodeNumber inode, const std::string& name,
                                               Kind kind) const;
    [[nodiscard]] Result<void> erase(std::uint32_t index, std::uint32_t offset) const;
    // The entry is one of another inode from now on.
    [[nodiscard]] Result<void> refer(std::uint32_t index, std::uint32_t offset, InodeNumber inode) const;
    // What a new block has: no entries; or those of a new folder.
    [[nodiscard]] std::vector<std::byte> empty_block() const;
    [[nodiscard]] std::vector<std::byte> first_block(InodeNumber parent) const;
    [[nodiscard]] Result<void> set_checksum(std::vector<std::byte>& bytes) const;
    // The folder has had an index (a hash tree), which is dropped: its blocks become ordinary ones. Its inode says so
    // already.
    [[nodiscard]] Result<void> drop_index() const;

  private:
    [[nodiscard]] std::uint32_t usable_size() const { return library_.block_size() - (library_.checksums() ? 12 : 0); }
    void put(std::span<std::byte> bytes, std::uint32_t at, std::uint32_t length, InodeNumber inode,
             std::string_view name, Kind kind) const;

    Library& library_;
    InodeNumber number_;
    const Inode& inode_;
    const BlockMap& map_;
};

}  // namespace plugfs::storage::ext
