// The system calls that a worker may make.
#pragma once

#include <plugfs/result.h>

namespace plugfs::kit {

// Installs the filter in the calling thread and all that it will start. Needs no_new_privs. A call that is not on the
// list fails with EPERM.
Result<void> load_seccomp_filter();

}  // namespace plugfs::kit
