#include "drivers/storage/cache/extent_map.h"

#include <algorithm>
#include <iterator>

namespace plugfs::storage {

ExtentMap::Map::const_iterator ExtentMap::first_behind(std::uint64_t block) const {
    auto at = extents_.upper_bound(block);
    if (at != extents_.begin()) {
        const auto before = std::prev(at);
        if (before->second.block + before->second.count > block) {
            return before;
        }
    }
    return at;
}

ExtentMap::Extent ExtentMap::part(const Extent& extent, std::uint64_t from, std::uint64_t to) const {
    Extent piece = extent;
    piece.block = std::max(extent.block, from);
    piece.count = std::min(extent.block + extent.count, to) - piece.block;
    if (piece.bytes != nullptr) {
        piece.bytes += (piece.block - extent.block) * block_size_;
    }
    return piece;
}

void ExtentMap::cut(std::uint64_t block) {
    const auto found = first_behind(block);
    if (found == extents_.end() || found->second.block >= block) {
        return;
    }
    const Extent whole = found->second;
    const std::uint64_t end = whole.block + whole.count;
    extents_[whole.block] = part(whole, whole.block, block);
    extents_[block] = part(whole, block, end);
}

void ExtentMap::put(const Extent& extent) {
    const std::uint64_t end = extent.block + extent.count;
    cut(extent.block);
    cut(end);
    extents_.erase(extents_.lower_bound(extent.block), extents_.lower_bound(end));
    extents_[extent.block] = extent;
}

void ExtentMap::remove(std::uint64_t block, std::uint64_t count, std::uint64_t sequence) {
    const std::uint64_t end = block + count;
    // What is left of a write lies within it: nothing has to be cut.
    for (auto at = extents_.lower_bound(block); at != extents_.end() && at->first < end;) {
        at = at->second.sequence == sequence ? extents_.erase(at) : std::next(at);
    }
}

void ExtentMap::each(std::uint64_t block, std::uint64_t count, const std::function<void(const Extent&)>& give) const {
    const std::uint64_t end = block + count;
    for (auto at = first_behind(block); count > 0 && at != extents_.end() && at->second.block < end; ++at) {
        give(part(at->second, block, end));
    }
}

}  // namespace plugfs::storage
