#include "drivers/storage/cache/dirty_log.h"

#include <algorithm>
#include <cstring>

namespace plugfs::storage {

namespace {

constexpr std::uint64_t log_magic = 0x32474f4c59545244;     // "DRTYLOG2"
constexpr std::uint64_t record_magic = 0x44524f4345523a44;  // "D:RECORD"
// No log has ever come so far.
constexpr std::uint64_t position_limit = std::uint64_t{1} << 62U;

constexpr std::size_t aligned(std::size_t length) {
    return (length + DirtyLog::record_header_size - 1) / DirtyLog::record_header_size * DirtyLog::record_header_size;
}

}  // namespace

struct DirtyLog::Header {
    std::uint64_t magic;
    std::uint64_t identity;
    std::uint64_t block_size;
    std::uint64_t block_count;
    std::uint64_t capacity;
    std::atomic<std::uint64_t> tail;
    std::atomic<std::uint64_t> committed;
    std::atomic<std::uint64_t> before;
    std::atomic<std::uint64_t> after;
    std::atomic<std::uint64_t> remarks;
};

struct DirtyLog::RecordHeader {
    std::uint64_t magic;
    std::uint64_t sequence;
    std::uint64_t epoch;
    std::uint64_t block;
    std::uint32_t count;
    Kind kind;
    std::uint64_t length;       // of the record with its header, as far as the next one
    std::uint64_t content_sum;  // of the blocks
    std::uint64_t sum;          // of all before it, and of the position

    [[nodiscard]] std::uint64_t sum_at(std::uint64_t position) const {
        return checksum64(std::as_bytes(std::span(this, 1)).first(offsetof(RecordHeader, sum)), position);
    }
};

namespace {

bool writes(DirtyLog::Kind kind) {
    return kind == DirtyLog::Kind::write || kind == DirtyLog::Kind::write_link || kind == DirtyLog::Kind::write_entry;
}

}  // namespace

DirtyLog::DirtyLog(std::span<std::byte> memory, const Medium& medium)
    : header_(reinterpret_cast<Header*>(memory.data())),
      ring_(memory.subspan(header_size, (memory.size() - header_size) / header_size * header_size)),
      pages_(ring_),
      medium_(medium) {
    static_assert(sizeof(RecordHeader) == record_header_size);
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
}

Result<std::unique_ptr<DirtyLog>> DirtyLog::open(std::span<std::byte> memory, const Medium& medium) {
    if (memory.size() < smallest) {
        return fail(EINVAL, "dirty log", "only " + std::to_string(memory.size()) + " bytes of memory");
    }
    std::unique_ptr<DirtyLog> log(new DirtyLog(memory, medium));
    const Header& header = *log->header_;
    if (header.magic == 0) {
        log->begin_anew();
    } else if (header.magic != log_magic || header.capacity != log->ring_.size()) {
        log->found_.damage = "the header is damaged";
        log->begin_anew();
    } else if (header.identity != medium.identity || header.block_size != medium.block_size ||
               header.block_count != medium.block_count) {
        if (header.tail != header.committed) {
            log->found_.damage = "it is of another medium";
        }
        log->begin_anew();
    } else {
        log->read_back();
    }
    return log;
}

void DirtyLog::begin_anew() {
    // Not valid while it is made.
    header_->magic = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    clear();
    header_->identity = medium_.identity;
    header_->block_size = medium_.block_size;
    header_->block_count = medium_.block_count;
    header_->capacity = ring_.size();
    set_fingerprint({});
    set_remarks(0);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    header_->magic = log_magic;
}

void DirtyLog::clear() {
    // First the end of what counts: a position before the beginning is an empty log, too.
    tail_ = committed_ = head_ = 0;
    header_->committed = 0;
    header_->tail = 0;
    records_.clear();
    committed_count_ = 0;
}

Result<DirtyLog::RecordHeader> DirtyLog::check(std::uint64_t position, std::uint64_t end) const {
    const auto wrong = [position](const char* what) {
        return fail(EIO, "dirty log", std::string(what) + " at " + std::to_string(position));
    };
    const std::uint64_t rest = std::min(end - position, ring_.size() - (position % ring_.size()));
    if (rest < record_header_size) {
        return wrong("no room for a record");
    }
    RecordHeader record{};
    std::memcpy(&record, at(position), sizeof record);
    if (record.magic != record_magic || record.sum != record.sum_at(position)) {
        return wrong("the checksum of a record does not match");
    }
    const std::uint64_t content = writes(record.kind) ? std::uint64_t{record.count} * medium_.block_size : 0;
    if (record.length > rest || record.length % record_header_size != 0 || content > record_limit ||
        record.length < record_header_size + content) {
        return wrong("a record's length is wrong");
    }
    const bool has_blocks = writes(record.kind) || record.kind == Kind::discard;
    if (has_blocks && (record.count == 0 || record.block >= medium_.block_count ||
                       record.count > medium_.block_count - record.block)) {
        return wrong("a record's blocks are not on the medium");
    }
    if (record.content_sum != checksum64({at(position) + record_header_size, content})) {
        return wrong("the content of a record has changed");
    }
    return record;
}

void DirtyLog::read_back() {
    const std::uint64_t tail = header_->tail;
    const std::uint64_t committed = header_->committed;
    if (committed <= tail && tail <= position_limit) {
        // Empty; rewind() may have died between its two words.
        head_ = tail;
        rewind();
        return;
    }
    if (committed <= tail || committed > position_limit || committed - tail > ring_.size() ||
        tail % record_header_size != 0) {
        found_.damage = "the positions are damaged";
        clear();
        return;
    }
    tail_ = committed_ = head_ = tail;
    for (std::uint64_t position = tail; position < committed;) {
        const auto record = check(position, committed);
        if (!record) {
            found_.damage = record.error().detail;
            break;
        }
        sequence_ = std::max(sequence_, record->sequence);
        const std::uint64_t end = position + record->length;
        if (writes(record->kind) || record->kind == Kind::discard) {
            if (!records_.empty() && record->epoch < records_.back().epoch) {
                found_.damage = "a record is out of order";
                break;
            }
            records_.push_back({record->kind, record->sequence, record->epoch, record->block, record->count,
                                writes(record->kind) ? at(position) + record_header_size : nullptr, end});
        } else if (record->kind == Kind::commit) {
            committed_ = end;
            committed_count_ = records_.size();
        } else if (record->kind != Kind::filler) {
            found_.damage = "a record of no known kind";
            break;
        }
        position = end;
    }
    if (found_.damage.empty() && committed_ != committed) {
        found_.damage = "the last transaction has no end";
    }
    records_.resize(committed_count_);
    head_ = committed_;
    header_->committed = committed_;
    found_.records = records_.size();
}

bool DirtyLog::fits(std::size_t bytes) const {
    // At worst a filler as long as the record comes before it. Room for the end of the transaction, which may need a
    // filler, too, is always left.
    const std::uint64_t needed = (2 * (record_header_size + aligned(bytes))) + (2 * record_header_size);
    return head_ - tail_ + needed <= ring_.size();
}

DirtyLog::RecordHeader* DirtyLog::place(Kind kind, std::size_t length) {
    const std::uint64_t to_end = ring_.size() - (head_ % ring_.size());
    if (length > to_end) {
        auto* filler = place(Kind::filler, to_end);
        filler->content_sum = checksum64({});
        filler->sum = filler->sum_at(head_ - to_end);
    }
    // Of a filler nothing is touched but its head.
    pages_.prepare(head_ % ring_.size(), kind == Kind::filler ? record_header_size : length);
    auto* record = reinterpret_cast<RecordHeader*>(at(head_));
    *record = {};
    record->magic = record_magic;
    record->sequence = ++sequence_;
    record->kind = kind;
    record->length = length;
    head_ += length;
    return record;
}

const DirtyLog::Record& DirtyLog::add(Kind kind, std::uint64_t epoch, std::uint64_t block, std::uint64_t count,
                                      std::span<const std::byte> bytes) {
    const std::size_t length = record_header_size + aligned(bytes.size());
    auto* record = place(kind, length);
    record->epoch = epoch;
    record->block = block;
    record->count = static_cast<std::uint32_t>(count);
    auto* content = reinterpret_cast<std::byte*>(record) + record_header_size;
    if (!bytes.empty()) {
        std::memcpy(content, bytes.data(), bytes.size());
    }
    record->content_sum = checksum64(bytes);
    record->sum = record->sum_at(head_ - length);
    records_.push_back({kind, record->sequence, epoch, block, count, bytes.empty() ? nullptr : content, head_});
    return records_.back();
}

const DirtyLog::Record& DirtyLog::append(std::uint64_t epoch, std::uint64_t block, std::span<const std::byte> bytes,
                                         Kind kind) {
    return add(kind, epoch, block, bytes.size() / medium_.block_size, bytes);
}

const DirtyLog::Record& DirtyLog::append_discard(std::uint64_t epoch, std::uint64_t block, std::uint64_t count) {
    return add(Kind::discard, epoch, block, count, {});
}

void DirtyLog::commit() {
    if (!has_uncommitted()) {
        return;
    }
    auto* record = place(Kind::commit, record_header_size);
    record->content_sum = checksum64({});
    record->sum = record->sum_at(head_ - record_header_size);
    committed_ = head_;
    committed_count_ = records_.size();
    header_->committed.store(committed_, std::memory_order_release);
}

void DirtyLog::release(std::size_t count) {
    count = std::min(count, committed_count_);
    if (count == 0) {
        return;
    }
    tail_ = count == committed_count_ ? committed_ : records_[count - 1].end;
    records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(count));
    committed_count_ -= count;
    header_->tail.store(tail_, std::memory_order_release);
    if (tail_ == head_) {
        rewind();
    }
}

// To the next position that is at the beginning of the ring. No position comes twice, so what is left of old records is
// never taken for new ones.
void DirtyLog::rewind() {
    tail_ = committed_ = head_ = (head_ + ring_.size() - 1) / ring_.size() * ring_.size();
    // In between the end of what counts is before its beginning: empty, too.
    header_->tail.store(tail_, std::memory_order_release);
    header_->committed.store(committed_, std::memory_order_release);
}

void DirtyLog::give_back_memory() {
    if (head_ == tail_) {
        pages_.give_back(std::max<std::size_t>(kept_when_empty, head_ % ring_.size()));
    }
}

std::uint64_t DirtyLog::remarks() const {
    return header_->remarks;
}

void DirtyLog::set_remarks(std::uint64_t remarks) {
    header_->remarks = remarks;
}

DirtyLog::Fingerprint DirtyLog::fingerprint() const {
    return {header_->before, header_->after};
}

void DirtyLog::set_fingerprint(const Fingerprint& fingerprint) {
    // `after` last when it is new, first when it takes the place of `before`: one of them is always what is there.
    header_->after = fingerprint.after;
    header_->before = fingerprint.before;
}

}  // namespace plugfs::storage
