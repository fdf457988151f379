// Tracer: one thread of another process, held by ptrace(2): its registers, and its next system calls.
//
// Made, used and destroyed on one thread. x86-64 only.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <chrono>
#include <functional>
#include <optional>

namespace plugfs::faults {

class Tracer {
  public:
    // Stops the thread. Nothing: it has ended, or does not stop in time.
    static std::optional<Tracer> stop(pid_t thread);
    // Lets it run again, if it is still there.
    ~Tracer();
    Tracer(Tracer&& other) noexcept;
    Tracer& operator=(Tracer&&) = delete;
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;

    [[nodiscard]] bool get(user_regs_struct& registers) const;
    bool set(const user_regs_struct& registers) const;

    // Lets it run until it enters a system call for which `wanted` is true, and stops it there. False: not in time.
    bool run_to_entry(const std::function<bool(const user_regs_struct&)>& wanted, std::chrono::milliseconds limit);
    // From there to where the call has returned.
    bool run_to_exit(std::chrono::milliseconds limit);

  private:
    explicit Tracer(pid_t thread) : thread_(thread) {}
    // Until it stops again; false when it has ended or time is up.
    bool wait(std::chrono::steady_clock::time_point until);
    bool go(std::chrono::steady_clock::time_point until);

    pid_t thread_;
    bool stopped_ = false;
    bool ended_ = false;
    bool in_call_ = false;
    int signal_ = 0;  // that it was about to get
};

}  // namespace plugfs::faults
