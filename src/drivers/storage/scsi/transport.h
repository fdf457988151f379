// ScsiTransport: how SCSI commands reach a USB device: Bulk-Only Transport (bulk_only_transport.h) or UAS
// (uas_transport.h).
//
// A transport moves commands, data and status. What a status or sense data means is not its concern, except that it has
// the sense data brought along with the status (in UAS they come together; Bulk-Only Transport asks for them at once,
// because the next command would discard them). When something goes wrong on the bus it gets the device back into a
// known state before it returns, so the next command finds it ready.
#pragma once

#include <plugfs/result.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace plugfs::storage {

inline constexpr std::size_t cdb_capacity = 16;
// Sense data that are asked for, and kept (SPC-4, 4.5: 252 at most).
inline constexpr std::size_t sense_limit = 252;

// SAM-5, 5.3.1. Other values may come, too.
enum class ScsiStatus : std::uint8_t {
    good = 0x00,
    check_condition = 0x02,
    condition_met = 0x04,
    busy = 0x08,
    reservation_conflict = 0x18,
    task_set_full = 0x28,
};

struct ScsiCommand {
    std::string_view name;  // as the standards spell it; for error messages
    std::array<std::byte, cdb_capacity> cdb{};
    std::size_t cdb_length = 6;  // 6, 10, 12 or 16
    // Where its data go; or how many come, which stay in the transport's memory (ScsiBatch::in_place); or its data. At
    // most one of the three is not empty.
    std::span<std::byte> in;
    std::size_t in_place = 0;
    std::span<const std::byte> out;
    std::chrono::milliseconds limit{};  // how long the device may take
    bool may_be_called_off = false;     // a wait for `in` may (Deadline::unless_called_off())
    bool all_or_nothing = false;        // less data than asked for is an error

    // Bytes that come, and bytes of data in all.
    [[nodiscard]] std::size_t in_length() const { return in.size() + in_place; }
    [[nodiscard]] std::size_t length() const { return in_length() + out.size(); }
};

struct ScsiOutcome {
    ScsiStatus status = ScsiStatus::good;
    std::size_t moved = 0;         // bytes of data that count: at most what was asked for, less the residue
    std::vector<std::byte> sense;  // with check_condition; as it came, sense_limit bytes at most; may be empty
};

// What became of a row of commands: the first `good` ones ended with ScsiStatus::good, and all of their data moved; the
// next one, if there is one, ended with `stopped`. Those behind it may have been executed or not, and none is running
// any more.
struct ScsiBatch {
    std::size_t good = 0;
    Result<ScsiOutcome> stopped = ScsiOutcome{};
    // The data of the last one that ended well, if they were to stay: until the next command but one is begun.
    std::span<const std::byte> in_place;
};

class ScsiTransport {
  public:
    virtual ~ScsiTransport() = default;
    ScsiTransport() = default;
    ScsiTransport(const ScsiTransport&) = delete;
    ScsiTransport& operator=(const ScsiTransport&) = delete;

    // The highest number of a logical unit, 15 at most; 0 where REPORT LUNS has to be asked (reports_units()).
    [[nodiscard]] virtual std::uint8_t last_unit() const = 0;
    [[nodiscard]] virtual bool reports_units() const = 0;
    // Before the first command to a unit: ends what a predecessor may have under way there.
    [[nodiscard]] virtual Result<void> begin(std::uint8_t unit) = 0;

    // Executes the commands in order, several of them at a time where the transport can. `stopped` may be an error:
    //   ENODEV     the device is gone
    //   ETIMEDOUT  a command was not done within its limit; it has been ended
    //   ECANCELED  called off; the device is ready for the next command
    //   EIO        the device broke the protocol, or the bus failed; trying again may help
    [[nodiscard]] ScsiBatch run(std::uint8_t unit, std::span<const ScsiCommand> commands);
    // The same in three parts, so that the device works while something else is done: post() tells it, and returns;
    // the commands and their data must stay where they are until collect(). ended() goes on with them as far as that
    // needs no waiting, and says whether collect() would have to wait: to be asked after each event of the device's.
    // One row at a time: post() is false, and has done nothing, before collect() has been called for the last one. What
    // else is asked of the transport meanwhile waits for the end of the row, whose result is kept for collect().
    [[nodiscard]] bool post(std::uint8_t unit, std::span<const ScsiCommand> commands);
    [[nodiscard]] bool ended();
    [[nodiscard]] ScsiBatch collect();

    // How many commands make sense in one run() of large transfers, and how much data in each.
    [[nodiscard]] virtual std::size_t depth() const = 0;
    [[nodiscard]] virtual std::size_t best_transfer() const = 0;
    // Counts the resets that the device has been put through: whoever sees it change knows why a unit attention comes.
    [[nodiscard]] virtual std::uint64_t resets() const = 0;

  protected:
    // What run(), post(), ended() and collect() are made of: a row is begun, and nothing else before it has ended.
    virtual void begin_row(std::uint8_t unit, std::span<const ScsiCommand> commands) = 0;
    [[nodiscard]] virtual bool row_ended() = 0;  // as ended()
    [[nodiscard]] virtual ScsiBatch end_row() = 0;

  private:
    bool posted_ = false;                // a row is under way, for collect()
    std::optional<ScsiBatch> finished_;  // the row that was under way when something else was asked
};

// Bytes that a transfer of `length` bytes from an IN endpoint is posted with: whole packets, at least one.
[[nodiscard]] inline std::size_t whole_packets(std::size_t length, std::size_t packet_size) {
    const std::size_t packets = (length + packet_size - 1) / packet_size;
    return (packets == 0 ? 1 : packets) * packet_size;
}

}  // namespace plugfs::storage
