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
    // How many bytes, and in how many transfers, have been asked for and not yet been taken by next().
    [[nodiscard]] std::size_t bytes_posted() const;
    [[nodiscard]] std::size_t transfers_posted() const { return in_flight_.size(); }
    [[nodiscard]] std::size_t next_length() const { return in_flight_.empty() ? 0 : in_flight_.front().length; }

    struct Piece {
        // Valid until the next call of any function; empty for a zero-length packet.
        std::span<const std::byte> bytes;
        // Fewer bytes than were asked for: the device ended a transfer here.
        bool ended = false;
    };
    // What the oldest transfer brought.
    Result<Piece> next(Deadline deadline);

    // Cancels what is posted and throws away what has arrived.
    void cancel();

  private:
    using Owned = std::unique_ptr<usb::Transfer>;
    struct InFlight {
        Owned transfer;
        std::size_t length = 0;
    };
    Result<Owned> idle_transfer(std::size_t capacity);
    void keep(Owned transfer);

    usb::Device& device_;
    std::uint8_t endpoint_;
    std::size_t packet_size_;
    std::vector<Owned> idle_;
    std::deque<InFlight> in_flight_;
    Owned current_;  // whose bytes next() has given out
};

}  // namespace plugfs::mtp
