// LibusbDevice: a USB device of this machine, as drivers know devices.
//
// Deadlines: transfers keep them to the millisecond. set_alternate_setting(), clear_halt() and reset() are single
// ioctls, which the kernel bounds by itself (5 s for each request on the bus); they fail at once when their deadline
// has passed already.
#pragma once

#include "usb/backend.h"
#include "usb/libusb_listener.h"

#include <map>

namespace plugfs::usb {

class LibusbDevice final : public Backend {
  public:
    // Reads the strings; the descriptors are those that the kernel has.
    static Result<std::unique_ptr<LibusbDevice>> create(std::unique_ptr<LibusbHandle> handle);
    ~LibusbDevice() override;
    LibusbDevice(const LibusbDevice&) = delete;
    LibusbDevice& operator=(const LibusbDevice&) = delete;

    [[nodiscard]] const Identity& identity() const override { return identity_; }
    [[nodiscard]] std::span<const Interface> interfaces() const override { return interfaces_; }

    [[nodiscard]] Result<void> claim(std::uint8_t interface_number) override;
    [[nodiscard]] Result<void> release(std::uint8_t interface_number) override;
    [[nodiscard]] Result<void> set_alternate_setting(std::uint8_t interface_number, std::uint8_t alternate_setting,
                                                     Deadline deadline) override;
    [[nodiscard]] Result<std::size_t> control_in(const Setup& setup, std::span<std::byte> data,
                                                 Deadline deadline) override;
    [[nodiscard]] Result<std::size_t> control_out(const Setup& setup, std::span<const std::byte> data,
                                                  Deadline deadline) override;
    [[nodiscard]] Result<std::unique_ptr<Transfer>> create_transfer(std::uint8_t endpoint,
                                                                    std::size_t capacity) override;
    [[nodiscard]] Result<std::uint16_t> allocate_streams(std::span<const std::uint8_t> endpoints,
                                                         std::uint16_t count) override;
    [[nodiscard]] Result<void> listen(std::uint8_t endpoint, std::size_t packet_size) override;
    [[nodiscard]] Result<void> clear_halt(std::uint8_t endpoint, Deadline deadline) override;
    [[nodiscard]] Result<void> reset(Deadline deadline) override;

    using Backend::wait_activity;
    [[nodiscard]] Result<void> wait_activity(int wake_fd, Deadline deadline,
                                             const std::function<bool()>& ended) override;
    [[nodiscard]] std::optional<Arrival> next_arrival() override;
    [[nodiscard]] Result<std::string> give_up_rights() override;

  private:
    explicit LibusbDevice(std::unique_ptr<LibusbHandle> handle) : handle_(std::move(handle)) {}
    [[nodiscard]] Result<void> describe();
    [[nodiscard]] Result<std::unique_ptr<LibusbUrb>> create_control(const Setup& setup, std::uint8_t direction,
                                                                    std::size_t length);
    // The endpoint if it is in the alternate setting of a claimed interface; EINVAL.
    [[nodiscard]] Result<Endpoint> find_endpoint(std::uint8_t address, std::string_view stage) const;
    [[nodiscard]] Result<void> check_claimed(std::uint8_t interface_number, std::string_view stage) const;
    // Cancels and reaps what is in flight on all endpoints, or on those of an interface (in all its settings). Needed
    // before the kernel is asked to disable endpoints: it would end their transfers with the error of a lost device.
    void end_transfers(std::optional<std::uint8_t> interface_number = std::nullopt);
    [[nodiscard]] bool belongs(std::uint8_t endpoint, std::uint8_t interface_number) const;
    // Listeners go on where their endpoint still exists, the others end.
    void restart_listeners();
    void collect();

    std::unique_ptr<LibusbHandle> handle_;
    Identity identity_;
    std::vector<Interface> interfaces_;
    std::map<std::uint8_t, std::uint8_t> claimed_;  // interface number to its alternate setting
    std::vector<std::unique_ptr<LibusbListener>> listeners_;
    std::deque<Arrival> arrivals_;
};

}  // namespace plugfs::usb
