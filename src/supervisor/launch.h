// Starts a program as a worker: with the descriptors of the contract and nothing else, and without privilege.
#pragma once

#include "common/unique_fd.h"
#include "supervisor/namespaces.h"

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
    std::size_t open_files = 64;                   // RLIMIT_NOFILE; 0 leaves it
    std::size_t processes = 0;                     // RLIMIT_NPROC of the user that it becomes; 0 leaves it
    bool no_new_privs = false;
    namespaces::Set namespaces = 0;        // to be entered, as many as the kernel permits
    int memory_group = -1;                 // a cgroup's cgroup.procs, for the worker and its keeper; -1: none
    std::vector<std::string> environment;  // "NAME=VALUE", besides what every worker gets
};

struct Process {
    pid_t pid = -1;
    UniqueFd pidfd;  // readable when it has ended; reap with waitid(P_PIDFD)
    // The keeper of its namespaces (supervisor/namespaces.h), if there are any: another child of ours, which ends when
    // the worker has been reaped; to be reaped then.
    UniqueFd keeper;
    namespaces::Set namespaces = 0;  // that it is in
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
