#include "supervisor/kernel_drivers.h"

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

namespace plugfs {

namespace fs = std::filesystem;

namespace {

// From a device to its disks there are seven steps: interface, host, target, unit, "block", disk, partition.
constexpr int depth_limit = 8;
constexpr std::size_t disk_limit = 1024;

struct Disk {
    std::string name;    // "sdb1"
    std::string number;  // "8:17"
    fs::path directory;
};

std::string first_line(const fs::path& file) {
    std::ifstream stream(file);
    std::string line;
    std::getline(stream, line);
    return line;
}

template <class Number>
bool hexadecimal(const fs::path& file, Number& value) {
    const auto text = first_line(file);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return error == std::errc() && end == text.data() + text.size();
}

void add_disk(const fs::path& directory, std::vector<Disk>& disks) {
    if (disks.size() < disk_limit) {
        disks.push_back({directory.filename(), first_line(directory / "dev"), directory});
    }
}

// Disks are in folders "block", their partitions in the disks' own.
void find_disks(const fs::path& directory, int depth, std::vector<Disk>& disks) {
    std::error_code error;
    for (const auto& item : fs::directory_iterator(directory, error)) {
        if (item.is_symlink(error) || !item.is_directory(error)) {
            continue;
        }
        if (directory.filename() == "block") {
            add_disk(item.path(), disks);
            for (const auto& part : fs::directory_iterator(item.path(), error)) {
                if (fs::exists(part.path() / "partition", error)) {
                    add_disk(part.path(), disks);
                }
            }
        } else if (depth < depth_limit) {
            find_disks(item.path(), depth + 1, disks);
        }
    }
}

// Who uses a disk according to the kernel's tables; empty: nobody.
std::string table_entry(const SystemPaths& paths, const Disk& disk) {
    const std::string node = "/dev/" + disk.name;
    std::ifstream mounts(paths.proc / "self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        // proc(5): 36 35 98:0 /root /mnt2 rw,noatime master:1 - ext3 /dev/root rw
        std::istringstream fields(line);
        std::string id;
        std::string parent;
        std::string number;
        std::string root;
        std::string point;
        fields >> id >> parent >> number >> root >> point;
        // A file system in user mode has a number of its own, and the disk as its source.
        const auto separator = line.find(" - ");
        const bool is_source =
            separator != std::string::npos && line.find(" " + node + " ", separator) != std::string::npos;
        if (number == disk.number || is_source) {
            return "mounted on " + point;
        }
    }
    std::ifstream swaps(paths.proc / "swaps");
    for (std::string line; std::getline(swaps, line);) {
        if (line.starts_with(node + " ") || line.starts_with(node + "\t")) {
            return "used for swapping";
        }
    }
    std::error_code error;
    for (const auto& holder : fs::directory_iterator(disk.directory / "holders", error)) {
        return "part of " + holder.path().filename().string();
    }
    return {};
}

std::string driver_of(const fs::path& interface) {
    std::error_code error;
    const auto driver = fs::read_symlink(interface / "driver", error);
    return error ? std::string() : driver.filename().string();
}

Result<void> ask_usbfs(int usbfs, unsigned interface_number, unsigned long what, const char* stage) {
    usbdevfs_ioctl command{};
    command.ifno = static_cast<int>(interface_number);
    command.ioctl_code = static_cast<int>(what);
    if (::ioctl(usbfs, USBDEVFS_IOCTL, &command) < 0 && errno != ENODATA) {
        return fail(errno, stage, "interface " + std::to_string(interface_number));
    }
    return {};
}

// By number; of usbfs, or of the kernel's drivers.
std::vector<BoundInterface> interfaces(const SystemPaths& paths, const std::string& port, bool usbfs) {
    std::vector<BoundInterface> bound;
    std::error_code error;
    for (const auto& item : fs::directory_iterator(paths.sys / "bus/usb/devices" / port, error)) {
        const std::string name = item.path().filename();
        BoundInterface interface;
        interface.driver = driver_of(item.path());
        if (!name.starts_with(port + ":") || interface.driver.empty() || (interface.driver == "usbfs") != usbfs) {
            continue;
        }
        if (hexadecimal(item.path() / "bInterfaceNumber", interface.number) &&
            hexadecimal(item.path() / "bInterfaceClass", interface.identity.interface_class) &&
            hexadecimal(item.path() / "bInterfaceSubClass", interface.identity.interface_subclass) &&
            hexadecimal(item.path() / "bInterfaceProtocol", interface.identity.interface_protocol)) {
            interface.identity.name = first_line(item.path() / "interface");
            bound.push_back(std::move(interface));
        }
    }
    std::sort(bound.begin(), bound.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
    return bound;
}

}  // namespace

std::vector<BoundInterface> bound_interfaces(const SystemPaths& paths, const std::string& port) {
    return interfaces(paths, port, false);
}

std::vector<BoundInterface> claimed_interfaces(const SystemPaths& paths, const std::string& port) {
    return interfaces(paths, port, true);
}

Result<DiskHold> DiskHold::create(const SystemPaths& paths, const std::string& port) {
    std::error_code error;
    const auto device = fs::canonical(paths.sys / "bus/usb/devices" / port, error);
    std::vector<Disk> disks;
    if (!error) {
        find_disks(device, 0, disks);
    }
    DiskHold hold;
    for (const auto& disk : disks) {
        if (const auto who = table_entry(paths, disk); !who.empty()) {
            return fail(EBUSY, disk.name, who);
        }
        // Of a device node the kernel gives one exclusive opening, and a mount is one, too.
        UniqueFd node(::open((paths.dev / disk.name).c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
        if (!node && errno == EBUSY) {
            return fail(EBUSY, disk.name, "opened exclusively");
        }
        if (node) {
            hold.disks_.push_back(std::move(node));
        }
    }
    return hold;
}

Result<void> detach_driver(int usbfs, unsigned interface_number) {
    return ask_usbfs(usbfs, interface_number, USBDEVFS_DISCONNECT, "take from its driver");
}

Result<void> attach_kernel_driver(int usbfs, unsigned interface_number) {
    return ask_usbfs(usbfs, interface_number, USBDEVFS_CONNECT, "give back to the kernel's driver");
}

}  // namespace plugfs
