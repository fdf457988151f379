// The child's way from fork() to exec() is a list of named stages; each makes only async-signal-safe calls, and the
// first that fails reports its number and errno through a pipe that exec closes.

#include "supervisor/launch.h"

#include "supervisor/argument_list.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace plugfs {

namespace {

// Where descriptors wait, out of the way of their final numbers.
constexpr int parking_from = 32;
constexpr uid_t first_worker_user = 2147000000;
constexpr unsigned worker_users = 400'000;

enum class Step : std::uint8_t { descriptors, signals, limits, user, death_signal, exec };
constexpr std::array step_names = {"descriptors", "signals", "limits", "user", "parent-death signal", "exec"};
static_assert(step_names.size() == static_cast<std::size_t>(Step::exec) + 1);

// Everything the child needs, laid out before the fork: it may not allocate.
struct ChildPlan {
    int executable = -1;
    int report = -1;
    int null = -1;
    int highest = 2;
    const std::pair<int, int>* descriptors = nullptr;
    std::size_t descriptor_count = 0;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    bool change_user = false;
    uid_t user = 0;
    std::size_t locked_memory = 0;
    std::size_t data_memory = 0;
    std::size_t open_files = 0;
    pid_t parent = 0;
};

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
    return limit(RLIMIT_CORE, 0, 0) && limit(RLIMIT_NOFILE, plan.open_files, plan.open_files);
}

bool become_user(const ChildPlan& plan) {
    return !plan.change_user || (::setgroups(0, nullptr) == 0 && ::setresgid(plan.user, plan.user, plan.user) == 0 &&
                                 ::setresuid(plan.user, plan.user, plan.user) == 0);
}

bool die_with_parent(const ChildPlan& plan) {
    // After the change of user, which clears it.
    return ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && ::getppid() == plan.parent;
}

[[noreturn]] void child(const ChildPlan& plan) {
    const auto step = [&plan](Step which, bool succeeded) {
        if (!succeeded) {
            const std::array<int, 2> report = {static_cast<int>(which), errno};
            [[maybe_unused]] const auto written = ::write(plan.report, report.data(), sizeof report);
            ::_exit(127);
        }
    };
    step(Step::descriptors, set_descriptors(plan));
    step(Step::signals, reset_signals());
    step(Step::limits, set_limits(plan));
    step(Step::user, become_user(plan));
    step(Step::death_signal, die_with_parent(plan));
    // By descriptor: the new user need not be able to reach the path.
    (void)::syscall(SYS_execveat, plan.executable, "", plan.arguments, plan.environment, AT_EMPTY_PATH);
    step(Step::exec, false);
    ::_exit(127);
}

Result<UniqueFd> park(int fd) {
    UniqueFd parked(::fcntl(fd, F_DUPFD_CLOEXEC, parking_from));
    if (!parked) {
        return fail(errno, "launch: descriptors");
    }
    return parked;
}

// Nothing of our environment but what steers sanitizers.
std::vector<std::string> worker_environment() {
    std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8"};
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name)) {
            variables.push_back(std::string(name) + "=" + value);
        }
    }
    return variables;
}

Result<Process> wait_for_exec(pid_t pid, int report) {
    std::array<int, 2> failure{};
    ssize_t length = 0;
    do {
        length = ::read(report, failure.data(), sizeof failure);
    } while (length < 0 && errno == EINTR);
    if (length == sizeof failure) {
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        const auto step = std::clamp<std::size_t>(static_cast<std::size_t>(failure[0]), 0, step_names.size() - 1);
        return fail(failure[1], std::string("launch: ") + step_names[step]);
    }
    Process process{pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)))};
    if (!process.pidfd) {
        const int error = errno;
        (void)::kill(pid, SIGKILL);
        (void)::waitpid(pid, nullptr, 0);
        return fail(error, "launch: pidfd_open");
    }
    return process;
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
    for (const auto& [ours, number] : plan.descriptors) {
        PLUGFS_ASSIGN(auto copy, park(ours));
        descriptors.emplace_back(copy.get(), number);
        child_plan.highest = std::max(child_plan.highest, number);
        parked.push_back(std::move(copy));
    }
    std::vector<std::string> arguments = {plan.executable};
    arguments.insert(arguments.end(), plan.arguments.begin(), plan.arguments.end());
    auto environment = worker_environment();
    const auto argument_pointers = argument_list(arguments);
    const auto environment_pointers = argument_list(environment);

    child_plan.executable = executable.get();
    child_plan.report = report_write.get();
    child_plan.null = null.get();
    child_plan.descriptors = descriptors.data();
    child_plan.descriptor_count = descriptors.size();
    child_plan.arguments = argument_pointers.data();
    child_plan.environment = environment_pointers.data();
    child_plan.change_user = plan.user.has_value();
    child_plan.user = plan.user.value_or(0);
    child_plan.locked_memory = plan.locked_memory;
    child_plan.data_memory = plan.data_memory;
    child_plan.open_files = plan.open_files;
    child_plan.parent = ::getpid();

    const pid_t pid = ::fork();
    if (pid < 0) {
        return fail(errno, "launch: fork");
    }
    if (pid == 0) {
        child(child_plan);
    }
    report_write.reset();
    return wait_for_exec(pid, report_read.get());
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
