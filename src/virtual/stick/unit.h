// StickUnit: one logical unit of a virtual stick: a SCSI block device (SPC-4, SBC-3) on a StickMedium.
//
// Whoever carries commands to it (bulk_only_target.h, uas_target.h) asks first how much data a command comes with, and
// then has it executed with them.
#pragma once

#include "virtual/stick/faults.h"
#include "virtual/stick/medium.h"

#include <chrono>
#include <deque>
#include <functional>

namespace plugfs::virtual_usb {

// SENSE KEY, ADDITIONAL SENSE CODE and its QUALIFIER.
struct StickSense {
    std::uint8_t key = 0;
    std::uint8_t code = 0;
    std::uint8_t qualifier = 0;
    std::optional<std::uint64_t> information;
};

struct StickAnswer {
    using Clock = std::chrono::steady_clock;
    std::uint8_t status = 0;  // SAM-5, 5.3.1
    std::vector<std::byte> data;
    std::vector<std::byte> sense;  // with status 02h
    Clock::time_point not_before = Clock::time_point::min();
};

// What a command descriptor block asks for, as far as a transport has to know.
struct StickExpectation {
    std::uint64_t out = 0;  // bytes of data that it comes with
    bool too_much = false;  // more than a unit takes
};

struct StickIdentity {
    std::string vendor = "plugfs";
    std::string product = "Virtual stick";
    std::string serial_number;
    bool removable = true;
};

class StickUnit {
  public:
    // The longest data of one command.
    static constexpr std::size_t transfer_limit = std::size_t{4} << 20U;

    // Without a medium: an empty card reader. `faults` must outlive it.
    StickUnit(StickIdentity identity, StickFaults& faults) : identity_(std::move(identity)), faults_(faults) {}

    void insert(std::unique_ptr<StickMedium> medium);
    void remove();
    // The medium, or null.
    [[nodiscard]] StickMedium* medium() const { return medium_.get(); }
    // How many logical units the stick has, for REPORT LUNS.
    std::uint8_t unit_count = 1;
    // Called when the fault power-cut-after strikes.
    std::function<void()> power_fails;
    // Without power it does nothing that it is told.
    void set_power(bool on) { powered_ = on; }

    [[nodiscard]] StickExpectation expectation(std::span<const std::byte> cdb) const;
    [[nodiscard]] StickAnswer execute(std::span<const std::byte> cdb, std::span<const std::byte> out);
    // Power on, or a reset: reported as unit attention.
    void reset();
    // Commands executed so far, by operation code.
    [[nodiscard]] const std::map<std::uint8_t, std::uint64_t>& counts() const { return counts_; }

  private:
    using Cdb = std::span<const std::byte>;
    StickAnswer dispatch(Cdb cdb, std::span<const std::byte> out);
    StickAnswer failed(const StickSense& sense);
    std::optional<StickSense> not_executed(std::uint8_t operation);
    std::optional<StickSense> not_ready();
    StickAnswer inquiry(Cdb cdb) const;
    [[nodiscard]] std::optional<std::vector<std::byte>> vital_page(std::uint8_t page) const;
    StickAnswer request_sense(Cdb cdb);
    StickAnswer mode_sense(Cdb cdb, bool ten);
    StickAnswer start_stop(Cdb cdb);
    StickAnswer read_capacity(bool sixteen, std::size_t length);
    StickAnswer read(std::uint64_t block, std::uint64_t count);
    StickAnswer write(std::uint64_t block, std::uint64_t count, std::span<const std::byte> out);
    StickAnswer synchronize();
    StickAnswer unmap(std::span<const std::byte> parameters);
    StickAnswer report_luns() const;
    [[nodiscard]] bool write_protected() const;
    [[nodiscard]] std::uint64_t claimed_blocks() const;
    // Blocks that the medium has: those that a lying capacity adds are where others are.
    [[nodiscard]] std::uint64_t real_block(std::uint64_t block) const { return block % medium_->block_count(); }
    StickAnswer::Clock::time_point time_for(std::size_t bytes);

    StickIdentity identity_;
    StickFaults& faults_;
    std::unique_ptr<StickMedium> medium_;
    std::unique_ptr<StickMedium> ejected_;  // still there, to be loaded again
    std::deque<StickSense> attentions_;     // each is reported once
    std::vector<std::byte> last_sense_;     // for REQUEST SENSE
    bool powered_ = true;
    bool started_ = false;    // START STOP UNIT came (the fault to-be-started)
    bool prevented_ = false;  // the medium must not be removed
    std::map<std::uint8_t, std::uint64_t> counts_;
    std::uint64_t writes_ = 0;
    StickAnswer::Clock::time_point busy_until_ = StickAnswer::Clock::time_point::min();
};

// Sense data in fixed or descriptor format.
[[nodiscard]] std::vector<std::byte> stick_sense(const StickSense& sense, bool descriptor_format);

}  // namespace plugfs::virtual_usb
