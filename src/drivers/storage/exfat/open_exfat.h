// Opens an exFAT volume.
#pragma once

#include "drivers/storage/volume.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage::exfat {

// `device` outlives the volume. EUCLEAN: too damaged for anything to be served.
[[nodiscard]] Result<std::unique_ptr<Volume>> open_exfat(BlockDevice& device, const VolumeOptions& options,
                                                         const VolumeReport& report);

}  // namespace plugfs::storage::exfat
