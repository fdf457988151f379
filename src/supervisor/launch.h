// Starts a program as a worker: with the descriptors of the contract and nothing else, and without privilege.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace plugfs {

struct LaunchPlan {
    std::string executable;                        // path; opened before privilege is given up
    std::vector<std::string> arguments;            // without the program's own name
    std::vector<std::pair<int, int>> descriptors;  // (ours, its number there); 0 is /dev/null unless listed
    std::optional<uid_t> user;                     // as root: the user and group (the same number) it becomes
    std::size_t locked_memory = 0;                 // RLIMIT_MEMLOCK to aim for, bytes; 0 leaves it
    std::size_t data_memory = 0;                   // RLIMIT_DATA: what it may allocate, bytes; 0 leaves it
    std::size_t open_files = 64;                   // RLIMIT_NOFILE
};

struct Process {
    pid_t pid = -1;
    UniqueFd pidfd;  // readable when it has ended; reap with waitid(P_PIDFD)
};

// Forks and executes. Returns when the program runs, or the stage at which it failed: "open", "user", "exec", ... It
// dies with the calling thread.
[[nodiscard]] Result<Process> launch(const LaunchPlan& plan);

// "exit status 1", "signal 11 (Segmentation fault)": how a process ended; reaps it. Empty while it runs.
[[nodiscard]] std::string reap(const Process& process);

// The user for the `index`-th worker: one of its own each, in a range that no distribution assigns (systemd's uids.md:
// 1879048192 to 2147483647 is unused).
[[nodiscard]] uid_t worker_user(unsigned index);

}  // namespace plugfs
