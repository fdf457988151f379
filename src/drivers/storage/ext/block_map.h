// BlockMap: where the blocks of a file or folder lie, in whichever form its inode has them: an extent tree, or block
// pointers with indirect blocks. https://docs.kernel.org/filesystems/ext4, "The Contents of inode.i_block".
//
// A map is read whole. A change is prepared, not written: MapChange says which blocks of the map have to be written,
// and in which order, so that whoever looks at any moment finds the old map or the new one.
#pragma once

#include "drivers/storage/ext/allocator.h"

#include <vector>

namespace plugfs::storage::ext {

// Blocks that follow each other in the file and on the medium.
struct Run {
    std::uint64_t logical = 0;  // in the file
    std::uint64_t physical = 0;
    std::uint64_t count = 0;
    bool unwritten = false;  // belongs to the file, and reads as zeroes
    [[nodiscard]] std::uint64_t end() const { return logical + count; }
    friend bool operator==(const Run&, const Run&) = default;
};

struct MapBlock {
    std::uint64_t block = 0;
    std::vector<std::byte> bytes;
};

// To be written: `fresh` blocks, to which nothing refers yet; behind a barrier `linked` ones, which are part of the map
// already; behind another the inode. When a file is cut, the inode goes before `linked`. What is in `freed`, nothing
// refers to any more after that.
struct MapChange {
    std::vector<MapBlock> fresh;
    std::vector<MapBlock> linked;
    std::vector<BlockRow> freed;
};

class BlockMap {
  public:
    static constexpr std::size_t run_limit = std::size_t{1} << 18U;
    static constexpr std::size_t node_limit = std::size_t{1} << 16U;

    // EUCLEAN: the map cannot be. EFBIG: it has more pieces than are served.
    [[nodiscard]] static Result<BlockMap> load(Library& library, InodeNumber number, const Inode& inode);

    // In their order.
    [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
    // What is at `logical`, and how many blocks on it is the same; `physical` 0: a hole.
    [[nodiscard]] Run at(std::uint64_t logical) const;

    // The file gets these blocks, where it has none or unwritten ones; each run is as long as is known to be free.
    // Changes `inode`, and counts its blocks; what the tree needs is taken from `allocator`.
    [[nodiscard]] Result<MapChange> add(Library& library, Allocator& allocator, InodeNumber number, Inode& inode,
                                        std::span<const Run> added);
    // Those from `keep` on go; they are in `freed`.
    [[nodiscard]] Result<MapChange> cut(Library& library, Allocator& allocator, InodeNumber number, Inode& inode,
                                        std::uint64_t keep);
    // All of it, for a file that goes.
    [[nodiscard]] std::vector<BlockRow> all_blocks() const;
    // Blocks of the tree that a change may need at most.
    [[nodiscard]] std::uint64_t nodes_for(std::uint64_t blocks, std::uint32_t block_size) const;

  private:
    friend class ExtentTree;
    friend class IndirectMap;

    // A block of the map: of a tree of extents those with extents (leaves) say which, others nothing.
    struct Node {
        std::uint64_t block = 0;
        std::uint64_t first = 0;  // extents: the first run; indirect: the first logical block
        std::uint64_t count = 0;  // runs, or logical blocks
    };

    [[nodiscard]] static std::vector<Run> merged(const std::vector<Run>& runs, std::span<const Run> added,
                                                 std::uint64_t longest);

    bool extents_ = false;
    std::vector<Run> runs_;
    std::vector<Node> leaves_;  // of extents
    std::vector<Node> nodes_;   // all others
};

}  // namespace plugfs::storage::ext
