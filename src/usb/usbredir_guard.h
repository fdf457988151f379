// PacketGuard: watches the bytes of a usbredir stream before libusbredirparser gets them.
//
// The library trusts its peer in places: it allocates whatever length a packet header announces (up to 2 GiB), calls a
// null callback for a packet type that nobody expected, and leaks the data of a second hello. The guard follows the
// packet boundaries (usb-redirection-protocol 0.7, "Basic packet structure") and says no to such a header before the
// library sees its last byte. After a no, the stream is to be closed: nothing that follows can be trusted.
#pragma once

#include <plugfs/result.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs::usb {

class PacketGuard {
  public:
    // The bytes of `bulk_limit` at the moment when a bulk packet's header is complete are the most that it may carry.
    // Must outlive the guard.
    explicit PacketGuard(const std::size_t& bulk_limit) : bulk_limit_(bulk_limit) {}

    // Looks at the next bytes of the stream, in order and without gaps. EPROTO, naming the packet, when they are not to
    // go any further.
    [[nodiscard]] Result<void> check(std::span<const std::byte> bytes);

    // Call when the hello packet was handled and both sides know 64-bit ids: headers are 4 bytes longer from now on.
    void use_wide_ids() { header_size_ = wide_header_size; }

  private:
    static constexpr std::size_t narrow_header_size = 12;  // type, length, 32-bit id
    static constexpr std::size_t wide_header_size = 16;    // type, length, 64-bit id

    [[nodiscard]] Result<void> check_header();

    const std::size_t& bulk_limit_;
    std::size_t header_size_ = narrow_header_size;
    std::array<std::byte, wide_header_size> header_{};
    std::size_t header_filled_ = 0;
    std::size_t body_left_ = 0;
    bool hello_seen_ = false;
};

}  // namespace plugfs::usb
