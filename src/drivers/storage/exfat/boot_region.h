// The boot region of an exFAT volume: twelve sectors, and twelve more as their backup. exFAT specification 3.
#pragma once

#include "drivers/storage/block_device.h"

namespace plugfs::storage::exfat {

struct BootRegion {
    std::uint32_t sector_size = 0;
    std::uint32_t cluster_size = 0;  // bytes
    std::uint32_t cluster_count = 0;
    std::uint64_t volume_size = 0;  // bytes
    std::uint64_t table_offset = 0;
    std::uint64_t table_size = 0;
    std::uint64_t note_offset = 0;  // where there may be room for a MoveNote; 0: nowhere
    std::uint64_t heap_offset = 0;
    std::uint32_t root_cluster = 0;
    std::uint32_t serial = 0;
    bool two_tables = false;  // TexFAT
    bool changing = false;    // VolumeFlags, VolumeDirty
    bool from_backup = false;
};

// Where the flags and the percentage of used clusters lie in the first sector; the checksum does not cover them.
inline constexpr std::uint64_t flags_offset = 106;
inline constexpr std::uint64_t percent_offset = 112;
inline constexpr std::uint8_t flag_second_table = 0x01;
inline constexpr std::uint8_t flag_changing = 0x02;

// Whether a volume is meant to be exFAT.
[[nodiscard]] bool looks_like_exfat(BlockDevice& device);
// The main region, or the backup if the main one is damaged. EUCLEAN: so are both; the detail is the main one's.
[[nodiscard]] Result<BootRegion> read_boot_region(BlockDevice& device);

}  // namespace plugfs::storage::exfat
