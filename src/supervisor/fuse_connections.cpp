#include "supervisor/fuse_connections.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>
#include <string>

namespace plugfs {

namespace {

// A mount that hangs nowhere: only this descriptor leads into it.
UniqueFd mount_privately() {
    const UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "fusectl", FSOPEN_CLOEXEC)));
    if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return {};
    }
    return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC,
                                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)));
}

}  // namespace

FuseConnections::FuseConnections() : directory_(mount_privately()) {
    if (!directory_) {
        directory_.reset(::open("/sys/fs/fuse/connections", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
}

std::optional<unsigned> FuseConnections::waiting(unsigned number) const {
    const std::string path = std::to_string(number) + "/waiting";
    const UniqueFd file(directory_ ? ::openat(directory_.get(), path.c_str(), O_RDONLY | O_CLOEXEC) : -1);
    std::array<char, 16> text{};
    const ssize_t length = file ? ::read(file.get(), text.data(), text.size()) : -1;
    unsigned count = 0;
    if (length <= 0 || std::from_chars(text.data(), text.data() + length, count).ec != std::errc()) {
        return std::nullopt;
    }
    return count;
}

}  // namespace plugfs
