#include "tracer.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>

namespace plugfs::faults {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds stop_limit{2};
// Who ends while he is traced is not let go of before he has been waited for; that may have to wait for the kernel, and
// for the rest of his process.
constexpr std::chrono::seconds let_go_limit{20};
constexpr int call_stop = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD

}  // namespace

std::optional<Tracer> Tracer::stop(pid_t thread) {
    if (::ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD) != 0) {
        return std::nullopt;
    }
    Tracer tracer(thread);
    if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 || !tracer.wait(Clock::now() + stop_limit)) {
        return std::nullopt;
    }
    return tracer;
}

Tracer::Tracer(Tracer&& other) noexcept
    : thread_(std::exchange(other.thread_, 0)),
      stopped_(other.stopped_),
      ended_(other.ended_),
      in_call_(other.in_call_),
      signal_(other.signal_) {}

Tracer::~Tracer() {
    if (thread_ == 0) {
        return;
    }
    // Only who stands can be let go; and who is killed while he stands does not stand any more, but has to be waited
    // for: his process does not end before.
    const auto until = Clock::now() + let_go_limit;
    while (!ended_ && Clock::now() < until) {
        if (stopped_ && ::ptrace(PTRACE_DETACH, thread_, nullptr, signal_) == 0) {
            return;
        }
        (void)::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr);
        (void)wait(until);
    }
}

bool Tracer::wait(Clock::time_point until) {
    stopped_ = false;
    while (true) {
        int status = 0;
        const pid_t found = ::waitpid(thread_, &status, __WALL | WNOHANG);
        if (found == thread_) {
            if (!WIFSTOPPED(status)) {
                ended_ = true;
                return false;
            }
            const bool call = WSTOPSIG(status) == call_stop;
            in_call_ = call ? !in_call_ : in_call_;
            const int event = status >> 16;
            signal_ = call || event != 0 ? 0 : WSTOPSIG(status);
            stopped_ = true;
            return true;
        }
        if (found < 0 && errno != EINTR) {
            ended_ = true;
            return false;
        }
        if (Clock::now() >= until) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
}

bool Tracer::go(Clock::time_point until) {
    // An error: it has been killed, and wait() will see its end.
    (void)::ptrace(PTRACE_SYSCALL, thread_, nullptr, std::exchange(signal_, 0));
    return wait(until);
}

bool Tracer::get(user_regs_struct& registers) const {
    iovec part{&registers, sizeof registers};
    return stopped_ && ::ptrace(PTRACE_GETREGSET, thread_, NT_PRSTATUS, &part) == 0;
}

bool Tracer::set(const user_regs_struct& registers) const {
    user_regs_struct copy = registers;
    iovec part{&copy, sizeof copy};
    return stopped_ && ::ptrace(PTRACE_SETREGSET, thread_, NT_PRSTATUS, &part) == 0;
}

bool Tracer::run_to_entry(const std::function<bool(const user_regs_struct&)>& wanted, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (go(until)) {
        user_regs_struct registers{};
        if (in_call_ && get(registers) && wanted(registers)) {
            return true;
        }
    }
    return false;
}

bool Tracer::run_to_exit(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (in_call_) {
        if (!go(until)) {
            return false;
        }
    }
    return true;
}

}  // namespace plugfs::faults
