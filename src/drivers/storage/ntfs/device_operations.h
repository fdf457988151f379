// libntfs-3g's way to the medium: an ntfs_device on a StagedDevice. The library opens nothing else.
#pragma once

#include "drivers/storage/ntfs/libntfs.h"
#include "drivers/storage/ntfs/staged_device.h"

#include <optional>

namespace plugfs::storage::ntfs {

// What the library's device works on, and what has become of it: the library knows errno only.
struct DeviceChannel {
    StagedDevice* device = nullptr;
    BlockDevice::Use use = BlockDevice::Use::metadata;  // what the library is at
    std::optional<Error> failure;                       // the last one; whoever looks takes it away
};

// `channel` outlives the device, which belongs to the volume that is mounted on it. Null: no memory.
[[nodiscard]] ntfs_device* make_device(DeviceChannel& channel, bool writable);

}  // namespace plugfs::storage::ntfs
