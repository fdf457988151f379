#include "drivers/storage/cache/page_cache.h"

#include <algorithm>

namespace plugfs::storage {

std::span<const std::byte> PageCache::find(std::uint64_t page) {
    const auto found = pages_.find(page);
    if (found == pages_.end()) {
        return {};
    }
    by_use_.splice(by_use_.begin(), by_use_, found->second.used);
    return found->second.bytes;
}

void PageCache::put(std::uint64_t page, std::span<const std::byte> bytes) {
    if (const auto found = pages_.find(page); found != pages_.end()) {
        found->second.bytes.assign(bytes.begin(), bytes.end());
        by_use_.splice(by_use_.begin(), by_use_, found->second.used);
        return;
    }
    if (pages_.size() >= page_limit_) {
        pages_.erase(by_use_.back());
        by_use_.pop_back();
    }
    by_use_.push_front(page);
    pages_[page] = {{bytes.begin(), bytes.end()}, by_use_.begin()};
}

void PageCache::changed(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const std::size_t within = offset % page_size;
        const std::size_t length = std::min(bytes.size(), page_size - within);
        const auto found = pages_.find(offset / page_size);
        if (found != pages_.end() && within + length <= found->second.bytes.size()) {
            std::copy_n(bytes.begin(), length, found->second.bytes.begin() + static_cast<std::ptrdiff_t>(within));
        }
        bytes = bytes.subspan(length);
        offset += length;
    }
}

void PageCache::forget(std::uint64_t offset, std::uint64_t length) {
    if (length == 0) {
        return;
    }
    const std::uint64_t first = offset / page_size;
    const std::uint64_t last = (offset + length - 1) / page_size;
    const auto drop = [this](auto found) {
        by_use_.erase(found->second.used);
        return pages_.erase(found);
    };
    // Whichever is less to look at: the range, or what is here.
    if (last - first < pages_.size()) {
        for (std::uint64_t page = first; page <= last; ++page) {
            if (const auto found = pages_.find(page); found != pages_.end()) {
                drop(found);
            }
        }
        return;
    }
    for (auto at = pages_.begin(); at != pages_.end();) {
        at = at->first >= first && at->first <= last ? drop(at) : std::next(at);
    }
}

}  // namespace plugfs::storage
