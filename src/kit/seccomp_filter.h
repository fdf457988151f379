// The system calls that a worker may make.
#pragma once

#include <plugfs/result.h>

namespace plugfs::kit {

// Installs the filter in the calling thread and all that it will start. Needs no_new_privs. A call that is not on the
// list fails with EPERM.
[[nodiscard]] Result<void> load_seccomp_filter();

// Installs the second one, for a driver that has started, in all threads: no new threads, shared memory, or pipes, and
// of usbfs only what moves data. False: the kernel cannot (older
// than 3.17), or the first one was left out.
[[nodiscard]] Result<bool> load_running_filter();

}  // namespace plugfs::kit
