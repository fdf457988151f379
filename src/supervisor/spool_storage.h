// Where a driver's spool lies (plugfs/spool.h): a file without a name, so that nothing is left when plugfsd ends,
// however it ends.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <string>

namespace plugfs {

// On the disk below `state_directory`, where there is room for films; in memory if there is no such directory or its
// file system cannot do it.
[[nodiscard]] Result<UniqueFd> create_spool(const std::string& state_directory);

}  // namespace plugfs
