// A bulk or interrupt transfer through libusb.
#pragma once

#include "usb/libusb_urb.h"

#include <plugfs/usb.h>

namespace plugfs::usb {

class LibusbTransfer final : public Transfer {
  public:
    explicit LibusbTransfer(std::unique_ptr<LibusbUrb> urb) : urb_(std::move(urb)) {}

    [[nodiscard]] std::span<std::byte> buffer() override { return urb_->buffer(); }
    [[nodiscard]] Result<void> submit(std::size_t length, bool zero_length_packet) override {
        // For an IN endpoint the kernel would refuse the flag.
        return urb_->submit(length, zero_length_packet ? urb_->zero_packet_flag() : std::uint8_t{0});
    }
    [[nodiscard]] Result<void> submit_to_stream(std::uint16_t stream, std::size_t length) override {
        return urb_->submit(length, 0, stream);
    }
    [[nodiscard]] Result<std::size_t> wait(Deadline deadline) override { return urb_->wait(deadline); }
    [[nodiscard]] std::size_t moved() const override { return urb_->moved(); }
    [[nodiscard]] bool in_flight() const override { return urb_->in_flight(); }
    void cancel() override { urb_->cancel(); }

  private:
    std::unique_ptr<LibusbUrb> urb_;
};

}  // namespace plugfs::usb
