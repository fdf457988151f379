// A transport: usb::Device as drivers know it, plus what the kit's device thread needs to wait on it.
//
// Two of them: libusb_device.cpp (a usbfs descriptor that the supervisor opened) and usbredir_device.cpp (a
// socket to whoever exports the device). Both are single-threaded: every call, events included, is handled inside the
// calls made on the device thread.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/usb.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace plugfs::usb {

// A packet from an endpoint given to Device::listen().
struct Arrival {
    std::uint8_t endpoint = 0;
    std::vector<std::byte> packet;
};

class Backend : public Device {
  public:
    // Handles the transport's events until `wake_fd` is readable (it is not read), a packet has arrived, `ended` is
    // true (asked after each event, which it may answer with others), or the deadline passes (no error). ENODEV when
    // the device is gone.
    [[nodiscard]] virtual Result<void> wait_activity(int wake_fd, Deadline deadline,
                                                     const std::function<bool()>& ended) = 0;
    [[nodiscard]] Result<void> wait_activity(int wake_fd, Deadline deadline) {
        return wait_activity(wake_fd, deadline, [] { return false; });
    }
    // The oldest packet that has arrived, if any.
    [[nodiscard]] virtual std::optional<Arrival> next_arrival() = 0;
    // The driver has started. From now on no interface can be taken from another driver of this machine, and the device
    // cannot be reset while another has one of its interfaces (USBDEVFS_DROP_PRIVILEGES). Returns "held", or why there
    // is nothing to give up.
    [[nodiscard]] virtual Result<std::string> give_up_rights() = 0;
};

// Takes over an open usbfs device descriptor (/dev/bus/usb/BBB/DDD, read-write). Opens no file itself. The buffers of
// large transfers are the kernel's, so that nothing is copied, up to `mapped_limit` bytes in all: they count towards
// the limit that the kernel has for all programs together (usbfs_memory_mb), for as long as they are there.
inline constexpr std::size_t usual_mapped_limit = std::size_t{8} << 20U;
[[nodiscard]] Result<std::unique_ptr<Backend>> open_libusb(UniqueFd usbfs,
                                                           std::size_t mapped_limit = usual_mapped_limit);

// Takes over a connected stream socket whose other end is a usbredir "usb-host" side. Returns when hello,
// device_connect, interface_info and ep_info have arrived and the strings have been read, or when the deadline passes
// (ETIMEDOUT).
[[nodiscard]] Result<std::unique_ptr<Backend>> open_usbredir(UniqueFd socket, Deadline deadline);

}  // namespace plugfs::usb
