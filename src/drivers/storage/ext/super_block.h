// The superblock of ext2, ext3 and ext4, as far as it decides how a volume is served: which features it has, how it was
// left, and whether what it says of itself can be. https://docs.kernel.org/filesystems/ext4, "Super Block".
//
// Everything else about it is libext2fs's business; but that trusts some of it, so what is hostile is refused here.
#pragma once

#include "drivers/storage/block_device.h"

#include <array>
#include <cstdint>
#include <string>

namespace plugfs::storage::ext {

struct SuperBlock {
    static constexpr std::uint64_t offset = 1024;  // on the device, bytes
    static constexpr std::size_t size = 1024;

    std::string type;   // "ext2", "ext3", "ext4": by its features
    std::string label;  // not made safe
    std::string uuid;
    std::uint32_t block_size = 0;
    bool marked = false;  // as being changed, without a journal that would say how
    // Why it can only be read, whoever marked it; empty: it could be written to.
    std::string read_only_because;
};

[[nodiscard]] bool looks_like_ext(BlockDevice& device);
// ENOTSUP: it has features without which it cannot be read. EUCLEAN: a field cannot be, and the detail names it.
[[nodiscard]] Result<SuperBlock> parse_super_block(std::span<const std::byte> bytes, std::uint64_t device_size);

}  // namespace plugfs::storage::ext
