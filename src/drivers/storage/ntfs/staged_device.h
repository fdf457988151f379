// StagedDevice: what one operation writes, kept in memory until it is known that all of it can be done.
//
// libntfs-3g writes as it goes along, and gives up in the middle when something does not work. So it writes here:
// reads see what was written, the medium sees nothing. Afterwards the volume takes all of it out (volume_changes.cpp),
// or drops it.
#pragma once

#include "drivers/storage/block_device.h"

#include <map>
#include <vector>

namespace plugfs::storage::ntfs {

class StagedDevice {
  public:
    // By their offset on the medium; whole blocks of the device's.
    using Blocks = std::map<std::uint64_t, std::vector<std::byte>>;
    // More than this is no operation of ours.
    static constexpr std::size_t limit = std::size_t{24} << 20U;  // bytes

    // `device` outlives it.
    explicit StagedDevice(BlockDevice& device) : device_(device) {}

    [[nodiscard]] BlockDevice& device() { return device_; }
    // As in BlockDevice.
    [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> out, BlockDevice::Use use);
    // Besides EFBIG: more than `limit`.
    [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] const Blocks& blocks() const { return blocks_; }
    void drop() { blocks_.clear(); }

  private:
    BlockDevice& device_;
    Blocks blocks_;
};

}  // namespace plugfs::storage::ntfs
