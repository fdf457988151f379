#include "kit/crash_handler.h"

#include <execinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>

namespace plugfs::kit {

namespace {

constexpr int frame_limit = 48;
constexpr std::size_t stack_size = std::size_t{64} << 10U;

const char* signal_name(int signal) {
    switch (signal) {
        case SIGSEGV:
            return "SIGSEGV";
        case SIGBUS:
            return "SIGBUS";
        case SIGFPE:
            return "SIGFPE";
        case SIGILL:
            return "SIGILL";
        case SIGABRT:
            return "SIGABRT";
        case SIGSYS:
            return "SIGSYS";
        default:
            return "a signal";
    }
}

// Only async-signal-safe from here on: no allocation, no stdio.
void say(const char* text) {
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void say_address(std::uintptr_t address) {
    std::array<char, 19> text{};
    std::size_t at = text.size() - 1;
    do {
        text[--at] = "0123456789abcdef"[address & 15U];
        address >>= 4U;
    } while (address != 0);
    text[--at] = 'x';
    text[--at] = '0';
    say(&text[at]);
}

// The process ends as it would have: the signal is sent once more, and comes when we return, now without a handler
// (SA_RESETHAND).
void on_crash(int signal, siginfo_t* info, void* /*context*/) {
    say("crashed: ");
    say(signal_name(signal));
    if (signal == SIGSEGV || signal == SIGBUS) {
        say(" at address ");
        say_address(reinterpret_cast<std::uintptr_t>(info->si_addr));
    }
    say("; backtrace:\n");
    std::array<void*, frame_limit> frames{};
    const int count = ::backtrace(frames.data(), frame_limit);
    ::backtrace_symbols_fd(frames.data(), count, STDERR_FILENO);
    (void)::syscall(SYS_tgkill, ::getpid(), ::gettid(), signal);
}

}  // namespace

void install_crash_handler() {
    std::array<void*, 4> frames{};
    (void)::backtrace(frames.data(), frames.size());  // loads what it needs
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS}) {
        (void)::sigaction(signal, &action, nullptr);
    }
    prepare_thread_for_crash();
}

void prepare_thread_for_crash() {
    static thread_local std::array<std::byte, stack_size> stack;
    stack_t alternative{};
    alternative.ss_sp = stack.data();
    alternative.ss_size = stack.size();
    (void)::sigaltstack(&alternative, nullptr);
}

}  // namespace plugfs::kit
