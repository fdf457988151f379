// A usb::Device whose other end is a VirtualDevice in the same process: no socket, no thread, no waiting.
//
// Bytes go to the device when an OUT transfer is submitted; what it sends goes to the IN transfers that wait, packet by
// packet, as on a bus. Nobody else could make it say more, so a wait for something that it has not said is ETIMEDOUT at
// once, and a delay that the deadline allows for is over at once.
#pragma once

#include "virtual/virtual_device.h"

#include <plugfs/usb.h>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace plugfs::test {

class InProcessDevice : public usb::Device {
  public:
    // `device` must outlive it.
    explicit InProcessDevice(virtual_usb::VirtualDevice& device);

    // What was asked for beside transfers, in order: "control fe", "clear_halt 81", "reset", "claim", ...
    std::vector<std::string> asked;
    // OUT transfers are not taken from now on.
    bool deaf = false;
    // The end of what is sent is seen by a packet that is not full, so a transfer that fills its last one asks for an
    // empty one behind it; pieces before the last are larger than a packet.
    bool ends_by_short_packets = false;
    // Shown what goes out before the device gets it.
    std::function<void(std::span<const std::byte>)> watch_out;
    // The `number`th call of a function that can fail, 1 being the next, fails with `code`, without having done
    // anything. ENODEV: so do all after it.
    void fail_call(std::size_t number, int code);
    // Whether that call has been made.
    [[nodiscard]] bool failed() const { return failed_; }
    // The device is pulled out.
    void unplug() { gone_ = true; }
    // The wait for the next transfer from this endpoint is called off when so many bytes have come.
    void call_off_after(std::uint8_t endpoint, std::size_t bytes) { call_off_after_ = {endpoint, bytes}; }
    // Transfers that exist, and that are in flight.
    [[nodiscard]] std::size_t transfers() const { return transfers_; }
    [[nodiscard]] std::size_t in_flight() const;

    [[nodiscard]] const usb::Identity& identity() const override { return identity_; }
    [[nodiscard]] std::span<const usb::Interface> interfaces() const override {
        return device_.description().interfaces;
    }
    Result<void> claim(std::uint8_t interface_number) override;
    Result<void> release(std::uint8_t interface_number) override;
    Result<void> set_alternate_setting(std::uint8_t interface_number, std::uint8_t alternate_setting,
                                       Deadline deadline) override;
    Result<std::size_t> control_in(const usb::Setup& setup, std::span<std::byte> data, Deadline deadline) override;
    Result<std::size_t> control_out(const usb::Setup& setup, std::span<const std::byte> data,
                                    Deadline deadline) override;
    Result<std::unique_ptr<usb::Transfer>> create_transfer(std::uint8_t endpoint, std::size_t capacity) override;
    Result<std::uint16_t> allocate_streams(std::span<const std::uint8_t> endpoints, std::uint16_t count) override;
    Result<void> listen(std::uint8_t endpoint, std::size_t packet_size) override;
    Result<void> clear_halt(std::uint8_t endpoint, Deadline deadline) override;
    Result<void> reset(Deadline deadline) override;

  private:
    class BusTransfer;
    Result<void> call(const char* stage);
    Result<void> send(BusTransfer& transfer);
    void pump_all();
    void pump(std::uint8_t endpoint, Deadline::Clock::time_point until);
    void end_all(std::uint8_t endpoint, int code);
    [[nodiscard]] std::size_t packet_size(std::uint8_t endpoint) const;

    virtual_usb::VirtualDevice& device_;
    usb::Identity identity_;
    std::map<std::uint8_t, std::deque<BusTransfer*>> waiting_;
    std::set<std::uint8_t> halted_;
    std::optional<std::pair<std::uint8_t, std::size_t>> call_off_after_;
    std::size_t transfers_ = 0;
    std::size_t calls_until_failure_ = 0;
    int failure_ = 0;
    bool failed_ = false;
    bool gone_ = false;
};

}  // namespace plugfs::test
