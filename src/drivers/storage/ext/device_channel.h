// libext2fs's way to the medium: an io_manager on a BlockDevice. The library opens nothing else.
#pragma once

#include "drivers/storage/block_device.h"

#include <ext2fs/ext2fs.h>

#include <functional>
#include <optional>

namespace plugfs::storage::ext {

// What the library's channel works on, and what has become of it: the library knows numbers only.
struct DeviceChannel {
    BlockDevice* device = nullptr;
    std::optional<Error> failure;  // the last one; whoever looks takes it away
};

// Calls `open`, a function of the library's that opens what the io_manager gives it, whatever name it is told.
// `channel` outlives the file system.
[[nodiscard]] errcode_t with_manager(DeviceChannel& channel, const std::function<errcode_t(io_manager)>& open);
// Opens the file system as ext2fs_open2() does, with its flags.
[[nodiscard]] errcode_t open_filesystem(DeviceChannel& channel, int flags, ext2_filsys& out);

}  // namespace plugfs::storage::ext
