// VolumeKind: a kind of file system that is not in every build of the driver.
#pragma once

#include "drivers/storage/volume.h"

namespace plugfs::storage {

struct VolumeOptions;

struct VolumeKind {
    bool (*looks_like)(BlockDevice& device);
    // As open_volume().
    Result<std::unique_ptr<Volume>> (*open)(BlockDevice& device, const VolumeOptions& options,
                                            const VolumeReport& report);
};

}  // namespace plugfs::storage
