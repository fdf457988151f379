// UAS: USB Attached SCSI (T10/2095-D). Commands have tags, and several of them are under way at a time.
//
// With streams (SuperSpeed), a command's data and status travel on the stream with the number of its tag, and all three
// transfers are posted together. Without (high speed), the device says in the status pipe when it wants to move data:
//
//                with streams                            without
//   posted:      status and data on stream, command      command
//   data:        when the device likes                   READ READY or WRITE READY with the tag: the transfer is posted
//   done:        SENSE with the tag                      SENSE with the tag
//
// Whatever goes wrong on the bus, all commands that are under way are given up, and the device is reset on its port:
// the only thing that is sure to bring UAS devices back. At the start, what a predecessor had under way is ended with
// LOGICAL UNIT RESET, or with the same reset where a device does not know that.
#pragma once

#include "drivers/storage/scsi/uas_units.h"

#include <plugfs/usb.h>

#include <deque>
#include <memory>

namespace plugfs::storage {

struct UasPipes {
    std::uint8_t interface_number = 0;
    std::uint8_t alternate_setting = 0;
    usb::Endpoint command;
    usb::Endpoint status;
    usb::Endpoint data_in;
    usb::Endpoint data_out;
};

class UasTransport : public ScsiTransport {
  public:
    // The interface is claimed. Chooses its setting, gets streams where there are any, and gets the device into a known
    // state. ENOTSUP: it has to have streams at this speed, and there are none. `device` must outlive the transport.
    static Result<std::unique_ptr<UasTransport>> create(usb::Device& device, const UasPipes& pipes);

    [[nodiscard]] std::uint8_t last_unit() const override { return 0; }
    [[nodiscard]] bool reports_units() const override { return true; }
    [[nodiscard]] Result<void> begin(std::uint8_t unit) override;
    [[nodiscard]] std::size_t depth() const override { return slots_.size(); }
    [[nodiscard]] std::size_t best_transfer() const override { return best_transfer_; }
    [[nodiscard]] std::uint64_t resets() const override { return resets_; }
    [[nodiscard]] bool has_streams() const { return streams_ > 0; }

  protected:
    void begin_row(std::uint8_t unit, std::span<const ScsiCommand> commands) override;
    [[nodiscard]] bool row_ended() override;
    [[nodiscard]] ScsiBatch end_row() override;

  private:
    using Owned = std::unique_ptr<usb::Transfer>;

    // What one command has for itself: its tag, which is that of its stream, and its transfers.
    struct Slot {
        std::uint16_t tag = 0;
        Owned command;
        Owned status;  // with streams
        Owned data_in;
        Owned data_out;
    };
    // A command under way.
    struct Task {
        const ScsiCommand* command = nullptr;
        Slot* slot = nullptr;
        Deadline deadline = Deadline::after({});
        bool data_posted = false;
        bool ended = false;  // its status has come
        StatusUnit status;
        std::size_t moved = 0;
    };

    UasTransport(usb::Device& device, const UasPipes& pipes);
    Result<void> set_up();
    Result<void> create_transfers();
    Result<void> grow(Owned& transfer, const usb::Endpoint& endpoint, std::size_t length);

    void start_more();
    void end_first();
    // Goes on with it as far as that needs no waiting. True: finish() need not wait either, or has something to mend.
    [[nodiscard]] bool go_on(Task& task);
    Result<void> start(std::uint8_t unit, const ScsiCommand& command, Slot& slot);
    Result<void> post_data(Task& task);
    Result<void> post_status(Slot& slot);
    // Waits for the task's end, and does for others what they need in the meantime.
    Result<ScsiOutcome> finish(Task& task);
    Result<void> wait_for_end(Task& task);
    Result<StatusUnit> next_status(Task& task);
    Result<void> take_status(const StatusUnit& unit);
    Result<void> end_data(Task& task);
    // All tasks are waited for: the device has nothing of ours any more.
    Result<void> drain();
    void stop_transfers();

    Result<void> reset_unit(std::uint8_t unit);
    Result<void> recover();

    usb::Device& device_;
    UasPipes pipes_;
    std::size_t best_transfer_;
    std::uint16_t streams_ = 0;  // 0: the bus has none
    std::uint64_t resets_ = 0;
    std::vector<Slot> slots_;
    Owned status_;                // without streams
    bool status_posted_ = false;  // and nobody has waited for it yet
    std::deque<Task> tasks_;
    // The row under way: batch_.good of its commands have ended, started_ have been started.
    std::span<const ScsiCommand> row_;
    std::uint8_t unit_ = 0;
    std::size_t started_ = 0;
    std::size_t first_slot_ = 0;  // of the row's first command
    bool row_over_ = true;
    ScsiBatch batch_;
    Result<void> going_;  // it could not go on by itself
    bool called_off_ = false;
    unsigned strays_ = 0;  // status units that belong to nobody, since the last one that did
};

}  // namespace plugfs::storage
