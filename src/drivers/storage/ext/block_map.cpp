#include "drivers/storage/ext/block_map.h"

#include "drivers/storage/ext/extent_tree.h"
#include "drivers/storage/ext/indirect_map.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

bool follows(const Run& a, const Run& b, std::uint64_t longest) {
    // An extent that is not written is one block shorter at most (ExtentTree::longest_unwritten).
    return a.end() == b.logical && a.physical + a.count == b.physical && a.unwritten == b.unwritten &&
           a.count + b.count <= longest - (a.unwritten ? 1 : 0);
}

void append(std::vector<Run>& runs, const Run& run, std::uint64_t longest) {
    if (run.count == 0) {
        return;
    }
    if (!runs.empty() && follows(runs.back(), run, longest)) {
        runs.back().count += run.count;
    } else {
        runs.push_back(run);
    }
}

Run part(const Run& run, std::uint64_t from, std::uint64_t to) {
    from = std::max(from, run.logical);
    to = std::min(to, run.end());
    return from < to ? Run{from, run.physical + (from - run.logical), to - from, run.unwritten} : Run{};
}

// i_blocks has the blocks of the map, too.
Result<void> count_blocks(Library& library, Inode& inode, std::uint64_t gained, const MapChange& change) {
    auto* const raw = reinterpret_cast<ext2_inode*>(&inode);
    std::uint64_t lost = 0;
    for (const BlockRow& row : change.freed) {
        lost += row.count;
    }
    PLUGFS_TRY(library.result(ext2fs_iblk_add_blocks(library.fs(), raw, gained + change.fresh.size()), "ext inode",
                              "i_blocks"));
    return library.result(ext2fs_iblk_sub_blocks(library.fs(), raw, lost), "ext inode", "i_blocks");
}

}  // namespace

Result<BlockMap> BlockMap::load(Library& library, InodeNumber number, const Inode& inode) {
    BlockMap map;
    map.extents_ = (inode.i_flags & EXT4_EXTENTS_FL) != 0;
    PLUGFS_TRY(map.extents_ ? ExtentTree(library, number, map).read(inode) : IndirectMap(library, map).read(inode));
    return map;
}

Run BlockMap::at(std::uint64_t logical) const {
    const auto after = std::upper_bound(runs_.begin(), runs_.end(), logical,
                                        [](std::uint64_t block, const Run& run) { return block < run.logical; });
    if (after != runs_.begin() && std::prev(after)->end() > logical) {
        Run out = part(*std::prev(after), logical, UINT64_MAX);
        // An extent has a greatest length; what follows may be the same row.
        for (auto next = after; next != runs_.end() && follows(out, *next, UINT64_MAX); ++next) {
            out.count += next->count;
        }
        return out;
    }
    return {logical, 0, after == runs_.end() ? UINT64_MAX - logical : after->logical - logical, false};
}

// `added` is in order, and takes the place of what was there.
std::vector<Run> BlockMap::merged(const std::vector<Run>& runs, std::span<const Run> added, std::uint64_t longest) {
    std::vector<Run> out;
    out.reserve(runs.size() + 2 * added.size());
    std::size_t next = 0;
    std::uint64_t from = 0;  // of runs[next]: what lies before has been dealt with
    for (const Run& run : added) {
        for (; next < runs.size() && runs[next].end() <= run.logical; ++next) {
            append(out, part(runs[next], from, UINT64_MAX), longest);
        }
        if (next < runs.size()) {
            append(out, part(runs[next], from, run.logical), longest);
        }
        for (std::uint64_t done = 0; done < run.count; done += longest) {
            append(out, part(run, run.logical + done, run.logical + done + std::min(longest, run.count - done)),
                   longest);
        }
        from = run.end();
        while (next < runs.size() && runs[next].end() <= from) {
            ++next;
        }
    }
    for (; next < runs.size(); ++next) {
        append(out, part(runs[next], from, UINT64_MAX), longest);
    }
    return out;
}

Result<MapChange> BlockMap::add(Library& library, Allocator& allocator, InodeNumber number, Inode& inode,
                                std::span<const Run> added) {
    std::uint64_t gained = 0;
    for (const Run& run : added) {
        for (std::uint64_t at_block = run.logical; at_block < run.end();) {
            const Run old = at(at_block);
            const std::uint64_t count = std::min(old.count, run.end() - at_block);
            gained += old.physical == 0 ? count : 0;
            at_block += count;
        }
    }
    MapChange change;
    if (extents_) {
        auto now = merged(runs_, added, ExtentTree::longest);
        PLUGFS_ASSIGN(change, ExtentTree(library, number, *this).rewrite(allocator, inode, std::move(now)));
    } else {
        PLUGFS_ASSIGN(change, IndirectMap(library, *this).add(allocator, inode, added));
        runs_ = merged(runs_, added, UINT64_MAX);
    }
    PLUGFS_TRY(count_blocks(library, inode, gained, change));
    return change;
}

Result<MapChange> BlockMap::cut(Library& library, Allocator& allocator, InodeNumber number, Inode& inode,
                                std::uint64_t keep) {
    std::vector<Run> now;
    std::vector<BlockRow> freed;
    for (const Run& run : runs_) {
        if (const Run kept = part(run, 0, keep); kept.count != 0) {
            now.push_back(kept);
        }
        if (const Run gone = part(run, keep, UINT64_MAX); gone.count != 0) {
            freed.push_back({gone.physical, gone.count});
        }
    }
    MapChange change;
    if (extents_) {
        PLUGFS_ASSIGN(change, ExtentTree(library, number, *this).rewrite(allocator, inode, std::move(now)));
    } else {
        PLUGFS_ASSIGN(change, IndirectMap(library, *this).cut(inode, keep));
        runs_ = std::move(now);
    }
    change.freed.insert(change.freed.end(), freed.begin(), freed.end());
    PLUGFS_TRY(count_blocks(library, inode, 0, change));
    return change;
}

std::vector<BlockRow> BlockMap::all_blocks() const {
    std::vector<BlockRow> out;
    for (const Run& run : runs_) {
        out.push_back({run.physical, run.count});
    }
    for (const auto* const nodes : {&leaves_, &nodes_}) {
        for (const Node& node : *nodes) {
            out.push_back({node.block, 1});
        }
    }
    return out;
}

std::uint64_t BlockMap::nodes_for(std::uint64_t blocks, std::uint32_t block_size) const {
    if (!extents_) {
        return blocks / (block_size / 4) + 6;
    }
    // Every new block a run of its own, and the leaves behind the first changed one written anew.
    const std::uint64_t per_leaf = block_size / 12 - 2;
    const std::uint64_t leaves = (runs_.size() + 2 * blocks) / per_leaf + 2;
    return leaves + leaves / per_leaf + 4;
}

}  // namespace plugfs::storage::ext
