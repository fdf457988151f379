#include "supervisor/namespaces.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace plugfs::namespaces {

namespace {

constexpr std::array all = {CLONE_NEWNS,  CLONE_NEWNET, CLONE_NEWIPC,
                            CLONE_NEWUTS, CLONE_NEWPID, static_cast<int>(CLONE_NEWCGROUP)};

// Writes "N N 1\n": N is N inside, and nobody else is there.
bool map_one(const char* path, unsigned number) {
    std::array<char, 32> text{};
    std::size_t at = text.size();
    const auto put = [&](const char* tail) {
        for (std::size_t length = std::strlen(tail); length > 0; --length) {
            text[--at] = tail[length - 1];
        }
    };
    const auto put_number = [&] {
        unsigned rest = number;
        do {
            text[--at] = static_cast<char>('0' + (rest % 10));
            rest /= 10;
        } while (rest != 0);
    };
    put(" 1\n");
    put_number();
    put(" ");
    put_number();
    const int file = ::open(path, O_WRONLY | O_CLOEXEC);
    const std::size_t length = text.size() - at;
    const bool written = file >= 0 && ::write(file, &text[at], length) == static_cast<ssize_t>(length);
    (void)::close(file);
    return written;
}

bool write_word(const char* path, const char* word) {
    const int file = ::open(path, O_WRONLY | O_CLOEXEC);
    const bool written = file >= 0 && ::write(file, word, std::strlen(word)) > 0;
    (void)::close(file);
    return written;
}

bool enter_user_namespace(uid_t user, gid_t group) {
    return ::unshare(CLONE_NEWUSER) == 0 && write_word("/proc/self/setgroups", "deny") &&
           map_one("/proc/self/uid_map", user) && map_one("/proc/self/gid_map", group);
}

// Replaces the root of all processes in this mount namespace by an empty, read-only file system. Returns an errno.
int empty_root() {
    // Any directory that is there will do to mount it on; it becomes the root and lets go of that place.
    bool mounted = false;
    for (const char* place : {"/proc", "/tmp", "/dev", "/sys"}) {
        if (::mount("none", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
                    "size=4k,nr_inodes=2,mode=555") == 0) {
            mounted = ::chdir(place) == 0;
            break;
        }
    }
    if (!mounted) {
        return errno;
    }
    // The old root comes to lie upon the new one, and is taken off (pivot_root(2), "pivot_root(".", ".")").
    if (::syscall(SYS_pivot_root, ".", ".") != 0 || ::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) {
        return errno;
    }
    return 0;
}

void drop_all_rights(bool root, uid_t user) {
    if (root) {
        (void)::syscall(SYS_setgroups, 0, nullptr);
        (void)::syscall(SYS_setresgid, user, user, user);
        (void)::syscall(SYS_setresuid, user, user, user);
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    (void)::syscall(SYS_capset, &header, none.data());
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
}

}  // namespace

Set enter(Set wanted, uid_t user, gid_t group) {
    if (wanted == 0 || (user != 0 && !enter_user_namespace(user, group))) {
        return 0;
    }
    Set entered = 0;
    for (const int one : all) {
        const auto bit = static_cast<Set>(one);
        if ((wanted & bit) != 0 && ::unshare(one) == 0) {
            entered |= bit;
        }
    }
    // What is mounted here stays here. (Below a user namespace the kernel sees to that.)
    if ((entered & CLONE_NEWNS) != 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
        entered &= ~static_cast<Set>(CLONE_NEWNS);
    }
    return entered;
}

void keep(int channel, bool root, uid_t user) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)::prctl(PR_SET_NAME, "plugfs-keeper", 0, 0, 0);
    (void)::dup2(channel, 0);
    (void)::syscall(SYS_close_range, 1U, ~0U, 0U);
    sigset_t every;
    sigfillset(&every);
    (void)::sigprocmask(SIG_SETMASK, &every, nullptr);
    char byte = 0;
    if (::read(0, &byte, 1) == 1) {
        const int error = empty_root();
        drop_all_rights(root, user);
        (void)::write(0, &error, sizeof error);
        while (::read(0, &byte, 1) > 0) {
        }
    }
    // _exit() is exit_group(2), which the strict mode does not allow.
    (void)::syscall(SYS_exit, 0);
    while (true) {
    }
}

}  // namespace plugfs::namespaces
