// The checks of the packet guard; see the header.
#include "usb/usbredir_guard.h"

#include <plugfs/bytes.h>

#include <usbredirproto.h>

#include <algorithm>
#include <optional>
#include <string>

namespace plugfs::usb {
namespace {

// The most bytes that may follow the header of a packet of `type` which a usb-host sends; nothing for a type that it
// has no business to send: requests are for the other direction, and what needs a capability that we do not have
// (filters, bulk streams, buffered bulk) or a stream that we never start (isochronous) does not come.
std::optional<std::size_t> body_limit(std::uint32_t type, std::size_t bulk_limit) {
    constexpr std::size_t fixed_limit = 512;  // the largest fixed header, ep_info, has 288 bytes
    constexpr std::size_t hello_limit = sizeof(usb_redir_hello_header) + 64;
    constexpr std::size_t data_limit = 0xffff;  // 16-bit lengths
    switch (type) {
        case usb_redir_hello:
            return hello_limit;
        case usb_redir_device_connect:
        case usb_redir_device_disconnect:
        case usb_redir_interface_info:
        case usb_redir_ep_info:
        case usb_redir_configuration_status:
        case usb_redir_alt_setting_status:
        case usb_redir_interrupt_receiving_status:
            return fixed_limit;
        case usb_redir_control_packet:
            return sizeof(usb_redir_control_packet_header) + data_limit;
        case usb_redir_interrupt_packet:
            return sizeof(usb_redir_interrupt_packet_header) + data_limit;
        case usb_redir_bulk_packet:
            return sizeof(usb_redir_bulk_packet_header) + bulk_limit;
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<void> PacketGuard::check(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        if (body_left_ > 0) {
            const std::size_t part = std::min(body_left_, bytes.size());
            body_left_ -= part;
            bytes = bytes.subspan(part);
            continue;
        }
        const std::size_t part = std::min(header_size_ - header_filled_, bytes.size());
        std::copy_n(bytes.begin(), part, header_.begin() + static_cast<std::ptrdiff_t>(header_filled_));
        header_filled_ += part;
        bytes = bytes.subspan(part);
        if (header_filled_ == header_size_) {
            header_filled_ = 0;
            PLUGFS_TRY(check_header());
        }
    }
    return {};
}

Result<void> PacketGuard::check_header() {
    ByteReader reader(header_);
    const std::uint32_t type = reader.u32le();
    const std::uint32_t length = reader.u32le();
    if (!hello_seen_ && type != usb_redir_hello) {
        return fail(EPROTO, "usbredir", "the first packet is of type " + std::to_string(type) + ", not hello");
    }
    if (hello_seen_ && type == usb_redir_hello) {
        return fail(EPROTO, "usbredir", "a second hello packet");
    }
    const auto limit = body_limit(type, bulk_limit_);
    if (!limit) {
        return fail(EPROTO, "usbredir", "packet type " + std::to_string(type) + " is not for a usb-guest");
    }
    if (length > *limit) {
        return fail(EPROTO, "usbredir",
                    "packet type " + std::to_string(type) + " announces " + std::to_string(length) +
                        " bytes; at most " + std::to_string(*limit) + " were expected");
    }
    hello_seen_ = true;
    body_left_ = length;
    return {};
}

}  // namespace plugfs::usb
