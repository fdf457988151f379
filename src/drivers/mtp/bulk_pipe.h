// BulkIn: the device's bulk IN endpoint as a stream of transfers.
//
// Several transfers can be posted ahead; they complete in order. What the device sends is taken as one stream of bytes
// cut into containers by their own headers, not by transfers: devices differ in where they end a transfer (a header
// apart from its data, a missing zero-length packet that makes the response run on behind the data).
#pragma once

#include <plugfs/usb.h>

#include <deque>
#include <memory>
#include <span>
#include <vector>

namespace plugfs::mtp {

class BulkIn {
  public:
    // `device` must outlive it. `packet_size` is the endpoint's.
    BulkIn(usb::Device& device, std::uint8_t endpoint, std::size_t packet_size)
        : device_(device), endpoint_(endpoint), packet_size_(packet_size) {}

    // Asks for `size` bytes, rounded up to whole packets.
    Result<void> post(std::size_t size);
    [[nodiscard]] bool posted() const { return !in_flight_.empty(); }

    // The bytes of the oldest transfer, valid until the next call of any function; empty for a zero-length packet.
    // `asked` tells how many had been asked for: fewer bytes mean that the device ended a transfer.
    Result<std::span<const std::byte>> next(Deadline deadline);

    // Cancels what is posted and throws away what has arrived.
    void cancel();

    [[nodiscard]] std::uint8_t endpoint() const { return endpoint_; }
    [[nodiscard]] std::size_t rounded(std::size_t size) const {
        return (size + packet_size_ - 1) / packet_size_ * packet_size_;
    }

  private:
    using Owned = std::unique_ptr<usb::Transfer>;
    Result<Owned> idle_transfer(std::size_t capacity);

    usb::Device& device_;
    std::uint8_t endpoint_;
    std::size_t packet_size_;
    std::vector<Owned> idle_;
    std::deque<Owned> in_flight_;
    Owned current_;  // whose bytes next() has given out
};

}  // namespace plugfs::mtp
