// The way to a UDF volume: the recognition sequence, an anchor, the volume descriptors (ECMA-167 2/8.3, 3/8.4;
// UDF 2.2).
#pragma once

#include "drivers/storage/volume.h"

namespace plugfs::storage::udf {

// Whether the recognition sequence names it.
[[nodiscard]] bool looks_like_udf(BlockDevice& device);
// As open_volume().
[[nodiscard]] Result<std::unique_ptr<Volume>> open_udf(BlockDevice& device, const VolumeReport& report);

}  // namespace plugfs::storage::udf
