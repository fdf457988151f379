// BlockCache: a logical unit as a BlockDevice.
//
// What is written goes into the dirty log (dirty_log.h), which outlives the process, and from there to the medium: all
// at once by flush(), or little by little by tend(), between other work (write_back.h). Readers see it at once.
// Metadata is kept (page_cache.h); data passes through, in transfers as large as they were asked for.
//
// When the device fails to take what was written three times in a row, it is not written to any more: flush() tells
// why, write() is refused, and what is in the log stays there to be read.
#pragma once

#include "drivers/storage/block_device.h"
#include "drivers/storage/cache/dirty_log.h"
#include "drivers/storage/cache/extent_map.h"
#include "drivers/storage/cache/page_cache.h"
#include "drivers/storage/cache/write_back.h"
#include "drivers/storage/logical_unit.h"

#include <plugfs/deadline.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::storage {

class BlockCache : public BlockDevice {
  public:
    struct Limits {
        std::size_t pages = 4096;                 // of metadata that are kept
        std::chrono::milliseconds old_age{1000};  // what is older is written back, used or not
        // More than that is, too, old or not: the device should be at work while somebody copies a file. Bytes; a
        // quarter of the log at most.
        std::size_t much = std::size_t{4} << 20U;
        std::chrono::milliseconds quiet{5000};  // after that the log's memory is given back
    };

    // A cache of what is in `unit`, which must be open with `medium`, and outlive it. `memory` is memory that outlives
    // the process (Host::lasting_memory()): what a predecessor committed for this very medium goes on from there.
    // `lost` says what of it could not be used, and why; empty: everything was. Errors are the unit's, and EINVAL: too
    // little memory.
    static Result<std::unique_ptr<BlockCache>> create(LogicalUnit& unit, const Medium& medium,
                                                      std::span<std::byte> memory, const Limits& limits,
                                                      std::string& lost);

    [[nodiscard]] std::uint32_t block_size() const override { return medium_.block_size; }
    [[nodiscard]] std::uint64_t size() const override { return medium_.block_size * medium_.block_count; }
    [[nodiscard]] bool writable() const override { return !medium_.write_protected && !failure_; }
    [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> out, Use use) override;
    // Besides the errors of BlockDevice EFBIG: what has been written since the last commit() is more than the log can
    // hold.
    [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) override;
    [[nodiscard]] Result<void> write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use use,
                                            Rank rank) override;
    void order() override;
    [[nodiscard]] Result<void> commit() override;
    [[nodiscard]] Result<void> flush() override;
    void discard(std::uint64_t offset, std::uint64_t length) override;

    // Begins to write one piece of what should be written back by now, or takes the result. Does not wait for the
    // device. Returns when it wants to be called again: 0, there is more to do, when nobody waits. An error has been
    // counted (see above) and may be only told.
    [[nodiscard]] Result<std::chrono::milliseconds> tend();
    // What tend() has begun: see Driver::in_flight().
    [[nodiscard]] InFlight in_flight() {
        (void)unit_.finished();  // what is read ahead goes on, too
        return write_back_->in_flight();
    }
    // Bytes that wait in the log, its own records with them.
    [[nodiscard]] std::uint64_t dirty_bytes() const { return log_->used(); }
    // 64 bits that a successor finds as they were, if the medium is still the same; 0 at first.
    [[nodiscard]] std::uint64_t remarks() const { return log_->remarks(); }
    void set_remarks(std::uint64_t remarks) { log_->set_remarks(remarks); }
    // Why it is not written to any more.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

  private:
    // Metadata beyond this is no metadata. Bytes.
    static constexpr std::size_t kept_read = std::size_t{256} << 10U;

    BlockCache(LogicalUnit& unit, const Medium& medium, const Limits& limits)
        : unit_(unit), medium_(medium), limits_(limits), dirty_(medium.block_size), pages_(limits.pages) {}
    Result<void> set_up(std::span<std::byte> memory, std::string& lost);
    [[nodiscard]] Result<void> check_range(std::uint64_t offset, std::size_t length, const char* what) const;
    Result<void> read_pages(std::uint64_t offset, std::span<std::byte> out);
    Result<void> load_pages(std::uint64_t page, std::uint64_t last);
    Result<void> read_data(std::uint64_t offset, std::span<std::byte> out);
    Result<void> read_in_sequence(std::uint64_t block, std::span<std::byte> out);
    // Whole blocks, from the medium and the log.
    Result<void> read_blocks(std::uint64_t block, std::span<std::byte> out);
    // A write as whole blocks; what of them is not written is read.
    Result<std::span<const std::byte>> whole_blocks(std::uint64_t offset, std::span<const std::byte> bytes);
    Result<void> append(std::uint64_t block, std::span<const std::byte> bytes, Use use, Rank rank);
    void note_rank(std::uint64_t block, std::uint64_t count, Rank rank);
    Result<void> make_room(std::size_t bytes);
    [[nodiscard]] bool much_waits() const;
    void begin_draining();
    void emptied();
    std::chrono::milliseconds give_back_when_quiet(Deadline::Clock::time_point now);
    // Counts failures in a row.
    Error failed(const Error& error);

    LogicalUnit& unit_;
    Medium medium_;
    Limits limits_;
    std::unique_ptr<DirtyLog> log_;
    std::unique_ptr<WriteBack> write_back_;
    ExtentMap dirty_;
    PageCache pages_;
    std::vector<std::byte> scratch_;
    std::vector<std::byte> edge_;
    std::uint64_t epoch_ = 1;
    bool ordered_ = true;                   // nothing has been written in this epoch
    std::map<std::uint64_t, Rank> ranked_;  // blocks that were, in a higher rank than content: the highest
    std::uint64_t next_page_ = 0;           // where metadata that is read in sequence would go on
    std::uint64_t pages_ahead_ = 1;         // how many pages are read then
    std::uint64_t next_block_ = 0;          // where data that are read in sequence would go on
    bool fast_ = false;                     // the device, when they were read last
    std::optional<Deadline::Clock::time_point> dirty_since_;
    // tend() goes on until everything up to that record is on the medium.
    std::optional<std::uint64_t> draining_to_;
    Deadline::Clock::time_point drain_began_;
    std::optional<Deadline::Clock::time_point> emptied_;  // the log, and it has not given back memory since
    unsigned failures_ = 0;                               // in a row
    Deadline::Clock::time_point try_again_;
    std::optional<Error> failure_;
};

}  // namespace plugfs::storage
