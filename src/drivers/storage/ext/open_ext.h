// ext2, ext3 and ext4 on a BlockDevice.
#pragma once

#include "drivers/storage/volume.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage::ext {

// As open_volume(). One that was not closed properly, by others than a predecessor of this process, is only read: its
// journal would have to be replayed, or it would have to be checked.
[[nodiscard]] Result<std::unique_ptr<Volume>> open_ext(BlockDevice& device, const VolumeOptions& options,
                                                       VolumeReport report);

}  // namespace plugfs::storage::ext
