#include "drivers/storage/cache/block_cache.h"

#include <algorithm>
#include <cstring>

namespace plugfs::storage {

namespace {

using Clock = Deadline::Clock;

// Blocks that are written after the others of an epoch.
constexpr std::size_t ranked_limit = 4096;

std::uint64_t hash_text(const std::string& text, std::uint64_t seed) {
    return checksum64(std::as_bytes(std::span(text)), seed);
}

std::uint64_t identity_of(const UnitIdentity& unit) {
    return hash_text(unit.serial_number, hash_text(unit.revision, hash_text(unit.product, hash_text(unit.vendor, 0))));
}

}  // namespace

Result<std::unique_ptr<BlockCache>> BlockCache::create(LogicalUnit& unit, const Medium& medium,
                                                       std::span<std::byte> memory, const Limits& limits,
                                                       std::string& lost) {
    std::unique_ptr<BlockCache> cache(new BlockCache(unit, medium, limits));
    PLUGFS_TRY(cache->set_up(memory, lost));
    return cache;
}

Result<void> BlockCache::set_up(std::span<std::byte> memory, std::string& lost) {
    PLUGFS_ASSIGN(log_,
                  DirtyLog::open(memory, {identity_of(unit_.identity()), medium_.block_size, medium_.block_count}));
    lost = log_->found().damage;
    std::vector<std::byte> first_block(medium_.block_size);
    PLUGFS_TRY(unit_.read(0, first_block));
    const std::uint64_t print = WriteBack::fingerprint_of(first_block);
    const auto known = log_->fingerprint();
    const bool same_medium = known.before == print || known.after == print;
    if (!same_medium) {
        log_->set_remarks(0);
    }
    if (!log_->records().empty() && !same_medium) {
        lost = "another medium is in its place";
        log_->clear();
    } else if (!log_->records().empty() && medium_.write_protected) {
        lost = "the medium is write-protected now";
        log_->clear();
    }
    if (log_->records().empty()) {
        log_->set_fingerprint({print, print});
    } else {
        epoch_ = log_->records().back().epoch + 1;
        dirty_since_ = Clock::now();
        begin_draining();
    }
    for (const auto& record : log_->records()) {
        if (record.bytes != nullptr) {
            dirty_.put({record.block, record.count, record.bytes, record.sequence});
        }
    }
    write_back_ = std::make_unique<WriteBack>(
        unit_, medium_, *log_, std::move(first_block),
        [this](const DirtyLog::Record& record) { dirty_.remove(record.block, record.count, record.sequence); });
    return {};
}

Result<void> BlockCache::check_range(std::uint64_t offset, std::size_t length, const char* what) const {
    if (offset > size() || length > size() - offset) {
        return fail(EINVAL, what,
                    std::to_string(length) + " bytes at " + std::to_string(offset) + " are not within the medium");
    }
    return {};
}

Result<std::span<const std::byte>> BlockCache::whole_blocks(std::uint64_t offset, std::span<const std::byte> bytes) {
    const std::uint32_t block_size = medium_.block_size;
    const std::uint64_t first = offset / block_size * block_size;
    const std::size_t before = offset - first;
    const std::size_t length = (before + bytes.size() + block_size - 1) / block_size * block_size;
    if (length == bytes.size()) {
        return bytes;
    }
    edge_.resize(length);
    const bool head = before != 0;
    const bool tail = (before + bytes.size()) % block_size != 0;
    if (head) {
        PLUGFS_TRY(read_pages(first, std::span(edge_).first(block_size)));
    }
    if (tail && (!head || length > block_size)) {
        PLUGFS_TRY(read_pages(first + length - block_size, std::span(edge_).last(block_size)));
    }
    std::memcpy(edge_.data() + before, bytes.data(), bytes.size());
    return std::span<const std::byte>(edge_);
}

Result<void> BlockCache::write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) {
    return write_ranked(offset, bytes, use, Rank::content);
}

Result<void> BlockCache::write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use use, Rank rank) {
    PLUGFS_TRY(check_range(offset, bytes.size(), "write"));
    if (!writable()) {
        return failure_ ? fail(EROFS, "write", "not any more: " + failure_->text())
                        : fail(EROFS, "write", "the medium is write-protected");
    }
    const std::uint32_t block_size = medium_.block_size;
    const std::size_t piece =
        std::min<std::size_t>(DirtyLog::record_limit, log_->capacity() / 8) / block_size * block_size;
    while (!bytes.empty()) {
        const std::size_t length = std::min(bytes.size(), piece - (offset % block_size));
        PLUGFS_ASSIGN(const auto blocks, whole_blocks(offset, bytes.first(length)));
        PLUGFS_TRY(append(offset / block_size, blocks, use, rank));
        bytes = bytes.subspan(length);
        offset += length;
    }
    return {};
}

// Before a record of these blocks.
void BlockCache::note_rank(std::uint64_t block, std::uint64_t count, Rank rank) {
    for (auto at = ranked_.lower_bound(block); at != ranked_.end() && at->first < block + count; ++at) {
        if (at->second > rank) {
            order();
            break;
        }
    }
    if (rank == Rank::content) {
        return;
    }
    if (ranked_.size() >= ranked_limit) {
        order();
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        ranked_[block + i] = rank;
    }
}

Result<void> BlockCache::append(std::uint64_t block, std::span<const std::byte> bytes, Use use, Rank rank) {
    PLUGFS_TRY(make_room(bytes.size()));
    note_rank(block, bytes.size() / medium_.block_size, rank);
    const auto& record = log_->append(epoch_, block, bytes,
                                      rank == Rank::entry  ? DirtyLog::Kind::write_entry
                                      : rank == Rank::link ? DirtyLog::Kind::write_link
                                                           : DirtyLog::Kind::write);
    ordered_ = false;
    dirty_.put({record.block, record.count, record.bytes, record.sequence});
    const std::uint64_t offset = block * medium_.block_size;
    pages_.changed(offset, bytes);
    // What fills a page of metadata is kept, too: it will be looked at again.
    if (use == Use::metadata && bytes.size() <= kept_read) {
        for (std::size_t at = (PageCache::page_size - (offset % PageCache::page_size)) % PageCache::page_size;
             at + PageCache::page_size <= bytes.size(); at += PageCache::page_size) {
            pages_.put((offset + at) / PageCache::page_size, bytes.subspan(at, PageCache::page_size));
        }
    }
    if (!dirty_since_) {
        dirty_since_ = Clock::now();
    }
    return {};
}

Result<void> BlockCache::make_room(std::size_t bytes) {
    while (!log_->fits(bytes)) {
        const auto more = write_back_->step_to_end();
        if (!more) {
            return failed(more.error());
        }
        failures_ = 0;
        if (!*more) {
            return fail(EFBIG, "write", "more than fits in one transaction");
        }
    }
    return {};
}

void BlockCache::order() {
    if (!ordered_) {
        ++epoch_;
        ordered_ = true;
        ranked_.clear();
    }
}

Result<void> BlockCache::commit() {
    log_->commit();
    return {};
}

Result<void> BlockCache::flush() {
    PLUGFS_TRY(commit());
    if (failure_) {
        return *failure_;
    }
    if (const auto done = write_back_->finish(); !done) {
        return failed(done.error());
    }
    failures_ = 0;
    emptied();
    return {};
}

void BlockCache::discard(std::uint64_t offset, std::uint64_t length) {
    constexpr std::uint64_t most = std::uint64_t{1} << 31U;  // blocks in one record
    if (!medium_.can_unmap || !writable() || offset > size() || length > size() - offset) {
        return;
    }
    std::uint64_t block = (offset + medium_.block_size - 1) / medium_.block_size;
    const std::uint64_t end = (offset + length) / medium_.block_size;
    while (block < end && log_->fits(0)) {
        const std::uint64_t count = std::min(end - block, most);
        (void)log_->append_discard(epoch_, block, count);
        ordered_ = false;
        block += count;
        if (!dirty_since_) {
            dirty_since_ = Clock::now();
        }
    }
}

}  // namespace plugfs::storage
