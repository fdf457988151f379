#include "supervisor/mount.h"

#include "common/log.h"
#include "supervisor/run_command.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace plugfs {

namespace {

constexpr const char* fusermount = "fusermount3";
constexpr std::chrono::seconds fusermount_deadline{10};
// MS_NOSYMFOLLOW of Linux 5.10, which this C library does not know.
constexpr unsigned long no_symbolic_links = 256;

Result<UniqueFd> mount_as_root(const std::string& path, const MountOptions& options) {
    UniqueFd fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fuse) {
        return fail(errno, "open /dev/fuse", errno == ENOENT ? "load the fuse module" : "");
    }
    std::string data = "fd=" + std::to_string(fuse.get()) + ",rootmode=40000,user_id=" + std::to_string(::getuid()) +
                       ",group_id=" + std::to_string(::getgid()) + ",default_permissions";
    if (options.allow_other) {
        data += ",allow_other";
    }
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | (options.read_only ? MS_RDONLY : 0);
    const std::string type = "fuse." + options.subtype;
    // A link that a device or its driver has made up must not lead who follows it to a file of his own. Kernels before
    // 5.10 do not know that.
    // By descriptor: what was opened is a directory, not a link, and stays what it is.
    const UniqueFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) {
        return fail(errno, "mount " + plugfs::quoted(path));
    }
    const std::string place = "/proc/self/fd/" + std::to_string(folder.get());
    for (const unsigned long more : {no_symbolic_links, 0UL}) {
        if (::mount(options.source.c_str(), place.c_str(), type.c_str(), flags | more, data.c_str()) == 0) {
            return fuse;
        }
        if (errno != EINVAL) {
            break;
        }
    }
    return fail(errno, "mount " + plugfs::quoted(path));
}

// fusermount3 mounts and sends the descriptor back over a socket (util/fusermount.c documents it as _FUSE_COMMFD).
Result<UniqueFd> receive_descriptor(int socket) {
    std::array<char, 1> byte{};
    iovec part{byte.data(), byte.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) <= 0) {
        return fail(EPERM, fusermount, "sent no descriptor");
    }
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
        return fail(EPROTO, fusermount, "sent no descriptor");
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    UniqueFd fuse(fd);
    if (::fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        return fail(errno, "fcntl O_NONBLOCK");
    }
    return fuse;
}

Result<UniqueFd> mount_as_user(const std::string& path, const MountOptions& options) {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail(errno, "socketpair");
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    std::string list =
        "nosuid,nodev,noexec,default_permissions,fsname=" + options.source + ",subtype=" + options.subtype;
    list += options.read_only ? ",ro" : "";
    list += options.allow_other ? ",allow_other" : "";
    Command command;
    command.arguments = {fusermount, "-o", list, "--", path};
    command.inherited = theirs.get();
    command.inherited_variable = "_FUSE_COMMFD";
    const auto output = run_command(command, Deadline::after(fusermount_deadline));
    theirs.reset();
    if (!output) {
        return fail(EPERM, "mount " + plugfs::quoted(path), output.error().text());
    }
    return receive_descriptor(ours.get());
}

}  // namespace

Result<UniqueFd> mount_fuse(const std::string& path, const MountOptions& options) {
    return ::geteuid() == 0 ? mount_as_root(path, options) : mount_as_user(path, options);
}

Result<void> unmount(const std::string& path) {
    if (::geteuid() == 0) {
        if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
            return fail(errno, "unmount " + plugfs::quoted(path));
        }
        return {};
    }
    Command command;
    command.arguments = {fusermount, "-u", "-z", "--", path};
    const auto output = run_command(command, Deadline::after(fusermount_deadline));
    return output ? Result<void>()
                  : Result<void>(fail(EINVAL, "unmount " + plugfs::quoted(path), output.error().detail));
}

Result<void> record_init(int fuse, VaultHeader& vault) {
    const auto deadline = Deadline::after(std::chrono::seconds(1));
    // The kernel insists on room for its largest request, FUSE_MIN_READ_BUFFER, though FUSE_INIT is small.
    std::array<std::byte, FUSE_MIN_READ_BUFFER> buffer{};
    while (!deadline.expired()) {
        pollfd ready{fuse, POLLIN, 0};
        if (::poll(&ready, 1, deadline.remaining_ms()) < 0 && errno != EINTR) {
            return fail(errno, "FUSE_INIT", "poll");
        }
        const ssize_t length = ::read(fuse, buffer.data(), buffer.size());
        if (length < 0) {
            if (errno == EAGAIN || errno == EINTR) {
                continue;
            }
            return fail(errno, "FUSE_INIT", "read");
        }
        if (static_cast<std::size_t>(length) > init_capacity ||
            static_cast<std::size_t>(length) < sizeof(fuse_in_header)) {
            return fail(EPROTO, "FUSE_INIT", std::to_string(length) + " bytes");
        }
        std::copy_n(buffer.begin(), length, vault.init_request.begin());
        vault.init_request_length = static_cast<std::uint32_t>(length);
        return {};
    }
    return fail(ETIMEDOUT, "FUSE_INIT", "the kernel sent none");
}

void widen_read_ahead(unsigned device_major, unsigned device_minor) {
    std::array<char, 64> path{};
    (void)std::snprintf(path.data(), path.size(), "/sys/class/bdi/%u:%u/read_ahead_kb", device_major, device_minor);
    const UniqueFd file(::open(path.data(), O_WRONLY | O_CLOEXEC));
    // Only speed depends on it.
    const std::string kibibytes = std::to_string(read_ahead_limit >> 10U) + "\n";
    if (!file || ::write(file.get(), kibibytes.data(), kibibytes.size()) < 0) {
        log::debug(std::string("read-ahead: ") + path.data() + ": " + std::strerror(errno));
    }
}

}  // namespace plugfs
