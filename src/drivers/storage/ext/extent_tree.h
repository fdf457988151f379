// ExtentTree: a BlockMap as a tree of extents, read and written.
//
// Up to four extents lie in the inode itself. Of a larger tree no block is ever changed: what differs is written to new
// blocks, up to the inode, which reaches the medium whole. So an extent tree is the old one or the new one, although
// its blocks are larger than what a device writes at once.
#pragma once

#include "drivers/storage/ext/block_map.h"

namespace plugfs::storage::ext {

class ExtentTree {
  public:
    static constexpr std::uint64_t longest = 32768;  // blocks of an extent
    static constexpr std::uint64_t longest_unwritten = 32767;
    static constexpr unsigned deepest = 5;

    ExtentTree(Library& library, InodeNumber number, BlockMap& map) : library_(library), number_(number), map_(map) {}

    [[nodiscard]] Result<void> read(const Inode& inode);
    // The map has these runs from now on, none of them longer than an extent may be.
    [[nodiscard]] Result<MapChange> rewrite(Allocator& allocator, Inode& inode, std::vector<Run> runs);
    // What a new file has.
    static void make_empty(Inode& inode);

  private:
    struct Header {
        unsigned entries = 0;
        unsigned depth = 0;
    };
    struct Child {
        std::uint64_t logical = 0;
        std::uint64_t block = 0;
    };

    [[nodiscard]] Result<Header> parse_header(std::span<const std::byte> bytes) const;
    [[nodiscard]] Result<void> read_leaf(std::span<const std::byte> bytes, unsigned entries);
    [[nodiscard]] Result<std::vector<Child>> read_index(std::span<const std::byte> bytes, unsigned entries) const;
    [[nodiscard]] Result<void> read_levels(std::vector<Child> children, unsigned depth);

    [[nodiscard]] std::size_t capacity() const { return (library_.block_size() - 12) / 12; }
    [[nodiscard]] Result<std::vector<Child>> write_leaves(Allocator& allocator, const std::vector<Run>& runs,
                                                          MapChange& change, std::vector<BlockMap::Node>& leaves);
    [[nodiscard]] Result<std::vector<Child>> write_index(Allocator& allocator, std::span<const Child> children,
                                                         unsigned depth, MapChange& change);
    [[nodiscard]] Result<std::uint64_t> add_node(Allocator& allocator, std::vector<std::byte> bytes, MapChange& change);
    [[nodiscard]] Error broken(const std::string& what) const {
        return fail(EUCLEAN, "ext extents", "inode " + std::to_string(number_) + ": " + what);
    }

    Library& library_;
    InodeNumber number_;
    BlockMap& map_;
};

}  // namespace plugfs::storage::ext
