#include "kit/seccomp_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>

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
    SCMP_SYS(fcntl), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    // the control socket and the usbredir connection
    SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    // memory
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(brk),
    // threads
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    // signals
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    // time and randomness; libusb asks for the kernel's version
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo)};

// usbfs: the ioctls of type 'U' (include/uapi/linux/usbdevice_fs.h).
constexpr scmp_datum_t ioctl_type_mask = 0xff00;
constexpr scmp_datum_t ioctl_type_usbfs = scmp_datum_t{'U'} << 8U;

Result<void> checked(int status, const char* what) {
    if (status < 0) {
        return fail(-status, "seccomp", what);
    }
    return {};
}

Result<void> add_narrowed_rules(scmp_filter_ctx filter) {
    PLUGFS_TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                        SCMP_A1(SCMP_CMP_MASKED_EQ, ioctl_type_mask, ioctl_type_usbfs)),
                       "ioctl"));
    // Nothing becomes executable any more.
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
        PLUGFS_TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)),
                           "mmap, mprotect"));
    }
    // Threads, not processes. clone3 hides its flags from a filter: "not implemented" makes the C library use clone.
    PLUGFS_TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                        SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)),
                       "clone"));
    PLUGFS_TRY(checked(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3"));
    // fstat() of this C library is newfstatat() with an empty path. A path would still be subject to Landlock's world
    // of nothing.
    return checked(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                                    SCMP_A3(SCMP_CMP_MASKED_EQ, 0x1000 /* AT_EMPTY_PATH */, 0x1000)),
                   "newfstatat");
}

}  // namespace

Result<void> load_seccomp_filter() {
    const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
    if (filter == nullptr) {
        return fail(ENOMEM, "seccomp_init");
    }
    for (const int call : allowed) {
        PLUGFS_TRY(checked(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "rule"));
    }
    PLUGFS_TRY(add_narrowed_rules(filter.get()));
    return checked(seccomp_load(filter.get()), "load");
}

}  // namespace plugfs::kit
