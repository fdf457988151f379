// BlockCache: reading: metadata by pages that are kept, data past them, and what waits in the log laid over both.

#include "drivers/storage/cache/block_cache.h"

#include <algorithm>
#include <cstring>

namespace plugfs::storage {

namespace {

using Clock = Deadline::Clock;

// A short unaligned read is made whole in one command and copied; a long one has its ends read by themselves.
constexpr std::size_t copied_read = std::size_t{256} << 10U;
constexpr std::uint64_t most_pages_ahead = 16;
// Reads of data as long as this may have the next one begun. A device is fast that takes no longer for a mebibyte.
constexpr std::size_t expected_read = std::size_t{128} << 10U;
constexpr Clock::duration fast_mebibyte = std::chrono::milliseconds(8);

}  // namespace

Result<void> BlockCache::read(std::uint64_t offset, std::span<std::byte> out, Use use) {
    PLUGFS_TRY(check_range(offset, out.size(), "read"));
    if (out.empty()) {
        return {};
    }
    return use == Use::metadata && out.size() <= kept_read ? read_pages(offset, out) : read_data(offset, out);
}

Result<void> BlockCache::read_pages(std::uint64_t offset, std::span<std::byte> out) {
    const std::uint64_t last = (offset + out.size() - 1) / PageCache::page_size;
    while (!out.empty()) {
        const std::uint64_t page = offset / PageCache::page_size;
        auto found = pages_.find(page);
        if (found.empty()) {
            PLUGFS_TRY(load_pages(page, last));
            found = pages_.find(page);
        }
        const auto part = found.subspan(offset % PageCache::page_size);
        const std::size_t length = std::min(part.size(), out.size());
        std::memcpy(out.data(), part.data(), length);
        out = out.subspan(length);
        offset += length;
    }
    return {};
}

// Reads `page`, which is not there, what is missing behind it as far as `last`, and more if this goes on in sequence.
Result<void> BlockCache::load_pages(std::uint64_t page, std::uint64_t last) {
    pages_ahead_ = page == next_page_ ? std::min(pages_ahead_ * 2, most_pages_ahead) : 1;
    const std::uint64_t limit = std::min<std::uint64_t>(limits_.pages / 2, std::max(last - page + 1, pages_ahead_));
    std::uint64_t count = 1;
    while (count < limit && !pages_.contains(page + count)) {
        ++count;
    }
    const std::uint64_t offset = page * PageCache::page_size;
    const std::uint64_t length = std::min(count * PageCache::page_size, size() - offset);
    scratch_.resize(length);
    PLUGFS_TRY(read_blocks(offset / medium_.block_size, scratch_));
    next_page_ = page + count;
    // The one that is asked for last: it must not make room for the others.
    for (std::uint64_t i = count; i-- > 0;) {
        const std::uint64_t at = i * PageCache::page_size;
        if (at < length) {
            pages_.put(page + i,
                       std::span(scratch_).subspan(at, std::min<std::uint64_t>(PageCache::page_size, length - at)));
        }
    }
    return {};
}

Result<void> BlockCache::read_data(std::uint64_t offset, std::span<std::byte> out) {
    const std::uint32_t block_size = medium_.block_size;
    const std::size_t before = offset % block_size;
    if (before == 0 && out.size() % block_size == 0) {
        return read_in_sequence(offset / block_size, out);
    }
    const std::size_t whole = (before + out.size() + block_size - 1) / block_size * block_size;
    if (whole <= copied_read) {
        scratch_.resize(whole);
        PLUGFS_TRY(read_blocks(offset / block_size, scratch_));
        std::memcpy(out.data(), scratch_.data() + before, out.size());
        return {};
    }
    const std::size_t head = before == 0 ? 0 : block_size - before;
    const std::size_t middle = (out.size() - head) / block_size * block_size;
    if (head != 0) {
        PLUGFS_TRY(read_data(offset, out.first(head)));
    }
    PLUGFS_TRY(read_blocks((offset + head) / block_size, out.subspan(head, middle)));
    if (head + middle < out.size()) {
        PLUGFS_TRY(read_data(offset + head + middle, out.subspan(head + middle)));
    }
    return {};
}

// Who goes on in sequence asks for as much behind it next: a fast device reads that while the bytes are copied. With a
// slow one little is gained, and much is lost where he does not.
Result<void> BlockCache::read_in_sequence(std::uint64_t block, std::span<std::byte> out) {
    if (out.size() < expected_read) {
        return read_blocks(block, out);
    }
    const std::uint64_t count = out.size() / medium_.block_size;
    const std::uint64_t next = block + count;
    if (fast_ && block == next_block_) {
        unit_.expect(next, std::min(count, medium_.block_count - next));
    }
    next_block_ = next;
    const auto begun = Clock::now();
    PLUGFS_TRY(read_blocks(block, out));
    fast_ = (Clock::now() - begun) * (std::size_t{1} << 20U) < fast_mebibyte * out.size();
    return {};
}

Result<void> BlockCache::read_blocks(std::uint64_t block, std::span<std::byte> out) {
    const std::uint32_t block_size = medium_.block_size;
    const std::uint64_t end = block + (out.size() / block_size);
    // What lies in the log at the beginning and at the end need not be read.
    std::uint64_t from = block;
    std::uint64_t covered = block;
    std::uint64_t tail_begins = block;
    dirty_.each(block, end - block, [&](const ExtentMap::Extent& extent) {
        if (extent.block != covered) {
            tail_begins = extent.block;
        }
        if (extent.block == from) {
            from += extent.count;
        }
        covered = extent.block + extent.count;
    });
    const std::uint64_t to = covered == end ? std::max(tail_begins, from) : end;
    if (from < to) {
        PLUGFS_TRY(unit_.read(from, out.subspan((from - block) * block_size, (to - from) * block_size)));
    }
    dirty_.each(block, end - block, [&](const ExtentMap::Extent& extent) {
        std::memcpy(out.data() + ((extent.block - block) * block_size), extent.bytes, extent.count * block_size);
    });
    return {};
}

}  // namespace plugfs::storage
