// Rights of its own: user, limits, scheduling, memory that can be executed.

#include "escape.h"

#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace plugfs::hostile {

namespace {

constexpr std::size_t page = 4096;

int map(int protection, int flags) {
    void* at = ::mmap(nullptr, page, protection, flags, -1, 0);
    const int result = outcome(at == MAP_FAILED ? -1 : 0);
    if (at != MAP_FAILED) {
        ::munmap(at, page);
    }
    return result;
}

int make_executable(const Target& /*target*/) {
    void* at = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return errno;
    }
    const int result = outcome(::mprotect(at, page, PROT_READ | PROT_EXEC));
    ::munmap(at, page);
    return result;
}

int raise_limit(const Target& /*target*/) {
    const rlimit files{65536, 65536};
    return outcome(::setrlimit(RLIMIT_NOFILE, &files));
}

int schedule_in_front(const Target& /*target*/) {
    sched_param first{};
    first.sched_priority = 1;
    const int result = outcome(::sched_setscheduler(0, SCHED_FIFO, &first));
    const sched_param usual{};
    (void)::sched_setscheduler(0, SCHED_OTHER, &usual);
    return result;
}

}  // namespace

std::vector<Escape> escapes_to_rights() {
    return {
        {"become root", [](const Target&) { return outcome(::syscall(SYS_setresuid, 0, 0, 0)); }},
        {"become another user's group", [](const Target&) { return outcome(::syscall(SYS_setresgid, 0, 0, 0)); }},
        {"change its groups", [](const Target&) { return outcome(::syscall(SYS_setgroups, 0, nullptr)); }},
        {"become open to debuggers", [](const Target&) { return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
        {"outlive the supervisor", [](const Target&) { return outcome(::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)); }},
        {"raise a limit", raise_limit},
        {"be scheduled before all others", schedule_in_front},
        {"get memory that can be executed",
         [](const Target&) { return map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }},
        {"make memory executable", make_executable},
        {"get shared memory, which no limit counts",
         [](const Target&) { return map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS); }},
        {"change its personality",
         [](const Target&) { return outcome(::personality(static_cast<unsigned long>(ADDR_NO_RANDOMIZE))); }},
    };
}

}  // namespace plugfs::hostile
