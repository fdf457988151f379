// The first sector of an NTFS volume, checked before libntfs-3g sees the volume: it believes more than is good.
#pragma once

#include "drivers/storage/block_device.h"

#include <cstdint>
#include <string>

namespace plugfs::storage::ntfs {

struct BootSector {
    std::uint32_t sector_size = 0;   // bytes: 256 to 4096
    std::uint32_t cluster_size = 0;  // bytes: to 2 MiB
    std::uint32_t record_size = 0;   // of the MFT, bytes: 512 to 4096
    std::uint32_t index_size = 0;    // of an index block, bytes: 512 to 64 KiB
    std::uint64_t cluster_count = 0;
    std::uint64_t mft_cluster = 0;
    std::uint64_t mirror_cluster = 0;
    std::string serial;  // "0123456789ABCDEF"
    [[nodiscard]] std::uint64_t size() const { return cluster_count * cluster_size; }
};

// By the name that it has there, nothing more.
[[nodiscard]] bool looks_like_ntfs(BlockDevice& device);

// `device_size` in bytes. EUCLEAN: the detail names the field and its value.
[[nodiscard]] Result<BootSector> parse_boot_sector(std::span<const std::byte, 512> bytes, std::uint64_t device_size);

}  // namespace plugfs::storage::ntfs
