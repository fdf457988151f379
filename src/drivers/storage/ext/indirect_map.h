// IndirectMap: a BlockMap as block pointers: twelve in the inode, then blocks of pointers, of one, two and three
// levels. ext2 and ext3 have nothing else.
//
// A pointer reaches the medium whole; one to a new block of pointers is set when that has been written. What lies past
// the end of the file may be there or not.
#pragma once

#include "drivers/storage/ext/block_map.h"

#include <array>
#include <map>
#include <unordered_set>

namespace plugfs::storage::ext {

class IndirectMap {
  public:
    IndirectMap(Library& library, BlockMap& map) : library_(library), map_(map) {}

    // How many blocks a file can have.
    [[nodiscard]] static std::uint64_t block_limit(std::uint32_t block_size);

    [[nodiscard]] Result<void> read(const Inode& inode);
    [[nodiscard]] Result<MapChange> add(Allocator& allocator, Inode& inode, std::span<const Run> added);
    [[nodiscard]] Result<MapChange> cut(Inode& inode, std::uint64_t keep);

  private:
    struct Changed {
        std::vector<std::byte> bytes;
        bool fresh = false;
    };

    [[nodiscard]] std::uint64_t pointers() const { return library_.block_size() / 4; }
    [[nodiscard]] Result<void> read_below(std::uint64_t block, unsigned level, std::uint64_t logical);
    [[nodiscard]] Result<void> add_run(std::uint64_t logical, std::uint64_t block);
    [[nodiscard]] Result<void> set(Allocator& allocator, Inode& inode, std::uint64_t logical, std::uint64_t physical);
    [[nodiscard]] Result<std::uint32_t> child(Allocator& allocator, std::uint32_t pointer, std::uint64_t logical,
                                              std::uint64_t span);
    [[nodiscard]] Result<Changed*> changed(std::uint64_t block);

    Library& library_;
    BlockMap& map_;
    std::unordered_set<std::uint64_t> seen_;
    std::map<std::uint64_t, Changed> changed_;  // by block
};

}  // namespace plugfs::storage::ext
