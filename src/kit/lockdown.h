// Lockdown: gives up everything that a worker does not need, before the first byte from the device is read.
//
// In named stages, so that a kernel that lacks one can say which. A stage that the kernel does not know is reported and
// left out; one that fails for another reason ends the start.
#pragma once

#include <plugfs/result.h>

#include <string>
#include <vector>

namespace plugfs::kit {

struct Layer {
    std::string name;    // "no_new_privs", "dumpable", "landlock", "seccomp"
    std::string status;  // "held", or why it is not
};

// Locks the calling process and all threads it will start. Call it before there are threads.
Result<std::vector<Layer>> lock_down();

}  // namespace plugfs::kit
