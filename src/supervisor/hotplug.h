// Hotplug: tells when the kernel has seen USB devices come or go.
//
// Listens to the kernel's own uevents (netlink, group 1), not to udev's: it works where no udevd runs, in a container
// or a small system, and needs no USB library in the privileged process. What has changed is not taken from the message
// but read from sysfs again; the message only says that it is time to look.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <string_view>

namespace plugfs {

class Hotplug {
  public:
    static Result<Hotplug> create();

    // Readable when there are messages.
    [[nodiscard]] int fd() const { return socket_.get(); }
    // Reads all messages that are there. True if one of them was about a USB device or interface, or if messages were
    // lost.
    [[nodiscard]] bool drain();

    // Whether a uevent ("add@/devices/..." NUL "KEY=value" NUL ...) is about a USB device or interface that came, went
    // or was bound.
    [[nodiscard]] static bool concerns_usb(std::string_view message);

  private:
    explicit Hotplug(UniqueFd socket) : socket_(std::move(socket)) {}
    UniqueFd socket_;
};

}  // namespace plugfs
