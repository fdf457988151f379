// Paths, and what can be done with them.

#include "escape.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace plugfs::hostile {

namespace {

int open_and_close(const std::string& path, int flags, std::initializer_list<int> entitled = {}) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    const int result = outcome(fd, entitled);
    if (fd >= 0) {
        ::close(fd);
    }
    return result;
}

int list_root(const Target& /*target*/) {
    const int fd = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    alignas(8) std::array<char, 4096> buffer{};
    const long length = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    const int error = errno;
    ::close(fd);
    // "." and ".." are 24 bytes each: an empty root.
    return length < 0 ? error : (length <= 48 ? ENOENT : 0);
}

// With this flag the call passes the filter, which cannot look at the path.
int find_file(const Target& target) {
    struct stat status {};
    return outcome(::syscall(SYS_newfstatat, AT_FDCWD, (target.folder + "/victim").c_str(), &status, AT_EMPTY_PATH));
}

int open_by_handle(const Target& /*target*/) {
    struct {
        file_handle header;
        std::array<unsigned char, 8> bytes;
    } handle{};
    handle.header.handle_bytes = handle.bytes.size();
    handle.header.handle_type = 1;
    return outcome(::syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY), {ESTALE, EINVAL});
}

int watch_files(const Target& target) {
    const int fd = ::inotify_init1(IN_CLOEXEC);
    const long watch = fd < 0 ? -1 : ::inotify_add_watch(fd, target.folder.c_str(), IN_CREATE);
    const int result = outcome(watch);
    ::close(fd);
    return result;
}

}  // namespace

std::vector<Escape> escapes_to_files() {
    return {
        {"open /etc/passwd", [](const Target&) { return open_and_close("/etc/passwd", O_RDONLY); }},
        {"make a file", [](const Target& target) { return open_and_close(target.folder + "/made", O_RDWR | O_CREAT); }},
        {"write to a file", [](const Target& target) { return open_and_close(target.folder + "/victim", O_WRONLY); }},
        {"open an unnamed file",
         [](const Target& target) { return open_and_close(target.folder, O_TMPFILE | O_RDWR); }},
        {"look into /proc", [](const Target&) { return open_and_close("/proc/version", O_RDONLY); }},
        {"open the supervisor's memory",
         [](const Target& target) {
             return open_and_close("/proc/" + std::to_string(target.supervisor) + "/mem", O_RDWR);
         }},
        {"look into /sys", [](const Target&) { return open_and_close("/sys/kernel", O_RDONLY | O_DIRECTORY); }},
        {"open another USB device's node",
         [](const Target& target) {
             return open_and_close(target.folder + "/usb", O_RDWR, {ENODEV, ENXIO});
         }},
        {"list the root", list_root},
        {"find out whether a file is there", find_file},
        {"change directory", [](const Target& target) { return outcome(::chdir(target.folder.c_str())); }},
        {"change the root", [](const Target&) { return outcome(::chroot("/")); }},
        {"read a link",
         [](const Target&) {
             std::array<char, 64> text{};
             return outcome(::readlink("/proc/self/exe", text.data(), text.size()));
         }},
        {"change a file's mode",
         [](const Target& target) { return outcome(::chmod((target.folder + "/victim").c_str(), 0777)); }},
        {"give a file away",
         [](const Target& target) { return outcome(::chown((target.folder + "/victim").c_str(), 65534, 65534)); }},
        {"rename a file",
         [](const Target& target) {
             return outcome(::rename((target.folder + "/victim-2").c_str(), (target.folder + "/renamed").c_str()));
         }},
        {"remove a file", [](const Target& target) { return outcome(::unlink((target.folder + "/victim").c_str())); }},
        {"make a folder",
         [](const Target& target) { return outcome(::mkdir((target.folder + "/sub").c_str(), 0755)); }},
        {"make a symbolic link",
         [](const Target& target) { return outcome(::symlink("/etc/shadow", (target.folder + "/link").c_str())); }},
        {"make a device node",
         [](const Target& target) {
             return outcome(::mknod((target.folder + "/node").c_str(), S_IFCHR | 0666, makedev(1, 3)));
         }},
        {"open a file by its handle", open_by_handle},
        {"watch files (inotify)", watch_files},
        {"watch files (fanotify)",
         [](const Target&) {
             const int fd = ::fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
             const int result = outcome(fd);
             ::close(fd);
             return result;
         }},
    };
}

}  // namespace plugfs::hostile
