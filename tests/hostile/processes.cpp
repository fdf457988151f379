// Other processes, and new ones.

#include "escape.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace plugfs::hostile {

namespace {

// A process that was made ends at once.
int made(long pid) {
    if (pid == 0) {
        (void)::syscall(SYS_exit_group, 0);
    }
    const int result = outcome(pid);
    if (pid > 0) {
        (void)::waitpid(static_cast<pid_t>(pid), nullptr, __WALL);
    }
    return result;
}

int open_process(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int signal_by_descriptor(const Target& target) {
    const int fd = open_process(target.supervisor);
    const int result = outcome(fd < 0 ? -1 : ::syscall(SYS_pidfd_send_signal, fd, 0, nullptr, 0));
    ::close(fd);
    return result;
}

int take_descriptor(const Target& target) {
    const int fd = open_process(target.supervisor);
    const long taken = fd < 0 ? -1 : ::syscall(SYS_pidfd_getfd, fd, 0, 0);
    const int result = outcome(taken);
    ::close(static_cast<int>(taken));
    ::close(fd);
    return result;
}

int queue_signal(const Target& target) {
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    return outcome(::syscall(SYS_rt_sigqueueinfo, target.supervisor, 0, &info));
}

// The kernel sends SIGIO, or another signal (F_SETSIG), to whom a descriptor belongs.
int signal_by_owner(const Target& target) {
    return outcome(::fcntl(STDERR_FILENO, F_SETOWN, target.supervisor));
}

int trace(const Target& target) {
    const int result = outcome(::ptrace(PTRACE_SEIZE, target.supervisor, nullptr, nullptr));
    if (result == 0) {
        // It must stop before it can be let go.
        (void)::ptrace(PTRACE_INTERRUPT, target.supervisor, nullptr, nullptr);
        (void)::waitpid(target.supervisor, nullptr, __WALL);
        (void)::ptrace(PTRACE_DETACH, target.supervisor, nullptr, nullptr);
    }
    return result;
}

int read_memory(const Target& target) {
    std::array<char, 8> bytes{};
    iovec here{bytes.data(), bytes.size()};
    iovec there{reinterpret_cast<void*>(8), bytes.size()};
    return outcome(::process_vm_readv(target.supervisor, &here, 1, &there, 1, 0), {EFAULT});
}

// The program is opened before its arguments are looked at, so that this process stays what it is.
int execute(const Target& /*target*/) {
    return outcome(::syscall(SYS_execve, "/bin/true", 8L, 8L), {EFAULT});
}

int execute_memory(const Target& /*target*/) {
    const int fd = static_cast<int>(::syscall(SYS_memfd_create, "program", 0));
    if (fd < 0) {
        return errno;
    }
    const int result = outcome(::syscall(SYS_execveat, fd, "", 8L, 8L, AT_EMPTY_PATH), {EFAULT, ENOEXEC});
    ::close(fd);
    return result;
}

int clone3_process(const Target& /*target*/) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    return made(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

int enter_namespace(const Target& target) {
    const int fd = open_process(target.supervisor);
    const int result = outcome(fd < 0 ? -1 : ::setns(fd, CLONE_NEWUTS));
    ::close(fd);
    return result;
}

int limit_other(const Target& target) {
    rlimit64 old{};
    return outcome(::syscall(SYS_prlimit64, target.supervisor, RLIMIT_CORE, nullptr, &old));
}

}  // namespace

std::vector<Escape> escapes_to_processes() {
    return {
        {"signal the supervisor", [](const Target& target) { return outcome(::kill(target.supervisor, 0)); }},
        {"signal another worker", [](const Target& target) { return outcome(::kill(target.neighbour, 0)); }},
        {"signal everybody", [](const Target&) { return outcome(::kill(-1, 0)); }},
        {"signal a thread of the supervisor",
         [](const Target& target) { return outcome(::syscall(SYS_tgkill, target.supervisor, target.supervisor, 0)); }},
        {"signal through a descriptor", signal_by_descriptor},
        {"queue a signal", queue_signal},
        {"have the kernel send signals (F_SETOWN)", signal_by_owner},
        {"trace the supervisor", trace},
        {"read the supervisor's memory", read_memory},
        {"take the supervisor's descriptor", take_descriptor},
        {"compare with the supervisor (kcmp)",
         [](const Target& target) {
             return outcome(::syscall(SYS_kcmp, ::getpid(), target.supervisor, KCMP_VM, 0, 0));
         }},
        {"look at the supervisor's limits", limit_other},
        {"execute a program", execute},
        {"execute memory", execute_memory},
        {"fork", [](const Target&) { return made(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
        {"fork (clone3)", clone3_process},
        {"fork into a user namespace",
         [](const Target&) { return made(::syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0)); }},
        {"leave a namespace (unshare)", [](const Target&) { return outcome(::unshare(CLONE_NEWUTS)); }},
        {"enter the supervisor's namespaces", enter_namespace},
    };
}

}  // namespace plugfs::hostile
