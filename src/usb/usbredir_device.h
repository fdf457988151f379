// UsbredirDevice: a USB device at the other end of a usbredir stream, as drivers know devices.
#pragma once

#include "usb/backend.h"
#include "usb/usbredir_session.h"

#include <map>

namespace plugfs::usb {

class UsbredirDevice final : public Backend {
  public:
    // Reads the descriptors and strings of the session's device.
    static Result<std::unique_ptr<UsbredirDevice>> create(std::unique_ptr<UsbredirSession> session, Deadline deadline);

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
    [[nodiscard]] Result<void> listen(std::uint8_t endpoint, std::size_t packet_size) override;
    [[nodiscard]] Result<void> clear_halt(std::uint8_t endpoint, Deadline deadline) override;
    [[nodiscard]] Result<void> reset(Deadline deadline) override;

    using Backend::wait_activity;
    [[nodiscard]] Result<void> wait_activity(int wake_fd, Deadline deadline,
                                             const std::function<bool()>& ended) override;
    [[nodiscard]] std::optional<Arrival> next_arrival() override { return session_->interrupts().next_arrival(); }
    [[nodiscard]] Result<std::string> give_up_rights() override { return std::string("held (a connection, no usbfs)"); }

  private:
    explicit UsbredirDevice(std::unique_ptr<UsbredirSession> session) : session_(std::move(session)) {}
    [[nodiscard]] Result<void> read_descriptors(Deadline deadline);
    [[nodiscard]] Result<std::size_t> read_descriptor(std::uint8_t type, std::uint8_t index, std::span<std::byte> out,
                                                      Deadline deadline);
    // The endpoint is one of a claimed interface, now; EINVAL.
    [[nodiscard]] Result<void> check_endpoint(std::uint8_t endpoint, std::string_view stage) const;
    [[nodiscard]] Result<void> check_claimed(std::uint8_t interface_number, std::string_view stage) const;

    std::unique_ptr<UsbredirSession> session_;
    Identity identity_;
    std::vector<Interface> interfaces_;
    std::map<std::uint8_t, std::uint8_t> claimed_;  // interface number to its alternate setting
};

}  // namespace plugfs::usb
