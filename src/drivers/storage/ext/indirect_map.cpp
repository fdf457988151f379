#include "drivers/storage/ext/indirect_map.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint64_t direct = 12;
constexpr unsigned levels = 3;

// Where a block's pointer is: in which of the inode's slots, and how many blocks are below each level's pointer.
struct Path {
    std::size_t slot = 0;
    unsigned level = 0;        // of pointer blocks on the way
    std::uint64_t within = 0;  // the block's number below the slot
    std::uint64_t base = 0;    // of the first block below the slot
};

std::optional<Path> path_to(std::uint64_t logical, std::uint64_t pointers) {
    if (logical < direct) {
        return Path{static_cast<std::size_t>(logical), 0, 0, logical};
    }
    std::uint64_t base = direct;
    std::uint64_t span = pointers;
    for (unsigned level = 1; level <= levels; ++level) {
        if (logical < base + span) {
            return Path{static_cast<std::size_t>(direct) + level - 1, level, logical - base, base};
        }
        base += span;
        span *= pointers;
    }
    return std::nullopt;
}

// Blocks below one pointer in a pointer block of that level.
std::uint64_t below_pointer(unsigned level, std::uint64_t pointers) {
    std::uint64_t span = 1;
    for (unsigned i = 1; i < level; ++i) {
        span *= pointers;
    }
    return span;
}

}  // namespace

std::uint64_t IndirectMap::block_limit(std::uint32_t block_size) {
    const std::uint64_t pointers = block_size / 4;
    const std::uint64_t all = direct + pointers + pointers * pointers + pointers * pointers * pointers;
    return std::min<std::uint64_t>(all, UINT32_MAX);
}

Result<void> IndirectMap::add_run(std::uint64_t logical, std::uint64_t block) {
    if (!library_.usable(block, 1)) {
        return fail(EUCLEAN, "ext block map", "block " + std::to_string(block) + " cannot be a file's");
    }
    auto& runs = map_.runs_;
    if (!runs.empty() && runs.back().end() == logical && runs.back().physical + runs.back().count == block) {
        ++runs.back().count;
        return {};
    }
    if (runs.size() == BlockMap::run_limit) {
        return fail(EFBIG, "ext block map", "the file has too many pieces");
    }
    runs.push_back({logical, block, 1, false});
    return {};
}

Result<void> IndirectMap::read_below(std::uint64_t block, unsigned level, std::uint64_t logical) {
    if (level == 0) {
        return add_run(logical, block);
    }
    if (!library_.usable(block, 1) || !seen_.insert(block).second) {
        return fail(EUCLEAN, "ext block map", "block " + std::to_string(block) + " cannot have pointers");
    }
    if (map_.nodes_.size() == BlockMap::node_limit) {
        return fail(EFBIG, "ext block map", "the file has too many pieces");
    }
    const std::uint64_t span = below_pointer(level, pointers());
    map_.nodes_.push_back({block, logical, span * pointers()});
    PLUGFS_ASSIGN(const auto bytes, library_.read_block(block));
    for (std::uint64_t i = 0; i < pointers(); ++i) {
        if (const auto pointer = get_le<std::uint32_t>(bytes, i * 4); pointer != 0) {
            PLUGFS_TRY(read_below(pointer, level - 1, logical + i * span));
        }
    }
    return {};
}

Result<void> IndirectMap::read(const Inode& inode) {
    std::uint64_t logical = 0;
    for (std::size_t slot = 0; slot < direct + levels; ++slot) {
        const unsigned level = slot < direct ? 0 : static_cast<unsigned>(slot - direct) + 1;
        if (inode.i_block[slot] != 0) {
            PLUGFS_TRY(read_below(inode.i_block[slot], level, logical));
        }
        logical += level == 0 ? 1 : below_pointer(level, pointers()) * pointers();
    }
    return {};
}

Result<IndirectMap::Changed*> IndirectMap::changed(std::uint64_t block) {
    auto found = changed_.find(block);
    if (found == changed_.end()) {
        PLUGFS_ASSIGN(auto bytes, library_.read_block(block));
        found = changed_.emplace(block, Changed{std::move(bytes), false}).first;
    }
    return &found->second;
}

// The pointer block behind `pointer`; a new one if it is 0.
Result<std::uint32_t> IndirectMap::child(Allocator& allocator, std::uint32_t pointer, std::uint64_t logical,
                                         std::uint64_t span) {
    if (pointer != 0) {
        return pointer;
    }
    PLUGFS_ASSIGN(const BlockRow row, allocator.take(0, 1));
    if (row.first > UINT32_MAX) {
        return fail(ENOSPC, "blocks", "the rest is out of reach of block pointers");
    }
    changed_[row.first] = {std::vector<std::byte>(library_.block_size()), true};
    map_.nodes_.push_back({row.first, logical, span});
    return static_cast<std::uint32_t>(row.first);
}

Result<void> IndirectMap::set(Allocator& allocator, Inode& inode, std::uint64_t logical, std::uint64_t physical) {
    const auto path = path_to(logical, pointers());
    if (!path || physical > UINT32_MAX) {
        return fail(EFBIG, "ext block map", "block " + std::to_string(logical) + " is out of its reach");
    }
    if (path->level == 0) {
        inode.i_block[path->slot] = static_cast<std::uint32_t>(physical);
        return {};
    }
    std::uint64_t span = below_pointer(path->level, pointers());
    PLUGFS_ASSIGN(std::uint32_t block, child(allocator, inode.i_block[path->slot], path->base, span * pointers()));
    inode.i_block[path->slot] = block;
    std::uint64_t base = path->base;
    for (unsigned level = path->level;; --level, span /= pointers()) {
        const std::size_t at = (logical - base) / span * 4;
        base += (logical - base) / span * span;
        PLUGFS_ASSIGN(const Changed* node, changed(block));
        const auto old = get_le<std::uint32_t>(node->bytes, at);
        std::uint32_t next = static_cast<std::uint32_t>(physical);
        if (level > 1) {
            PLUGFS_ASSIGN(next, child(allocator, old, base, span));
        }
        put_le<std::uint32_t>(changed_.at(block).bytes, at, next);
        if (level == 1) {
            return {};
        }
        block = next;
    }
}

Result<MapChange> IndirectMap::add(Allocator& allocator, Inode& inode, std::span<const Run> added) {
    for (const Run& run : added) {
        for (std::uint64_t i = 0; i < run.count; ++i) {
            PLUGFS_TRY(set(allocator, inode, run.logical + i, run.physical + i));
        }
    }
    MapChange change;
    for (auto& [block, node] : changed_) {
        (node.fresh ? change.fresh : change.linked).push_back({block, std::move(node.bytes)});
    }
    return change;
}

Result<MapChange> IndirectMap::cut(Inode& inode, std::uint64_t keep) {
    MapChange change;
    std::uint64_t logical = 0;
    for (std::size_t slot = 0; slot < direct + levels; ++slot) {
        if (logical >= keep) {
            inode.i_block[slot] = 0;
        }
        logical += slot < direct ? 1 : below_pointer(static_cast<unsigned>(slot - direct) + 1, pointers()) * pointers();
    }
    std::vector<BlockMap::Node> kept;
    for (const auto& node : map_.nodes_) {
        if (node.first >= keep) {
            change.freed.push_back({node.block, 1});
            continue;
        }
        kept.push_back(node);
        if (node.first + node.count > keep) {
            PLUGFS_ASSIGN(auto bytes, library_.read_block(node.block));
            const std::uint64_t span = node.count / pointers();
            for (std::uint64_t i = (keep - node.first + span - 1) / span; i < pointers(); ++i) {
                put_le<std::uint32_t>(bytes, i * 4, 0);
            }
            change.linked.push_back({node.block, std::move(bytes)});
        }
    }
    map_.nodes_ = std::move(kept);
    return change;
}

}  // namespace plugfs::storage::ext
