// DirtyLog: what has been written and is not on the medium yet, in memory that outlives the process.
//
// A ring of records, oldest first: what was written (blocks and their content), and where a transaction ends. Writing
// back goes from the front; what is on the medium, confirmed, is released there.
//
//   header     one page: whose log this is, where the ring begins and up to where it counts
//   ring       records, each a header of 64 bytes and its blocks; one never goes round the end of the ring: a filler
//              comes before
//
// Positions count up for ever; the place in the ring is the remainder. When all has been released the next record goes
// to the beginning of the ring: who writes little touches little of it. A record takes effect when the position behind
// the end of its transaction is stored in the header: one word, so a process may die at any moment. The successor
// checks all that it finds, content too: the writer has crashed. From the first record on that does not hold nothing
// counts.
#pragma once

#include "drivers/storage/cache/checksum.h"
#include "drivers/storage/cache/ring_memory.h"

#include <plugfs/result.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace plugfs::storage {

class DirtyLog {
  public:
    // A write_link is behind all writes of its epoch that come before it, a write_entry behind those, too.
    enum class Kind : std::uint32_t { write = 1, discard = 2, commit = 3, filler = 4, write_entry = 5, write_link = 6 };

    // A write or a discard.
    struct Record {
        Kind kind = Kind::write;
        std::uint64_t sequence = 0;  // counts up
        std::uint64_t epoch = 0;     // never less than that of an earlier record
        std::uint64_t block = 0;
        std::uint64_t count = 0;
        const std::byte* bytes = nullptr;  // in the ring; null for a discard
        std::uint64_t end = 0;             // position behind it
    };
    // Of whose blocks: what is found must be of the same medium.
    struct Medium {
        std::uint64_t identity = 0;
        std::uint32_t block_size = 0;
        std::uint64_t block_count = 0;
    };
    // What was found at the beginning.
    struct Found {
        std::size_t records = 0;
        std::string damage;  // what did not hold; empty: nothing
    };

    static constexpr std::size_t header_size = 4096;
    static constexpr std::size_t record_header_size = 64;
    static constexpr std::size_t smallest = std::size_t{256} << 10U;  // of the memory, in bytes
    static constexpr std::size_t kept_when_empty = std::size_t{1} << 20U;
    static constexpr std::size_t record_limit = std::size_t{1} << 20U;  // bytes of content in one

    // Reads what a predecessor has left there for this medium; of another one's, or none, it begins anew. `memory`
    // (page-aligned) must outlive it. EINVAL: the memory is too small.
    static Result<std::unique_ptr<DirtyLog>> open(std::span<std::byte> memory, const Medium& medium);
    [[nodiscard]] const Found& found() const { return found_; }

    // Whether a record of so many bytes fits now, and the end of its transaction behind it.
    [[nodiscard]] bool fits(std::size_t bytes) const;
    // Adds a record, which must fit. `bytes`: whole blocks, at most record_limit; they are copied.
    const Record& append(std::uint64_t epoch, std::uint64_t block, std::span<const std::byte> bytes,
                         Kind kind = Kind::write);
    const Record& append_discard(std::uint64_t epoch, std::uint64_t block, std::uint64_t count);
    // What was added since the last time takes effect together.
    void commit();
    [[nodiscard]] bool has_uncommitted() const { return head_ != committed_; }

    // All records that have not been released, oldest first; the first committed_count() of them are committed.
    [[nodiscard]] const std::deque<Record>& records() const { return records_; }
    [[nodiscard]] std::size_t committed_count() const { return committed_count_; }
    // Forgets the first `count` records, which are committed.
    void release(std::size_t count);
    // Forgets everything.
    void clear();
    // Gives memory back that it does not need, if it is empty.
    void give_back_memory();
    [[nodiscard]] std::uint64_t used() const { return head_ - tail_; }  // bytes
    [[nodiscard]] std::uint64_t capacity() const { return ring_.size(); }

    // What the medium is recognised by, besides Medium: two values of which either may be there while it is changed.
    struct Fingerprint {
        std::uint64_t before = 0;
        std::uint64_t after = 0;
    };
    [[nodiscard]] Fingerprint fingerprint() const;
    void set_fingerprint(const Fingerprint& fingerprint);
    // 64 bits for whoever uses it, kept with the rest; 0 for another medium.
    [[nodiscard]] std::uint64_t remarks() const;
    void set_remarks(std::uint64_t remarks);

  private:
    struct Header;
    struct RecordHeader;
    DirtyLog(std::span<std::byte> memory, const Medium& medium);
    void begin_anew();
    void read_back();
    // The record at `position`, checked; an error says what is wrong with it.
    Result<RecordHeader> check(std::uint64_t position, std::uint64_t end) const;
    RecordHeader* place(Kind kind, std::size_t length);
    void rewind();
    const Record& add(Kind kind, std::uint64_t epoch, std::uint64_t block, std::uint64_t count,
                      std::span<const std::byte> bytes);
    [[nodiscard]] std::byte* at(std::uint64_t position) const { return ring_.data() + (position % ring_.size()); }

    Header* header_;
    std::span<std::byte> ring_;
    RingMemory pages_;
    Medium medium_;
    Found found_;
    std::uint64_t tail_ = 0;       // what is released ends here
    std::uint64_t committed_ = 0;  // what counts ends here
    std::uint64_t head_ = 0;       // what is written ends here
    std::uint64_t sequence_ = 0;
    std::deque<Record> records_;
    std::size_t committed_count_ = 0;
};

}  // namespace plugfs::storage
