// Bulk-Only Transport: USB Mass Storage Class, Bulk-Only Transport, revision 1.0.
//
// One command at a time: the CBW, the data, and the CSW. At SuperSpeed, CBW and data are queued together. At lower
// speeds a host controller may ask the IN endpoint before it has sent the CBW, which some devices answer with a halt;
// and data take so long there that waiting for the CBW costs nothing. The CSW is asked for when the data have come,
// because a device may halt the endpoint in between, and some hang when it is asked for too early.
//
//   command: CBW and data queued ──► data done ──► CSW asked for ──► valid and meaningful: done
//      │ CBW halted                    │ halted: clear it, go on      │ halted or empty: once more
//      ▼                               ▼                              ▼ anything else
//   reset recovery (5.3.4): Bulk-Only Mass Storage Reset, both halts cleared. A command that fails right after one has
//   the device reset on its port. Whatever the device does of the thirteen cases (6.7), it ends in one of these.
//
// A command that is called off (its reader was interrupted) is not left half done: the rest of its data are taken and
// thrown away, which takes less than a reset and which every device can stand.
#pragma once

#include "drivers/storage/scsi/bulk_only_wrappers.h"

#include <plugfs/usb.h>

#include <memory>

namespace plugfs::storage {

struct BulkOnlyPipes {
    std::uint8_t interface_number = 0;
    std::uint8_t alternate_setting = 0;
    usb::Endpoint in;
    usb::Endpoint out;
};

class BulkOnlyTransport : public ScsiTransport {
  public:
    // The interface is claimed and set. Gets the device into a known state, whatever it was in the middle of, and asks
    // how many logical units there are. `device` must outlive the transport.
    static Result<std::unique_ptr<BulkOnlyTransport>> create(usb::Device& device, const BulkOnlyPipes& pipes);

    [[nodiscard]] std::uint8_t last_unit() const override { return last_unit_; }
    [[nodiscard]] bool reports_units() const override { return false; }
    [[nodiscard]] Result<void> begin(std::uint8_t /*unit*/) override { return {}; }  // create() has done it
    [[nodiscard]] std::size_t depth() const override { return 1; }
    [[nodiscard]] std::size_t best_transfer() const override { return best_transfer_; }
    [[nodiscard]] std::uint64_t resets() const override { return resets_; }

  protected:
    void begin_row(std::uint8_t unit, std::span<const ScsiCommand> commands) override;
    [[nodiscard]] bool row_ended() override;
    [[nodiscard]] ScsiBatch end_row() override;

  private:
    // A command under way.
    struct Task {
        const ScsiCommand* command = nullptr;
        Deadline deadline = Deadline::after({});
        enum class Stage : std::uint8_t { wrapper, data, status } stage = Stage::wrapper;  // what is waited for
        Result<void> going;  // it could not go on by itself
    };

    BulkOnlyTransport(usb::Device& device, const BulkOnlyPipes& pipes);
    Result<void> create_transfers();
    Result<void> grow(std::unique_ptr<usb::Transfer>& transfer, std::uint8_t endpoint, std::size_t length);
    Result<std::uint8_t> ask_last_unit();

    void begin_next();
    void end_next();
    [[nodiscard]] bool has_next(const Task& task) const;
    [[nodiscard]] Task begin_command(std::uint8_t unit, const ScsiCommand& command);
    // Goes on as far as that needs no waiting. True: end_command() need not wait either, or has something to mend.
    [[nodiscard]] bool go_on(Task& task);
    // Waits for its end.
    Result<ScsiOutcome> end_command(Task& task);
    // The same with the sense data that go with it, and the device back in a known state if it fails.
    Result<ScsiOutcome> end_or_recover(std::uint8_t unit, Task& task);
    Result<void> ask_for_sense(std::uint8_t unit, ScsiOutcome& outcome);
    Result<void> send_wrapper(std::uint8_t unit, const ScsiCommand& command);
    static void forgive_delay(Task& task);
    Result<void> wrapper_sent(Task& task);
    Result<void> ask_for_status(Task& task, std::size_t moved);
    Result<ScsiOutcome> finish(Task& task, std::size_t moved);
    Result<void> post_data(const ScsiCommand& command);
    Result<std::size_t> move_data(const ScsiCommand& command, Deadline deadline);
    Result<std::size_t> call_off(const ScsiCommand& command, std::size_t moved);
    // Waits for the CSW, which has been asked for.
    Result<StatusWrapper> read_status(std::size_t data_length, Deadline deadline);
    [[nodiscard]] std::size_t counted(const ScsiCommand& command, std::size_t moved, std::uint32_t residue);
    void stop_transfers();

    // ENODEV, or the device is as good as new.
    Result<void> recover();
    Result<void> reset_recovery();

    usb::Device& device_;
    BulkOnlyPipes pipes_;
    bool queues_;  // data together with their CBW
    std::size_t best_transfer_;
    std::uint8_t last_unit_ = 0;
    std::uint32_t tag_ = 0;
    std::uint64_t resets_ = 0;
    // The row under way: batch_.good of its commands have ended, and task_ is the next one.
    std::span<const ScsiCommand> row_;
    std::uint8_t unit_ = 0;
    bool row_over_ = true;
    ScsiBatch batch_;
    Task task_;
    // Data that have come for the last command, and are copied when the next one is under way.
    std::span<const std::byte> came_;
    std::span<std::byte> to_;
    std::size_t sense_length_ = 18;       // what is asked for: more than that only of a device that has had more
    bool residue_means_nothing_ = false;  // the device has given one where there was none
    bool recovered_just_now_ = false;     // since the last command that came to its end
    std::unique_ptr<usb::Transfer> command_;
    std::unique_ptr<usb::Transfer> status_;
    std::unique_ptr<usb::Transfer> data_in_;
    std::unique_ptr<usb::Transfer> other_data_in_;  // takes turns with data_in_ when that holds data that stay
    bool data_in_held_ = false;
    std::unique_ptr<usb::Transfer> data_out_;
};

}  // namespace plugfs::storage
