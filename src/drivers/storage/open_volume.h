// The one way in: finds out which file system is on a partition, and opens it.
#pragma once

#include "drivers/storage/volume.h"
#include "drivers/storage/volume_options.h"

namespace plugfs::storage {

// `device` outlives the volume. `report` is called whenever there is something to say, as long as the volume lives.
// ENOTSUP: it is something else, which the detail names if it is known. EUCLEAN: one that is
// supported, but too damaged for anything to be served.
//
// A FAT or exFAT volume that was not closed properly is served for reading and writing, as Linux does, and says so
// through `report`; the mark on the medium stays until somebody has checked it. ext2, ext3 and ext4 are only read then.
[[nodiscard]] Result<std::unique_ptr<Volume>> open_volume(BlockDevice& device, const VolumeOptions& options,
                                                          VolumeReport report);

}  // namespace plugfs::storage
