#include "supervisor/launch.h"

#include "common/worker_contract.h"
#include "supervisor/argument_list.h"
#include "supervisor/launch_child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace plugfs {

namespace {

// Where descriptors wait, out of the way of their final numbers.
constexpr int parking_from = 32;
constexpr uid_t first_worker_user = 2147000000;
constexpr unsigned worker_users = 400'000;
// Not among them: whoever keeps namespaces.
constexpr uid_t keeper_user = first_worker_user - 1;

Result<UniqueFd> park(int fd) {
    UniqueFd parked(::fcntl(fd, F_DUPFD_CLOEXEC, parking_from));
    if (!parked) {
        return fail(errno, "launch: descriptors");
    }
    return parked;
}

// Nothing of our environment but what steers sanitizers.
std::vector<std::string> worker_environment(const LaunchPlan& plan) {
    std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name)) {
            variables.push_back(std::string(name) + "=" + value);
        }
    }
    variables.insert(variables.end(), plan.environment.begin(), plan.environment.end());
    return variables;
}

void reap_all(std::initializer_list<pid_t> pids) {
    for (const pid_t pid : pids) {
        if (pid > 0) {
            (void)::kill(pid, SIGKILL);
            while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
            }
        }
    }
}

Result<UniqueFd> open_process(pid_t pid) {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        return fail(errno, "launch: pidfd_open");
    }
    return pidfd;
}

// Reads the report pipe to its end: the driver runs, or somebody on the way to it has failed. `child` is who was
// forked: the worker itself, or with namespaces the stager.
Result<Process> wait_for_exec(pid_t child, bool staged, int report) {
    LaunchReport started;
    LaunchReport message;
    LaunchReport failure;
    bool failed = false;
    ssize_t length = 0;
    while ((length = ::read(report, &message, sizeof message)) != 0) {
        if (length != static_cast<ssize_t>(sizeof message)) {
            continue;  // EINTR; messages are whole
        }
        if (message.what == LaunchReport::What::started) {
            started = message;
        } else if (!failed) {
            failure = message;
            failed = true;
        }
    }
    if (staged) {
        reap_all({child});
    }
    const pid_t worker = staged ? started.first : child;
    if (failed || worker <= 0) {
        // The worker before its keeper, whose end waits for all others in its namespace.
        reap_all({worker, started.second});
        const auto step =
            std::clamp<std::size_t>(static_cast<std::size_t>(failure.first), 0, launch_step_names.size() - 1);
        return failed ? fail(failure.second, std::string("launch: ") + launch_step_names[step])
                      : fail(ECHILD, "launch", "the stager ended without a word");
    }
    Process process;
    process.pid = worker;
    process.namespaces = started.entered;
    auto worker_fd = open_process(worker);
    auto keeper_fd = started.second > 0 ? open_process(started.second) : Result<UniqueFd>(UniqueFd());
    if (!worker_fd || !keeper_fd) {
        reap_all({worker, started.second});
        return worker_fd ? keeper_fd.error() : worker_fd.error();
    }
    process.pidfd = std::move(*worker_fd);
    process.keeper = std::move(*keeper_fd);
    return process;
}

void copy_limits(const LaunchPlan& plan, ChildPlan& child) {
    child.change_user = plan.user.has_value();
    child.user = plan.user.value_or(0);
    child.keeper_user = keeper_user;
    child.own_user = ::geteuid();
    child.own_group = ::getegid();
    child.no_new_privs = plan.no_new_privs;
    child.locked_memory = plan.locked_memory;
    child.data_memory = plan.data_memory;
    child.open_files = plan.open_files;
    child.processes = plan.processes;
    child.namespaces = plan.namespaces;
}

}  // namespace

Result<Process> launch(const LaunchPlan& plan) {
    ChildPlan child_plan;
    UniqueFd executable(::open(plan.executable.c_str(), O_PATH | O_CLOEXEC));
    if (!executable) {
        return fail(errno, "launch: open " + plan.executable);
    }
    PLUGFS_ASSIGN(executable, park(executable.get()));
    UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    int ends[2] = {-1, -1};
    if (!null || ::pipe2(ends, O_CLOEXEC) != 0) {
        return fail(errno, "launch: pipe");
    }
    const UniqueFd report_read(ends[0]);
    UniqueFd report_write(ends[1]);
    PLUGFS_ASSIGN(report_write, park(report_write.get()));
    PLUGFS_ASSIGN(null, park(null.get()));

    std::vector<UniqueFd> parked;
    std::vector<std::pair<int, int>> descriptors;
    const auto pass_on = [&](int ours, int number) -> Result<void> {
        PLUGFS_ASSIGN(auto copy, park(ours));
        descriptors.emplace_back(copy.get(), number);
        child_plan.highest = std::max(child_plan.highest, number);
        parked.push_back(std::move(copy));
        return {};
    };
    for (const auto& [ours, number] : plan.descriptors) {
        PLUGFS_TRY(pass_on(ours, number));
    }
    const bool staged = plan.namespaces != 0 || plan.memory_group >= 0;
    UniqueFd keeper_end;
    if (staged) {
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
            return fail(errno, "launch: socketpair");
        }
        const UniqueFd worker_end(ends[0]);
        keeper_end.reset(ends[1]);
        PLUGFS_TRY(pass_on(worker_end.get(), worker::keeper_fd));
    }
    std::vector<std::string> arguments = {plan.executable};
    arguments.insert(arguments.end(), plan.arguments.begin(), plan.arguments.end());
    auto environment = worker_environment(plan);
    const auto argument_pointers = argument_list(arguments);
    const auto environment_pointers = argument_list(environment);

    child_plan.executable = executable.get();
    child_plan.report = report_write.get();
    child_plan.null = null.get();
    child_plan.memory_group = plan.memory_group;
    child_plan.keeper_end = keeper_end.get();
    child_plan.descriptors = descriptors.data();
    child_plan.descriptor_count = descriptors.size();
    child_plan.arguments = argument_pointers.data();
    child_plan.environment = environment_pointers.data();
    copy_limits(plan, child_plan);

    const pid_t pid = ::fork();
    if (pid < 0) {
        return fail(errno, "launch: fork");
    }
    if (pid == 0) {
        staged ? stage_worker(child_plan) : become_worker(child_plan);
    }
    report_write.reset();
    return wait_for_exec(pid, staged, report_read.get());
}

std::string reap(const Process& process) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
        return {};
    }
    if (info.si_code == CLD_EXITED) {
        return "exit status " + std::to_string(info.si_status);
    }
    return "signal " + std::to_string(info.si_status) + " (" + ::strsignal(info.si_status) + ")";
}

uid_t worker_user(unsigned index) {
    return first_worker_user + (index % worker_users);
}

}  // namespace plugfs
