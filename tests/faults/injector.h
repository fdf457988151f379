// Injector: faults in a running worker, from outside.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string_view>

namespace plugfs::faults {

enum class Fault : std::uint8_t {
    heap_bit,         // a bit of its heap
    stack_bit,        // of a thread's stack, near its top
    register_bit,     // of a thread's registers
    code_bit,         // of its program, where a thread is
    vault_bit,        // of the vault's journal and notes
    wrong_return,     // a system call (a transfer, a wait, a reply) that returns something else
    dropped_message,  // one that was sent and has not arrived, or has arrived and was not received
    delayed_message,  // one that comes up to 400 ms late
    kill,             // SIGKILL, at whatever instruction it is
    crash,            // SIGSEGV, SIGABRT, SIGBUS or SIGFPE, likewise
    halt              // SIGSTOP: it does nothing any more
};
inline constexpr std::array<std::string_view, 11> fault_names = {
    "heap bit",        "stack bit",       "register bit", "code bit", "vault bit", "wrong return",
    "dropped message", "delayed message", "kill",         "crash",    "halt"};
inline constexpr std::size_t fault_count = fault_names.size();

class Injector {
  public:
    explicit Injector(std::uint64_t seed) : random_(seed) {}

    // Puts the fault into the process. False: there was no opportunity (it has ended, or makes no such call).
    // `stimulate` is called where something must be going on in the process, just before that is waited for.
    bool inject(pid_t worker, Fault fault, const std::function<void()>& stimulate);
    // One of them, each as likely as the others.
    Fault choose() { return static_cast<Fault>(below(fault_count)); }
    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

  private:
    [[nodiscard]] pid_t some_thread(pid_t worker);
    bool flip_heap(pid_t worker);
    bool flip_vault(pid_t worker);
    bool flip_stack(pid_t worker);
    bool flip_register(pid_t worker);
    bool flip_code(pid_t worker);
    [[nodiscard]] pid_t busy_thread(pid_t worker);
    bool return_wrongly(pid_t worker, const std::function<void()>& stimulate);
    bool drop(pid_t worker, const std::function<void()>& stimulate);
    bool delay(pid_t worker, const std::function<void()>& stimulate);
    bool flip_bit(pid_t worker, std::uintptr_t address);

    std::mt19937_64 random_;
};

}  // namespace plugfs::faults
