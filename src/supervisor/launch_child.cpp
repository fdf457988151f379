#include "supervisor/launch_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace plugfs {

namespace {

void report(const ChildPlan& plan, const LaunchReport& message) {
    [[maybe_unused]] const auto written = ::write(plan.report, &message, sizeof message);
}

void step(const ChildPlan& plan, LaunchStep which, bool succeeded) {
    if (!succeeded) {
        report(plan, {LaunchReport::What::failed, static_cast<std::int32_t>(which), errno, 0});
        ::_exit(127);
    }
}

bool set_descriptors(const ChildPlan& plan) {
    if (::dup2(plan.null, 0) < 0) {
        return false;
    }
    for (std::size_t i = 0; i < plan.descriptor_count; ++i) {
        if (::dup2(plan.descriptors[i].first, plan.descriptors[i].second) < 0) {
            return false;
        }
    }
    for (int number = 1; number <= plan.highest; ++number) {
        bool wanted = false;
        for (std::size_t i = 0; i < plan.descriptor_count; ++i) {
            wanted |= plan.descriptors[i].second == number;
        }
        if (!wanted) {
            (void)::close(number);
        }
    }
    // The rest closes at exec; the report pipe must live until then.
    return ::syscall(SYS_close_range, plan.highest + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

bool reset_signals() {
    sigset_t none;
    sigemptyset(&none);
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (const int signal : {SIGPIPE, SIGCHLD, SIGINT, SIGTERM, SIGHUP}) {
        if (::sigaction(signal, &standard, nullptr) != 0) {
            return false;
        }
    }
    return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

bool limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
    const rlimit value{soft, hard};
    return ::setrlimit(resource, &value) == 0;
}

bool set_limits(const ChildPlan& plan) {
    if (plan.locked_memory != 0) {
        rlimit memory{};
        (void)::getrlimit(RLIMIT_MEMLOCK, &memory);
        const rlim_t wanted = plan.locked_memory;
        // More than the limit allows takes root; without, the worker does with what there is and says so.
        if (!limit(RLIMIT_MEMLOCK, wanted, std::max<rlim_t>(wanted, memory.rlim_max))) {
            (void)limit(RLIMIT_MEMLOCK, memory.rlim_max, memory.rlim_max);
        }
    }
    if (plan.data_memory != 0 && !limit(RLIMIT_DATA, plan.data_memory, plan.data_memory)) {
        return false;
    }
    if (plan.processes != 0 && !limit(RLIMIT_NPROC, plan.processes, plan.processes)) {
        return false;
    }
    return limit(RLIMIT_CORE, 0, 0) && (plan.open_files == 0 || limit(RLIMIT_NOFILE, plan.open_files, plan.open_files));
}

// Who has no capability needs none that could come back: by exec of a program that has some, or in a namespace.
bool drop_capabilities() {
    for (unsigned long capability = 0; capability < 64; ++capability) {
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            break;  // there are no more, or (as an ordinary user) none can be dropped
        }
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    return ::syscall(SYS_capset, &header, none.data()) == 0;
}

bool become_user(const ChildPlan& plan) {
    if (plan.change_user) {
        for (unsigned long capability = 0; capability < 64; ++capability) {
            if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
                break;
            }
        }
        return ::setgroups(0, nullptr) == 0 && ::setresgid(plan.user, plan.user, plan.user) == 0 &&
               ::setresuid(plan.user, plan.user, plan.user) == 0;
    }
    return plan.own_user == 0 || drop_capabilities();
}

bool die_with_parent(const ChildPlan& plan) {
    // After the change of user, which clears it. The parent may have died before: then nobody reads the report pipe.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return false;
    }
    pollfd reader{plan.report, 0, 0};
    return ::poll(&reader, 1, 0) == 0;
}

// fork(), but the new process is our parent's child, and hears with us of its end.
pid_t fork_sibling() {
    return static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

}  // namespace

void become_worker(const ChildPlan& plan) {
    step(plan, LaunchStep::descriptors, set_descriptors(plan));
    step(plan, LaunchStep::signals, reset_signals());
    step(plan, LaunchStep::limits, set_limits(plan));
    step(plan, LaunchStep::user, become_user(plan));
    step(plan, LaunchStep::user, !plan.no_new_privs || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    step(plan, LaunchStep::death_signal, die_with_parent(plan));
    // By descriptor: the new user need not be able to reach the path.
    (void)::syscall(SYS_execveat, plan.executable, "", plan.arguments, plan.environment, AT_EMPTY_PATH);
    step(plan, LaunchStep::exec, false);
    ::_exit(127);
}

void stage_worker(const ChildPlan& plan) {
    if (plan.memory_group >= 0) {
        step(plan, LaunchStep::memory, ::write(plan.memory_group, "0\n", 2) == 2);
    }
    const auto entered = namespaces::enter(plan.namespaces, plan.own_user, plan.own_group);
    // Processes have the root of the one that made them: it must be "/" itself to be emptied.
    (void)::chdir("/");
    pid_t keeper = 0;
    if ((entered & (CLONE_NEWPID | CLONE_NEWNS)) != 0) {
        keeper = fork_sibling();
        step(plan, LaunchStep::keeper, keeper >= 0);
        if (keeper == 0) {
            namespaces::keep(plan.keeper_end, plan.own_user == 0, plan.keeper_user);
        }
    }
    const pid_t worker = fork_sibling();
    step(plan, LaunchStep::fork, worker >= 0);
    if (worker == 0) {
        become_worker(plan);
    }
    report(plan, {LaunchReport::What::started, worker, keeper, entered});
    ::_exit(0);
}

}  // namespace plugfs
