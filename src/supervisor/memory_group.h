// Memory groups: a cgroup (version 2) for each worker, which bounds what it may use of the machine's memory, the
// kernel's on its behalf included.
//
// Below our own cgroup: processes may only be in leaves (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process
// Constraint"), so we move ourselves into one, `supervisor`, unless we are in the root cgroup. That is done only where
// we are alone, as in a systemd unit with Delegate=.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <cstdint>
#include <memory>
#include <string>

namespace plugfs {

// One worker's; removed when destroyed. Its processes must have been reaped by then.
class MemoryGroup {
  public:
    MemoryGroup(std::string path, UniqueFd processes) : path_(std::move(path)), processes_(std::move(processes)) {}
    ~MemoryGroup();
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    // cgroup.procs, open for writing.
    [[nodiscard]] int processes() const { return processes_.get(); }

  private:
    std::string path_;
    UniqueFd processes_;
};

class MemoryGroups {
  public:
    // An error says why there are none: no cgroup v2, no memory controller in it, no permission.
    static Result<std::unique_ptr<MemoryGroups>> create();
    ~MemoryGroups();
    MemoryGroups(const MemoryGroups&) = delete;
    MemoryGroups& operator=(const MemoryGroups&) = delete;

    // A new, empty group that may use `bytes` of memory and nothing of the swap, and have `processes` threads.
    Result<std::shared_ptr<MemoryGroup>> add(std::uint64_t bytes, unsigned processes);

  private:
    explicit MemoryGroups(std::string base) : base_(std::move(base)) {}
    Result<void> move_out();

    std::string base_;
    bool moved_ = false;
    unsigned last_number_ = 0;
};

}  // namespace plugfs
