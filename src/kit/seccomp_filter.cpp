#include "kit/seccomp_filter.h"

#include "common/worker_contract.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/usbdevice_fs.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>

namespace plugfs::kit {

namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// What C++, libfuse and the two transports need once everything has been opened. No call here opens a path, starts a
// program, makes a socket or signals another process.
constexpr std::array allowed = {
    // descriptors that were given, and the process's own pipes, events and timers
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(lseek),
    SCMP_SYS(pwrite64), SCMP_SYS(fallocate), SCMP_SYS(close), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(fstat),
    SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    // the control socket and the usbredir connection
    SCMP_SYS(recvfrom),
    // memory
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(brk),
    // threads
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
    // signals
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    // time and randomness; libusb asks for the kernel's version
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo)};

// Of these, a driver that has started needs none.
constexpr std::array at_start_only = {SCMP_SYS(clone), SCMP_SYS(pipe2),          SCMP_SYS(mlock2),  SCMP_SYS(eventfd2),
                                      SCMP_SYS(uname), SCMP_SYS(timerfd_create), SCMP_SYS(sysinfo), SCMP_SYS(seccomp)};

// usbfs (include/uapi/linux/usbdevice_fs.h): what libusb uses, on the one descriptor that was given. No
// USBDEVFS_SETCONFIGURATION: it would take the interfaces of other drivers away.
constexpr std::array<scmp_datum_t, 20> usbfs_commands = {
    USBDEVFS_CONTROL,       USBDEVFS_BULK,           USBDEVFS_RESETEP,          USBDEVFS_SETINTERFACE,
    USBDEVFS_GETDRIVER,     USBDEVFS_SUBMITURB,      USBDEVFS_DISCARDURB,       USBDEVFS_REAPURB,
    USBDEVFS_REAPURBNDELAY, USBDEVFS_CLAIMINTERFACE, USBDEVFS_RELEASEINTERFACE, USBDEVFS_CONNECTINFO,
    USBDEVFS_RESET,         USBDEVFS_CLEAR_HALT,     USBDEVFS_GET_CAPABILITIES, USBDEVFS_GET_SPEED,
    USBDEVFS_ALLOC_STREAMS, USBDEVFS_FREE_STREAMS,   USBDEVFS_DROP_PRIVILEGES,  USBDEVFS_IOCTL};
// Takes an interface from a kernel driver; only until the driver has started. (USBDEVFS_IOCTL does as well.)
constexpr scmp_datum_t disconnect_claim = USBDEVFS_DISCONNECT_CLAIM;

// The kernel looks at the lower half of these arguments only.
constexpr scmp_datum_t low_half = 0xffffffff;
constexpr scmp_datum_t fd_of(int fd) {
    return static_cast<scmp_datum_t>(fd);
}
constexpr scmp_datum_t map_type = 0x0f;  // MAP_TYPE and, for what is shared, no MAP_ANONYMOUS
constexpr scmp_datum_t new_namespaces = static_cast<scmp_datum_t>(CLONE_NEWNS) | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

Result<void> checked(int status, const char* what) {
    if (status < 0) {
        return fail(-status, "seccomp", what);
    }
    return {};
}

template <class... Comparisons>
Result<void> add(scmp_filter_ctx filter, std::uint32_t action, int call, const char* what, Comparisons... comparisons) {
    return checked(seccomp_rule_add(filter, action, call, sizeof...(comparisons), comparisons...), what);
}

scmp_arg_cmp is(unsigned argument, scmp_datum_t value) {
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, low_half, value);
}
scmp_arg_cmp bits(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
    return SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value);
}

bool device_is_usbfs() {
    struct stat status {};
    return ::fstat(worker::device_fd, &status) == 0 && S_ISCHR(status.st_mode);
}

Result<void> add_usbfs(scmp_filter_ctx filter) {
    if (!device_is_usbfs()) {
        return {};
    }
    for (const auto command : usbfs_commands) {
        PLUGFS_TRY(
            add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), "ioctl", is(0, fd_of(worker::device_fd)), is(1, command)));
    }
    return add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), "ioctl", is(0, fd_of(worker::device_fd)),
               is(1, disconnect_claim));
}

// Nothing becomes executable any more. Shared memory is the vault, the driver's lasting memory and usbfs's buffers: any
// other would not count against the limit on memory.
Result<void> add_memory(scmp_filter_ctx filter) {
    PLUGFS_TRY(add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), "mprotect", bits(2, PROT_EXEC, 0)));
    PLUGFS_TRY(
        add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), "mmap", bits(2, PROT_EXEC, 0), bits(3, map_type, MAP_PRIVATE)));
    for (const int fd : {worker::vault_fd, worker::lasting_fd, worker::device_fd}) {
        PLUGFS_TRY(add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), "mmap", bits(2, PROT_EXEC, 0),
                       bits(3, map_type | MAP_ANONYMOUS, MAP_SHARED), is(4, fd_of(fd))));
    }
    return {};
}

Result<void> add_threads(scmp_filter_ctx filter) {
    // Threads, not processes. clone3 hides its flags from a filter: "not implemented" makes the C library use clone.
    PLUGFS_TRY(
        add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), "clone", bits(0, CLONE_THREAD | new_namespaces, CLONE_THREAD)));
    PLUGFS_TRY(add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), "clone3"));
    // Signals to itself: how a crash ends.
    return add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), "tgkill", is(0, fd_of(::getpid())));
}

Result<void> add_descriptors(scmp_filter_ctx filter) {
    // No F_SETFL: /dev/fuse's flags are the supervisor's, too. No F_SETOWN: it sends signals.
    for (const int command : {F_GETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC}) {
        PLUGFS_TRY(add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), "fcntl", is(1, fd_of(command))));
    }
    // To where the socket is connected, and without descriptors (which need sendmsg).
    PLUGFS_TRY(add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendto), "sendto", SCMP_CMP(4, SCMP_CMP_EQ, 0)));
    // fstat() of this C library is newfstatat() with an empty path. With another path it looks around in the root,
    // which is empty.
    return add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), "newfstatat", bits(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
}

// Made together with the first filter, because that one forbids most of what the library does to make it.
Filter& running_filter() {
    static Filter filter(nullptr, seccomp_release);
    return filter;
}

Result<void> prepare_running_filter() {
    Filter filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
    if (filter == nullptr) {
        return fail(ENOMEM, "seccomp_init");
    }
    if (seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) != 0 ||
        seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0) != 0) {
        return {};  // an old kernel: there will be no second filter
    }
    for (const int call : at_start_only) {
        PLUGFS_TRY(add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, "rule"));
    }
    PLUGFS_TRY(add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), "mmap", is(4, fd_of(worker::vault_fd))));
    // libusb_reset_device() claims its interfaces anew and would take them from whoever has them by then. With these
    // answers it claims them if they are free.
    PLUGFS_TRY(add(filter.get(), SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), "ioctl", is(1, disconnect_claim)));
    PLUGFS_TRY(add(filter.get(), SCMP_ACT_ERRNO(ENODATA), SCMP_SYS(ioctl), "ioctl", is(1, USBDEVFS_IOCTL)));
    running_filter() = std::move(filter);
    return {};
}

}  // namespace

Result<void> load_seccomp_filter() {
    PLUGFS_TRY(prepare_running_filter());
    const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
    if (filter == nullptr) {
        return fail(ENOMEM, "seccomp_init");
    }
    // A tree instead of a list; older libraries do not know it, and are slower.
    (void)seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (const int call : allowed) {
        PLUGFS_TRY(checked(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "rule"));
    }
    PLUGFS_TRY(add_usbfs(filter.get()));
    PLUGFS_TRY(add_memory(filter.get()));
    PLUGFS_TRY(add_threads(filter.get()));
    PLUGFS_TRY(add_descriptors(filter.get()));
    // One more filter can be added, which only takes away. (The library tells the kernel how to say that a thread did
    // not follow, where the kernel knows two ways.)
    PLUGFS_TRY(add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(seccomp), "seccomp", is(0, SECCOMP_SET_MODE_FILTER),
                   bits(1, low_half & ~scmp_datum_t{SECCOMP_FILTER_FLAG_TSYNC_ESRCH}, SECCOMP_FILTER_FLAG_TSYNC)));
    return checked(seccomp_load(filter.get()), "load");
}

Result<bool> load_running_filter() {
    if (running_filter() == nullptr) {
        return false;
    }
    PLUGFS_TRY(checked(seccomp_load(running_filter().get()), "load"));
    running_filter().reset();
    return true;
}

}  // namespace plugfs::kit
