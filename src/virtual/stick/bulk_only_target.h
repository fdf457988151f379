// BulkOnlyTarget: a virtual stick's side of Bulk-Only Transport; USB Mass Storage Class, Bulk-Only Transport 1.0.
//
//   idle ──CBW──► (data out: collecting ──all of them──►) executed: data and CSW are queued ──► idle
//     │ not a CBW: everything is halted until Bulk-Only Mass Storage Reset
//
// The command is executed once its data are there, so that what the device does is decided in one place (answer()).
#pragma once

#include "virtual/stick/unit.h"
#include "virtual/virtual_device.h"

namespace plugfs::virtual_usb {

inline constexpr std::uint8_t stick_bulk_in = 0x81;
inline constexpr std::uint8_t stick_bulk_out = 0x02;

class BulkOnlyTarget : public VirtualDevice {
  public:
    // `device` without its interfaces. `units` (1 to 16) and `faults` must outlive it.
    BulkOnlyTarget(DeviceDescription device, std::span<const std::unique_ptr<StickUnit>> units, StickFaults& faults);

    [[nodiscard]] const DeviceDescription& description() const override { return description_; }
    std::optional<std::vector<std::byte>> control(const usb::Setup& setup, bool in, std::span<const std::byte> data,
                                                  std::size_t length) override;
    bool out(std::uint8_t endpoint, std::span<const std::byte> bytes) override;
    std::deque<InTransfer>& in(std::uint8_t endpoint) override;
    void reset() override;
    void halt_cleared(std::uint8_t endpoint) override;

    // Bulk-Only Mass Storage Resets, and resets of the bus.
    [[nodiscard]] std::uint64_t resets() const { return resets_; }

  private:
    enum class State : std::uint8_t { idle, collecting, broken };
    struct Wrapper {
        std::uint32_t tag = 0;
        std::uint32_t length = 0;  // dCBWDataTransferLength
        bool in = false;
        std::uint8_t unit = 0;
        std::vector<std::byte> cdb;
    };

    bool take_wrapper(std::span<const std::byte> bytes);
    bool take_data(std::span<const std::byte> bytes);
    void answer();
    void send_data(StickAnswer& answer, std::uint32_t& residue);
    void send_status(std::uint8_t status, std::uint32_t residue, StickAnswer::Clock::time_point when);
    void send(std::vector<std::byte> bytes, StickAnswer::Clock::time_point when);
    void send_stall();
    bool broken();

    DeviceDescription description_;
    std::span<const std::unique_ptr<StickUnit>> units_;
    StickFaults& faults_;
    std::deque<InTransfer> in_;
    State state_ = State::idle;
    Wrapper wrapper_;
    std::vector<std::byte> data_;  // collected
    std::uint64_t resets_ = 0;
};

}  // namespace plugfs::virtual_usb
