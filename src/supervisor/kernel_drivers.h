// The kernel's drivers on a USB device's interfaces: which they are, whether anybody uses what they offer, and taking
// the interfaces from them.
//
// In use is a device of which a disk or a partition is mounted, swapped to, part of another device (dm, md), or opened
// exclusively. Nothing is read from the disks.
#pragma once

#include "common/identity.h"
#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <filesystem>
#include <string>
#include <vector>

namespace plugfs {

// Where the kernel tells; a test has its own.
struct SystemPaths {
    std::filesystem::path sys = "/sys";
    std::filesystem::path proc = "/proc";
    std::filesystem::path dev = "/dev";
};

struct BoundInterface {
    unsigned number = 0;
    InterfaceIdentity identity;
    std::string driver;  // "usb-storage"
};

// The interfaces of the device at `port` (sysfs: "1-1.2") that a kernel driver has; usbfs, which is user mode, is none.
[[nodiscard]] std::vector<BoundInterface> bound_interfaces(const SystemPaths& paths, const std::string& port);
// Those that a program has claimed, through usbfs.
[[nodiscard]] std::vector<BoundInterface> claimed_interfaces(const SystemPaths& paths, const std::string& port);

// A device's disks and partitions, opened so that nobody else can begin to use them.
class DiskHold {
  public:
    // EBUSY: somebody uses one; the detail says who. What may not be opened (EACCES, no node) is judged by the tables
    // of the kernel alone.
    static Result<DiskHold> create(const SystemPaths& paths, const std::string& port);

  private:
    std::vector<UniqueFd> disks_;
};

// Takes an interface from whoever has it, by the device's usbfs descriptor: its kernel driver, or a program, whose
// transfers end with an error.
[[nodiscard]] Result<void> detach_driver(int usbfs, unsigned interface_number);
// Lets the kernel look for a driver for it again.
[[nodiscard]] Result<void> attach_kernel_driver(int usbfs, unsigned interface_number);

}  // namespace plugfs
