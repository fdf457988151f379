// The names of file systems that plugfs does not serve, so that a person can be told.
#pragma once

#include "drivers/storage/block_device.h"

namespace plugfs::storage {

// "NTFS", "Btrfs", ...; empty: nothing known. By the marks where each has them, nothing more.
[[nodiscard]] std::string foreign_type(BlockDevice& device);

}  // namespace plugfs::storage
