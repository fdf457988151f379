#include "drivers/storage/ext/extent_tree.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint16_t magic = 0xf30a;
constexpr std::size_t entry_size = 12;  // of the header, too
constexpr std::size_t in_inode = 4;     // entries

std::span<std::byte> root_of(Inode& inode) {
    return std::as_writable_bytes(std::span(inode.i_block));
}

void put_header(std::span<std::byte> node, std::size_t entries, std::size_t capacity, unsigned depth) {
    put_le<std::uint16_t>(node, 0, magic);
    put_le<std::uint16_t>(node, 2, static_cast<std::uint16_t>(entries));
    put_le<std::uint16_t>(node, 4, static_cast<std::uint16_t>(capacity));
    put_le<std::uint16_t>(node, 6, static_cast<std::uint16_t>(depth));
    put_le<std::uint32_t>(node, 8, 0);
}

void put_extents(std::span<std::byte> node, std::span<const Run> runs) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const std::size_t at = (i + 1) * entry_size;
        const std::uint64_t length = runs[i].count + (runs[i].unwritten ? ExtentTree::longest : 0);
        put_le<std::uint32_t>(node, at, static_cast<std::uint32_t>(runs[i].logical));
        put_le<std::uint16_t>(node, at + 4, static_cast<std::uint16_t>(length));
        put_le<std::uint16_t>(node, at + 6, static_cast<std::uint16_t>(runs[i].physical >> 32U));
        put_le<std::uint32_t>(node, at + 8, static_cast<std::uint32_t>(runs[i].physical));
    }
}

template <class Children>
void put_children(std::span<std::byte> node, const Children& children) {
    std::size_t at = 0;
    for (const auto& child : children) {
        at += entry_size;
        put_le<std::uint32_t>(node, at, static_cast<std::uint32_t>(child.logical));
        put_le<std::uint32_t>(node, at + 4, static_cast<std::uint32_t>(child.block));
        put_le<std::uint16_t>(node, at + 8, static_cast<std::uint16_t>(child.block >> 32U));
        put_le<std::uint16_t>(node, at + 10, 0);
    }
}

}  // namespace

void ExtentTree::make_empty(Inode& inode) {
    const auto root = root_of(inode);
    std::fill(root.begin(), root.end(), std::byte{});
    put_header(root, 0, in_inode, 0);
}

Result<ExtentTree::Header> ExtentTree::parse_header(std::span<const std::byte> bytes) const {
    const std::size_t room = bytes.size() / entry_size - 1;
    const Header header{get_le<std::uint16_t>(bytes, 2), get_le<std::uint16_t>(bytes, 6)};
    if (get_le<std::uint16_t>(bytes, 0) != magic) {
        return broken("eh_magic");
    }
    if (header.entries > get_le<std::uint16_t>(bytes, 4) || get_le<std::uint16_t>(bytes, 4) > room) {
        return broken("eh_entries is " + std::to_string(header.entries));
    }
    if (header.depth > deepest || (header.depth > 0 && header.entries == 0)) {
        return broken("eh_depth is " + std::to_string(header.depth));
    }
    return header;
}

Result<void> ExtentTree::read_leaf(std::span<const std::byte> bytes, unsigned entries) {
    auto& runs = map_.runs_;
    for (std::size_t i = 1; i <= entries; ++i) {
        const std::size_t at = i * entry_size;
        const std::uint64_t length = get_le<std::uint16_t>(bytes, at + 4);
        Run run;
        run.logical = get_le<std::uint32_t>(bytes, at);
        run.unwritten = length > longest;
        run.count = run.unwritten ? length - longest : length;
        run.physical = get_le<std::uint32_t>(bytes, at + 8) | std::uint64_t{get_le<std::uint16_t>(bytes, at + 6)}
                                                                  << 32U;
        if (run.count == 0 || (!runs.empty() && run.logical < runs.back().end())) {
            return broken("ee_block is " + std::to_string(run.logical));
        }
        if (run.physical == 0 || !library_.usable(run.physical, run.count)) {
            return broken("ee_start is " + std::to_string(run.physical));
        }
        if (runs.size() == BlockMap::run_limit) {
            return fail(EFBIG, "ext extents", "inode " + std::to_string(number_) + " has too many");
        }
        runs.push_back(run);
    }
    return {};
}

Result<std::vector<ExtentTree::Child>> ExtentTree::read_index(std::span<const std::byte> bytes,
                                                              unsigned entries) const {
    std::vector<Child> out;
    for (std::size_t i = 1; i <= entries; ++i) {
        const std::size_t at = i * entry_size;
        const std::uint64_t block =
            get_le<std::uint32_t>(bytes, at + 4) | std::uint64_t{get_le<std::uint16_t>(bytes, at + 8)} << 32U;
        if (block == 0 || !library_.usable(block, 1)) {
            return broken("ei_leaf is " + std::to_string(block));
        }
        out.push_back({get_le<std::uint32_t>(bytes, at), block});
    }
    return out;
}

// Level by level: a tree that bites its own tail has not the depths that it says.
Result<void> ExtentTree::read_levels(std::vector<Child> children, unsigned depth) {
    for (; depth > 0; --depth) {
        std::vector<Child> next;
        for (const Child& child : children) {
            PLUGFS_ASSIGN(auto bytes, library_.read_block(child.block));
            auto* const raw = reinterpret_cast<ext3_extent_header*>(bytes.data());
            PLUGFS_ASSIGN(const Header header, parse_header(bytes));
            if (header.depth != depth - 1) {
                return broken("eh_depth is " + std::to_string(header.depth) + " below " + std::to_string(depth));
            }
            if (!library_.trusting() && ext2fs_extent_block_csum_verify(library_.fs(), number_, raw) == 0) {
                return broken("the checksum of block " + std::to_string(child.block) + " does not hold");
            }
            if (header.depth == 0) {
                map_.leaves_.push_back({child.block, map_.runs_.size(), header.entries});
                PLUGFS_TRY(read_leaf(bytes, header.entries));
            } else {
                map_.nodes_.push_back({child.block, 0, 0});
                PLUGFS_ASSIGN(const auto below, read_index(bytes, header.entries));
                next.insert(next.end(), below.begin(), below.end());
            }
            if (map_.leaves_.size() + next.size() > BlockMap::node_limit) {
                return fail(EFBIG, "ext extents", "inode " + std::to_string(number_) + " has too many");
            }
        }
        children = std::move(next);
    }
    return {};
}

Result<void> ExtentTree::read(const Inode& inode) {
    const auto root = std::as_bytes(std::span(inode.i_block));
    PLUGFS_ASSIGN(const Header header, parse_header(root));
    if (header.depth == 0) {
        return read_leaf(root, header.entries);
    }
    PLUGFS_ASSIGN(auto children, read_index(root, header.entries));
    return read_levels(std::move(children), header.depth);
}

Result<std::uint64_t> ExtentTree::add_node(Allocator& allocator, std::vector<std::byte> bytes, MapChange& change) {
    PLUGFS_ASSIGN(const BlockRow row, allocator.take(allocator.goal_for(number_), 1));
    PLUGFS_TRY(library_.result(
        ext2fs_extent_block_csum_set(library_.fs(), number_, reinterpret_cast<ext3_extent_header*>(bytes.data())),
        "ext extents"));
    change.fresh.push_back({row.first, std::move(bytes)});
    return row.first;
}

Result<std::vector<ExtentTree::Child>> ExtentTree::write_leaves(Allocator& allocator, const std::vector<Run>& runs,
                                                                MapChange& change,
                                                                std::vector<BlockMap::Node>& leaves) {
    const auto differ = std::mismatch(map_.runs_.begin(), map_.runs_.end(), runs.begin(), runs.end()).first;
    const auto same = static_cast<std::size_t>(differ - map_.runs_.begin());
    std::size_t kept = 0;
    for (const auto& leaf : map_.leaves_) {
        const bool keep = leaf.first == kept && leaf.count > 0 && kept + leaf.count <= same &&
                          (leaf.count >= capacity() || kept + leaf.count == runs.size());
        if (!keep) {
            break;
        }
        kept += leaf.count;
        leaves.push_back(leaf);
    }
    for (std::size_t i = leaves.size(); i < map_.leaves_.size(); ++i) {
        change.freed.push_back({map_.leaves_[i].block, 1});
    }
    for (std::size_t at = kept; at < runs.size();) {
        const std::size_t count = std::min(capacity(), runs.size() - at);
        std::vector<std::byte> bytes(library_.block_size());
        put_header(bytes, count, capacity(), 0);
        put_extents(bytes, std::span(runs).subspan(at, count));
        PLUGFS_ASSIGN(const std::uint64_t block, add_node(allocator, std::move(bytes), change));
        leaves.push_back({block, at, count});
        at += count;
    }
    std::vector<Child> out;
    for (const auto& leaf : leaves) {
        out.push_back({runs[leaf.first].logical, leaf.block});
    }
    return out;
}

Result<std::vector<ExtentTree::Child>> ExtentTree::write_index(Allocator& allocator, std::span<const Child> children,
                                                               unsigned depth, MapChange& change) {
    std::vector<Child> out;
    while (!children.empty()) {
        const auto part = children.first(std::min(capacity(), children.size()));
        std::vector<std::byte> bytes(library_.block_size());
        put_header(bytes, part.size(), capacity(), depth);
        put_children(bytes, part);
        PLUGFS_ASSIGN(const std::uint64_t block, add_node(allocator, std::move(bytes), change));
        out.push_back({part.front().logical, block});
        children = children.subspan(part.size());
    }
    return out;
}

Result<MapChange> ExtentTree::rewrite(Allocator& allocator, Inode& inode, std::vector<Run> runs) {
    if (runs.size() > BlockMap::run_limit) {
        return fail(EFBIG, "ext extents", "the file would have too many pieces");
    }
    MapChange change;
    std::vector<BlockMap::Node> leaves;
    const auto root = root_of(inode);
    if (runs.size() <= in_inode) {
        for (const auto& leaf : map_.leaves_) {
            change.freed.push_back({leaf.block, 1});
        }
        make_empty(inode);
        put_header(root, runs.size(), in_inode, 0);
        put_extents(root, runs);
    } else {
        PLUGFS_ASSIGN(auto children, write_leaves(allocator, runs, change, leaves));
        unsigned depth = 1;
        for (; children.size() > in_inode; ++depth) {
            PLUGFS_ASSIGN(children, write_index(allocator, children, depth, change));
        }
        make_empty(inode);
        put_header(root, children.size(), in_inode, depth);
        put_children(root, children);
    }
    for (const auto& node : map_.nodes_) {
        change.freed.push_back({node.block, 1});
    }
    // Index blocks are always written anew, leaves where they differ.
    map_.nodes_.clear();
    for (const auto& block : change.fresh) {
        const bool leaf =
            std::any_of(leaves.begin(), leaves.end(), [&block](const auto& one) { return one.block == block.block; });
        if (!leaf) {
            map_.nodes_.push_back({block.block, 0, 0});
        }
    }
    map_.leaves_ = std::move(leaves);
    map_.runs_ = std::move(runs);
    return change;
}

}  // namespace plugfs::storage::ext
