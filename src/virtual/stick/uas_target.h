// UasTarget: a virtual stick's side of UAS (T10/2095-D).
//
// Commands are executed one after the other, in the order of their coming. At high speed the status pipe says when data
// may move; at SuperSpeed data and status go on the stream of the command's tag, and data for the device may come ahead
// of their command.
//
//   queued ──its turn──► (data out: WRITE READY, collecting ──all of them──►) executed: READ READY, data and SENSE are
//   queued for the host
#pragma once

#include "virtual/stick/unit.h"
#include "virtual/virtual_device.h"

namespace plugfs::virtual_usb {

inline constexpr std::uint8_t uas_command_pipe = 0x01;
inline constexpr std::uint8_t uas_status_pipe = 0x82;
inline constexpr std::uint8_t uas_data_in_pipe = 0x83;
inline constexpr std::uint8_t uas_data_out_pipe = 0x04;

class UasTarget : public VirtualDevice {
  public:
    // `device` without its interfaces. `units` (1 to 16) and `faults` must outlive it.
    UasTarget(DeviceDescription device, std::span<const std::unique_ptr<StickUnit>> units, StickFaults& faults);

    [[nodiscard]] const DeviceDescription& description() const override { return description_; }
    std::optional<std::vector<std::byte>> control(const usb::Setup& setup, bool in, std::span<const std::byte> data,
                                                  std::size_t length) override;
    bool out(std::uint8_t endpoint, std::span<const std::byte> bytes) override;
    bool out_on_stream(std::uint8_t endpoint, std::uint16_t stream, std::span<const std::byte> bytes) override;
    std::deque<InTransfer>& in(std::uint8_t endpoint) override;
    void reset() override;
    void halt_cleared(std::uint8_t endpoint) override;

  private:
    struct Task {
        std::uint16_t tag = 0;
        std::uint8_t unit = 0;
        std::vector<std::byte> cdb;
        bool ready_sent = false;  // WRITE READY
    };

    bool take_unit(std::span<const std::byte> bytes);
    void take_task_management(std::span<const std::byte> bytes);
    bool take_data(std::uint16_t stream, std::span<const std::byte> bytes);
    [[nodiscard]] bool may_go_on() const;
    // Executes what can be executed.
    void go_on();
    void execute(const Task& task, std::span<const std::byte> data);
    void answer_task(const Task& task, StickAnswer& answer);
    void send_data(const Task& task, StickAnswer& answer);
    void send_sense(const Task& task, const StickAnswer& answer);
    void send_response(std::uint16_t tag, std::uint8_t code);
    void send_ready(std::uint16_t tag, std::uint8_t id, StickAnswer::Clock::time_point when);
    void send(std::uint8_t endpoint, std::uint16_t tag, std::vector<std::byte> bytes,
              StickAnswer::Clock::time_point when);
    void send_stall(std::uint8_t endpoint, std::uint16_t tag);
    void drop_everything();

    DeviceDescription description_;
    std::span<const std::unique_ptr<StickUnit>> units_;
    StickFaults& faults_;
    bool streams_;
    std::map<std::uint8_t, std::deque<InTransfer>> in_;
    std::deque<Task> tasks_;
    std::optional<std::pair<Task, StickAnswer>> prepared_;  // without streams: executed, and READ READY was sent
    // Data for the device: by stream, or all under 0.
    std::map<std::uint16_t, std::vector<std::byte>> collected_;
    std::uint64_t refused_ = 0;  // OUT data transfers to stall
};

}  // namespace plugfs::virtual_usb
