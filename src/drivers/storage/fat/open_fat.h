// Opens a FAT volume.
#pragma once

#include "drivers/storage/volume.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage::fat {

// `device` outlives the volume. EUCLEAN: too damaged for anything to be served.
[[nodiscard]] Result<std::unique_ptr<Volume>> open_fat(BlockDevice& device, const VolumeOptions& options,
                                                       const VolumeReport& report);

}  // namespace plugfs::storage::fat
