// What happens between fork() and exec(): a list of named steps, each of only async-signal-safe calls. The first that
// fails reports its number and errno through a pipe that exec closes.
#pragma once

#include "supervisor/namespaces.h"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace plugfs {

enum class LaunchStep : std::uint8_t { memory, keeper, fork, descriptors, signals, limits, user, death_signal, exec };
inline constexpr std::array launch_step_names = {
    "memory group", "keeper", "fork", "descriptors", "signals", "limits", "user", "parent-death signal", "exec"};
static_assert(launch_step_names.size() == static_cast<std::size_t>(LaunchStep::exec) + 1);

// One message in the report pipe.
struct LaunchReport {
    enum class What : std::int32_t { failed, started };
    What what = What::failed;
    std::int32_t first = 0;   // failed: the step; started: the worker's process
    std::int32_t second = 0;  // failed: errno; started: the keeper's process, or 0
    namespaces::Set entered = 0;
};

// Everything the child needs, laid out before the fork: it may not allocate.
struct ChildPlan {
    int executable = -1;
    int report = -1;
    int null = -1;
    int memory_group = -1;  // cgroup.procs, or -1
    int keeper_end = -1;    // of the socket pair; the worker's end is among the descriptors
    int highest = 2;
    const std::pair<int, int>* descriptors = nullptr;
    std::size_t descriptor_count = 0;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    bool change_user = false;
    uid_t user = 0;
    uid_t keeper_user = 0;
    uid_t own_user = 0;
    gid_t own_group = 0;
    bool no_new_privs = false;
    std::size_t locked_memory = 0;
    std::size_t data_memory = 0;
    std::size_t open_files = 0;
    std::size_t processes = 0;
    namespaces::Set namespaces = 0;
};

// The process becomes the worker.
[[noreturn]] void become_worker(const ChildPlan& plan);

// The process enters namespaces, starts keeper and worker, reports both, and ends.
[[noreturn]] void stage_worker(const ChildPlan& plan);

}  // namespace plugfs
