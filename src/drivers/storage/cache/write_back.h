// WriteBack: brings what is in the dirty log to the medium, in small steps, in order.
//
//   idle -> a batch: the oldest committed records of one epoch, each block's newest content, sorted and merged
//        -> transfers of content, one a step -> SYNCHRONIZE CACHE, and links -> SYNCHRONIZE CACHE, and entries
//        -> the batch is written -> ... -> confirmed (by a SYNCHRONIZE CACHE of the next one, or of its own): released
//        in the log
//
// Each transfer and confirmation is begun by one step and ended by a later one: in between the device works, and others
// are served.
//
// Within an epoch the order does not matter otherwise; before the next epoch's first block is sent, what has been
// written is confirmed. Only what is confirmed leaves the log: a device that loses power loses its own cache, and what
// was in it is written again by a successor.
#pragma once

#include "drivers/storage/cache/dirty_log.h"
#include "drivers/storage/cache/extent_map.h"
#include "drivers/storage/logical_unit.h"

#include <plugfs/driver.h>

#include <chrono>
#include <deque>
#include <functional>
#include <vector>

namespace plugfs::storage {

class WriteBack {
  public:
    // Called with each record just before the log forgets it.
    using Released = std::function<void(const DirtyLog::Record&)>;

    // `unit` and `log` must outlive it. `first_block` is block 0 as it is on the medium: it changes, and the log's
    // fingerprint with it.
    WriteBack(LogicalUnit& unit, const Medium& medium, DirtyLog& log, std::vector<std::byte> first_block,
              Released released);

    // Waits for what is under way.
    ~WriteBack() { (void)unit_.finish(); }
    WriteBack(const WriteBack&) = delete;
    WriteBack& operator=(const WriteBack&) = delete;

    enum class Step : std::uint8_t { done, more, under_way };
    // Begins one transfer or one confirmation, or takes the result of the last one; does not wait for the device: then
    // it is under way. Done: all that is committed is on the medium and confirmed, or all records with a sequence
    // number up to `goal` are. After an error the same is tried again by the next call.
    [[nodiscard]] Result<Step> step(std::uint64_t goal = UINT64_MAX);
    // The same, but waits for the end of what is under way. False: done.
    [[nodiscard]] Result<bool> step_to_end();
    // All of it; waits for the device.
    [[nodiscard]] Result<void> finish();
    // Nothing, or whether the next step() would find it under way; goes on with it by itself.
    [[nodiscard]] InFlight in_flight();

    // Of block 0.
    [[nodiscard]] static std::uint64_t fingerprint_of(std::span<const std::byte> first_block) {
        return checksum64(first_block);
    }

  private:
    struct Transfer {
        std::uint64_t block = 0;
        std::uint64_t count = 0;
        std::vector<std::span<const std::byte>> parts;  // none: discarded, or a barrier if there are no blocks
    };
    void plan();
    void bridge(ExtentMap& links, const ExtentMap& content) const;
    void add_pieces(const ExtentMap& pieces);
    void add_piece(std::uint64_t block, std::uint64_t count, const std::byte* bytes);
    Result<void> begin_next();
    Result<void> begin_write(const Transfer& transfer);
    void begin_confirmation();
    Result<void> take_result();
    void sent();
    [[nodiscard]] std::span<const std::byte> bytes_of(const Transfer& transfer);
    Result<void> before_first_block(std::span<const std::byte> bytes);
    void confirmed();
    void release_written();
    void adapt(std::chrono::nanoseconds took, std::size_t bytes);

    LogicalUnit& unit_;
    Medium medium_;
    DirtyLog& log_;
    Released released_;
    std::vector<std::byte> first_block_;
    std::deque<Transfer> transfers_;
    std::size_t planned_ = 0;   // records that these bring to the medium, and all before them
    std::size_t written_ = 0;   // records that have been sent
    bool unconfirmed_ = false;  // something has been sent since the device was last told to empty its cache
    enum class Begun : std::uint8_t { nothing, transfer, confirmation } begun_ = Begun::nothing;
    std::chrono::steady_clock::time_point begun_at_;
    std::size_t chunk_;  // bytes of a transfer: what the device moves in a short time
    std::vector<std::byte> staging_;
};

}  // namespace plugfs::storage
