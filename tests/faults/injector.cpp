#include "injector.h"

#include "common/unique_fd.h"
#include "common/vault.h"
#include "tracer.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace plugfs::faults {

namespace {

constexpr std::chrono::milliseconds call_limit{150};

struct Region {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    std::string rights;
    std::string name;
};

std::vector<Region> regions_of(pid_t process) {
    std::ifstream file("/proc/" + std::to_string(process) + "/maps");
    std::vector<Region> regions;
    for (std::string line; std::getline(file, line);) {
        Region region;
        const auto dash = line.find('-');
        const auto space = line.find(' ');
        if (dash == std::string::npos || space == std::string::npos) {
            continue;
        }
        std::from_chars(line.data(), line.data() + dash, region.begin, 16);
        std::from_chars(line.data() + dash + 1, line.data() + space, region.end, 16);
        region.rights = line.substr(space + 1, 4);
        const auto name = line.find_first_of("/[");
        region.name = name == std::string::npos ? "" : line.substr(name);
        regions.push_back(std::move(region));
    }
    return regions;
}

std::vector<pid_t> threads_of(pid_t worker) {
    std::error_code error;
    std::vector<pid_t> threads;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(worker) + "/task", error)) {
        threads.push_back(static_cast<pid_t>(std::strtol(entry.path().filename().c_str(), nullptr, 10)));
    }
    std::sort(threads.begin(), threads.end());
    return threads;
}

bool is_receive(long call) {
    return call == SYS_read || call == SYS_recvfrom || call == SYS_pread64;
}
bool is_send(long call) {
    return call == SYS_write || call == SYS_writev || call == SYS_sendto || call == SYS_pwrite64;
}

// How many bytes a call of is_send() was to send. Parts of writev(2) are not looked into: a reply's header will do.
long length_of(const user_regs_struct& registers) {
    return static_cast<long>(registers.orig_rax) == SYS_writev ? 16 : static_cast<long>(registers.rdx);
}

}  // namespace

bool Injector::inject(pid_t worker, Fault fault, const std::function<void()>& stimulate) {
    switch (fault) {
        case Fault::heap_bit:
            return flip_heap(worker);
        case Fault::stack_bit:
            return flip_stack(worker);
        case Fault::register_bit:
            return flip_register(worker);
        case Fault::code_bit:
            return flip_code(worker);
        case Fault::vault_bit:
            return flip_vault(worker);
        case Fault::wrong_return:
            return return_wrongly(worker, stimulate);
        case Fault::dropped_message:
            return drop(worker, stimulate);
        case Fault::delayed_message:
            return delay(worker, stimulate);
        case Fault::kill:
            return ::kill(worker, SIGKILL) == 0;
        case Fault::crash: {
            constexpr std::array signals = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE};
            return ::kill(worker, signals.at(below(signals.size()))) == 0;
        }
        case Fault::halt:
            return ::kill(worker, SIGSTOP) == 0;
    }
    return false;
}

pid_t Injector::some_thread(pid_t worker) {
    const auto threads = threads_of(worker);
    return threads.empty() ? 0 : threads.at(below(threads.size()));
}

// The FUSE thread or the device thread, the first and the last that were made. Between them is the notifier.
pid_t Injector::busy_thread(pid_t worker) {
    const auto threads = threads_of(worker);
    return threads.empty() ? 0 : (below(2) == 0 ? threads.front() : threads.back());
}

// By /proc: what is read-only for the process itself (its code) can be written there.
bool Injector::flip_bit(pid_t worker, std::uintptr_t address) {
    const UniqueFd memory(::open(("/proc/" + std::to_string(worker) + "/mem").c_str(), O_RDWR | O_CLOEXEC));
    unsigned char byte = 0;
    if (!memory || ::pread(memory.get(), &byte, 1, static_cast<off_t>(address)) != 1) {
        return false;
    }
    byte ^= static_cast<unsigned char>(1U << below(8));
    return ::pwrite(memory.get(), &byte, 1, static_cast<off_t>(address)) == 1;
}

bool Injector::flip_heap(pid_t worker) {
    auto regions = regions_of(worker);
    // The heap of malloc(3), its arenas of other threads, and the variables of the program.
    std::erase_if(regions, [](const Region& region) {
        const bool ours =
            region.name.empty() || region.name == "[heap]" || region.name.find("plugfs") != std::string::npos;
        return region.rights != "rw-p" || !ours || region.end - region.begin > (std::uintptr_t{4} << 20U);
    });
    if (regions.empty()) {
        return false;
    }
    const auto& region = regions.at(below(regions.size()));
    return flip_bit(worker, region.begin + below(region.end - region.begin));
}

bool Injector::flip_vault(pid_t worker) {
    for (const auto& region : regions_of(worker)) {
        if (region.name.find("plugfs-vault") != std::string::npos) {
            // Half of them in the header, where much is at stake; the others in the small slots or in the notes.
            constexpr std::size_t notes = 16384;
            const std::size_t place = below(4);
            const std::size_t offset = place < 2    ? below(sizeof(VaultHeader))
                                       : place == 2 ? small_slots_offset + below(small_slot_count * small_slot_size)
                                                    : node_areas_offset + below(notes);
            return flip_bit(worker, region.begin + offset);
        }
    }
    return false;
}

bool Injector::flip_stack(pid_t worker) {
    constexpr std::size_t depth = 2048;
    std::uintptr_t top = 0;
    {
        const auto thread = Tracer::stop(some_thread(worker));
        user_regs_struct registers{};
        if (!thread || !thread->get(registers)) {
            return false;
        }
        top = registers.rsp;
        return flip_bit(worker, top + below(depth));
    }
}

bool Injector::flip_register(pid_t worker) {
    const auto thread = Tracer::stop(some_thread(worker));
    user_regs_struct registers{};
    if (!thread || !thread->get(registers)) {
        return false;
    }
    const std::array<unsigned long long*, 17> all = {
        &registers.rax, &registers.rbx, &registers.rcx, &registers.rdx, &registers.rsi, &registers.rdi,
        &registers.rbp, &registers.rsp, &registers.r8,  &registers.r9,  &registers.r10, &registers.r11,
        &registers.r12, &registers.r13, &registers.r14, &registers.r15, &registers.rip};
    *all.at(below(all.size())) ^= 1ULL << below(64);
    return thread->set(registers);
}

// In the driver's program: near where a thread returns to, or anywhere in it.
bool Injector::flip_code(pid_t worker) {
    auto regions = regions_of(worker);
    std::erase_if(regions, [](const Region& region) {
        return region.rights != "r-xp" || region.name.find("plugfs") == std::string::npos;
    });
    if (regions.empty()) {
        return false;
    }
    const auto& region = regions.front();
    return flip_bit(worker, region.begin + below(region.end - region.begin));
}

bool Injector::return_wrongly(pid_t worker, const std::function<void()>& stimulate) {
    auto thread = Tracer::stop(busy_thread(worker));
    stimulate();
    const auto any = [](const user_regs_struct& registers) {
        const auto call = static_cast<long>(registers.orig_rax);
        return is_receive(call) || is_send(call) || call == SYS_poll || call == SYS_ppoll || call == SYS_futex;
    };
    user_regs_struct registers{};
    if (!thread || !thread->run_to_entry(any, call_limit) || !thread->run_to_exit(call_limit) ||
        !thread->get(registers)) {
        return false;
    }
    constexpr std::array errors = {EIO, ENODEV, ENOMEM, EPIPE, EINVAL, EAGAIN, EBADF, ETIMEDOUT, ECONNRESET, ENOENT};
    const auto result = static_cast<long>(registers.rax);
    const std::size_t how = below(4);
    registers.rax = static_cast<unsigned long long>(how < 2    ? -errors.at(below(errors.size()))
                                                    : how == 2 ? 0
                                                               : result + static_cast<long>(below(65)) - 32);
    return thread->set(registers);
}

bool Injector::drop(pid_t worker, const std::function<void()>& stimulate) {
    auto thread = Tracer::stop(busy_thread(worker));
    stimulate();
    const bool sent = below(2) == 0;
    const auto wanted = [sent](const user_regs_struct& registers) {
        const auto call = static_cast<long>(registers.orig_rax);
        return sent ? is_send(call) : is_receive(call);
    };
    user_regs_struct registers{};
    if (!thread || !thread->run_to_entry(wanted, call_limit) || !thread->get(registers)) {
        return false;
    }
    long pretended = -EAGAIN;
    if (sent) {
        pretended = length_of(registers);
        registers.orig_rax = ~0ULL;  // no such call: nothing is sent
        if (!thread->set(registers)) {
            return false;
        }
    }
    if (!thread->run_to_exit(call_limit) || !thread->get(registers)) {
        return false;
    }
    registers.rax = static_cast<unsigned long long>(pretended);
    return thread->set(registers);
}

bool Injector::delay(pid_t worker, const std::function<void()>& stimulate) {
    auto thread = Tracer::stop(busy_thread(worker));
    stimulate();
    const auto any = [](const user_regs_struct& registers) {
        return is_send(static_cast<long>(registers.orig_rax)) || is_receive(static_cast<long>(registers.orig_rax));
    };
    if (!thread || !thread->run_to_entry(any, call_limit)) {
        return false;
    }
    // Most are short.
    std::this_thread::sleep_for(std::chrono::milliseconds(1ULL << below(9)) + std::chrono::milliseconds(below(100)));
    return true;
}

}  // namespace plugfs::faults
