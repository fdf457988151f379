// The USB devices that the kernel knows, read from sysfs.
#pragma once

#include "common/identity.h"

#include <filesystem>
#include <string>
#include <vector>

namespace plugfs {

struct LocalDevice {
    std::string port;  // sysfs name: "1-1.2"; the same as long as it is plugged in there
    unsigned bus = 0;
    unsigned address = 0;  // changes each time it is plugged in
    DeviceIdentity identity;

    // Relative to /dev: "bus/usb/001/002".
    [[nodiscard]] std::string node() const;
    // Differs between two pluggings-in of the same device.
    [[nodiscard]] std::string occurrence() const { return port + "@" + std::to_string(address); }
};

// All devices but hubs. `root` is /sys, or a test's copy of it. A device that goes away while it is read is left out;
// one that is not configured yet has no interfaces. An empty list where the kernel has no USB.
[[nodiscard]] std::vector<LocalDevice> list_usb_devices(const std::filesystem::path& root = "/sys");

}  // namespace plugfs
