// The two kinds of partition table, each read by itself; see read_partitions().
#pragma once

#include "drivers/storage/partitions/partition.h"

#include <optional>
#include <span>

namespace plugfs::storage {

inline constexpr std::size_t partition_limit = 128;
inline constexpr unsigned first_logical_number = 5;

// Whether the part is within the device and not empty.
[[nodiscard]] bool lies_within(const Partition& partition, const BlockDevice& device);

// UEFI specification 5.3: the main table, or the one at the end of the disk if its header or entries are damaged.
// Nothing: there is neither.
[[nodiscard]] Result<std::optional<std::vector<Partition>>> read_gpt(BlockDevice& device);

// What the first sector says of up to four parts.
struct MbrEntry {
    std::uint8_t status = 0;  // 0x80: active, else 0
    std::uint8_t type = 0;    // 0: unused
    std::uint32_t first_sector = 0;
    std::uint32_t sectors = 0;
};
// `sector`: at least 512 bytes with the signature. Four entries.
[[nodiscard]] std::vector<MbrEntry> parse_mbr(std::span<const std::byte> sector);
[[nodiscard]] bool has_mbr_signature(std::span<const std::byte> sector);
// Whether it can be a table, and not the boot sector of a file system: entries with a status that there is, at least
// one used, and none before the table itself or past the device.
[[nodiscard]] bool plausible_mbr(std::span<const MbrEntry> entries, const BlockDevice& device);
// With the logical ones in extended partitions, however damaged their chain is.
[[nodiscard]] Result<std::vector<Partition>> read_mbr(BlockDevice& device, std::span<const MbrEntry> entries);
// The type of the one entry of an MBR that says that there is a GPT.
inline constexpr std::uint8_t type_gpt_protective = 0xee;

}  // namespace plugfs::storage
