// The first sector of a FAT volume: what kind of FAT it is and where everything lies. Microsoft FAT specification
// (2005) 3.
#pragma once

#include "drivers/storage/block_device.h"
#include "drivers/storage/cluster/cluster_table.h"

namespace plugfs::storage::fat {

struct BootSector {
    ClusterTable::Width width = ClusterTable::Width::fat16;
    std::uint32_t sector_size = 0;
    std::uint32_t cluster_size = 0;     // bytes
    std::uint32_t cluster_count = 0;    // that have an entry in the table
    std::uint64_t volume_size = 0;      // bytes
    std::vector<std::uint64_t> tables;  // offsets of those that are in use, the one that counts first
    std::uint64_t table_size = 0;       // bytes
    std::uint64_t heap_offset = 0;      // bytes
    std::uint64_t root_offset = 0;      // FAT12, FAT16; bytes
    std::uint32_t root_slots = 0;
    std::uint32_t root_cluster = 0;    // FAT32
    std::uint64_t summary_offset = 0;  // of the FSInfo sector, bytes; 0: there is none
    std::uint64_t note_offset = 0;     // where there may be room for a MoveNote; 0: nowhere
    std::uint64_t state_offset = 0;    // of the byte whose lowest bit says that the volume is being changed
    bool changing = false;
    std::uint32_t serial = 0;
    bool has_serial = false;
    std::string label;  // as it is there, trailing spaces cut; empty if there is none

    [[nodiscard]] bool is_fat32() const { return width == ClusterTable::Width::fat32; }
    [[nodiscard]] const char* type() const;
};

// Whether a volume that begins with these 512 bytes is meant to be FAT.
[[nodiscard]] bool looks_like_fat(std::span<const std::byte> sector);
// EUCLEAN: a field says what cannot be. `sector`: the first 512 bytes.
[[nodiscard]] Result<BootSector> parse_boot_sector(std::span<const std::byte> sector);

}  // namespace plugfs::storage::fat
