// Runs a helper program and waits for it, with a deadline.
#pragma once

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <string>
#include <vector>

namespace plugfs {

struct Command {
    std::vector<std::string> arguments;  // the first is looked up in PATH
    int inherited = -1;                  // a descriptor that it gets, its number in `inherited_variable`
    std::string inherited_variable;
};

// Returns what it printed, on both outputs (4 KiB at most). An error when it cannot be started (its errno), exits with
// another status than 0 (EIO, its words in the detail), or is not done by the deadline (ETIMEDOUT; it is killed).
[[nodiscard]] Result<std::string> run_command(const Command& command, Deadline deadline);

}  // namespace plugfs
