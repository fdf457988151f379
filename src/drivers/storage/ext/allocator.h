// Allocator: which blocks and inodes are free, and which of them a file gets: those behind its last one if it can be,
// else a free row that is long enough, else what there is.
//
// What is taken and given back is seen at once here, and by the medium with write_out(): so an operation says what it
// takes before anything refers to it, and gives back what nothing refers to any more.
#pragma once

#include "drivers/storage/ext/library.h"

#include <set>

namespace plugfs::storage::ext {

struct BlockRow {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

class Allocator {
  public:
    explicit Allocator(Library& library) : library_(library) { sum_up(); }

    // Free blocks, without those that are kept in reserve.
    [[nodiscard]] std::uint64_t available() const;
    // ENOSPC: there are fewer. Call it before an operation begins to change things.
    [[nodiscard]] Result<void> check_room(std::uint64_t blocks);

    // Up to `count` free blocks in a row (at least one), from `goal` on if that is free. ENOSPC: there are none.
    [[nodiscard]] Result<BlockRow> take(std::uint64_t goal, std::uint64_t count);
    // EUCLEAN: one of them was free already, or is none that a file can have.
    [[nodiscard]] Result<void> give_back(const BlockRow& row);
    // One that is free, near those of the folder's. ENOSPC: there is none.
    [[nodiscard]] Result<InodeNumber> take_inode(InodeNumber folder, bool directory);
    // EUCLEAN: it was free already.
    [[nodiscard]] Result<void> give_back_inode(InodeNumber number, bool directory);
    // Where a file's first block is looked for.
    [[nodiscard]] std::uint64_t goal_for(InodeNumber number);

    // Bitmaps and group descriptors that have changed go to the device.
    [[nodiscard]] Result<void> write_out();
    // The library has been opened anew.
    void forget();

  private:
    [[nodiscard]] Result<void> load();
    void sum_up();
    [[nodiscard]] std::optional<BlockRow> row_from(std::uint64_t from, std::uint64_t end, std::uint64_t count);
    [[nodiscard]] std::optional<BlockRow> long_row(std::uint64_t from, std::uint64_t end, std::uint64_t count);
    void mark(const BlockRow& row, bool used);
    [[nodiscard]] Result<void> write_block_bitmap(dgrp_t group);
    [[nodiscard]] Result<void> write_inode_bitmap(dgrp_t group);

    Library& library_;
    bool loaded_ = false;
    std::uint64_t cursor_ = 0;  // where a search goes on that has no better place
    std::set<dgrp_t> changed_blocks_;
    std::set<dgrp_t> changed_inodes_;
};

}  // namespace plugfs::storage::ext
