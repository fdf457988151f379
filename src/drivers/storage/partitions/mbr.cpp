// The partition table of the PC: four entries in the first sector, and a chain of such tables in an extended partition,
// each with one logical partition and the place of the next.

#include "drivers/storage/partitions/partition_tables.h"
#include "drivers/storage/text/little_endian.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

namespace plugfs::storage {

namespace {

constexpr std::size_t sector_bytes = 512;
constexpr std::size_t at_entries = 446;
constexpr std::size_t entry_bytes = 16;
constexpr std::size_t entry_count = 4;
constexpr std::uint8_t active = 0x80;

bool is_extended(std::uint8_t type) {
    return type == 0x05 || type == 0x0f || type == 0x85;
}

Partition partition(const MbrEntry& entry, std::uint64_t base, unsigned number, std::uint32_t block_size) {
    std::array<char, 8> type{};
    std::snprintf(type.data(), type.size(), "0x%02x", static_cast<unsigned>(entry.type));
    return {number, (base + entry.first_sector) * block_size, std::uint64_t{entry.sectors} * block_size, type.data(),
            ""};
}

// The logical partitions of an extended one that begins at `first` (sectors). The links of the chain are relative to
// that, the partitions to their own table.
Result<void> read_logical(BlockDevice& device, std::uint64_t first, std::vector<Partition>& out) {
    std::set<std::uint64_t> seen;
    unsigned number = first_logical_number;
    for (const auto& known : out) {
        number = std::max(number, known.number + 1);
    }
    std::array<std::byte, sector_bytes> sector{};
    std::uint64_t table = first;
    while (out.size() < partition_limit && seen.insert(table).second) {
        const std::uint64_t offset = table * device.block_size();
        if (offset > device.size() - device.block_size()) {
            break;
        }
        PLUGFS_TRY(device.read(offset, sector, BlockDevice::Use::metadata));
        if (!has_mbr_signature(sector)) {
            break;
        }
        std::optional<std::uint64_t> next;
        for (const auto& entry : parse_mbr(sector)) {
            if (entry.type == 0 || entry.sectors == 0) {
                continue;
            }
            if (is_extended(entry.type)) {
                next = next ? next : first + entry.first_sector;
                continue;
            }
            const Partition found = partition(entry, table, number, device.block_size());
            if (lies_within(found, device) && out.size() < partition_limit) {
                out.push_back(found);
                ++number;
            }
        }
        if (!next) {
            break;
        }
        table = *next;
    }
    return {};
}

}  // namespace

bool lies_within(const Partition& partition, const BlockDevice& device) {
    return partition.length != 0 && partition.offset <= device.size() &&
           partition.length <= device.size() - partition.offset;
}

bool has_mbr_signature(std::span<const std::byte> sector) {
    return get_le<std::uint16_t>(sector, 510) == 0xaa55;
}

std::vector<MbrEntry> parse_mbr(std::span<const std::byte> sector) {
    std::vector<MbrEntry> out;
    for (std::size_t i = 0; i < entry_count; ++i) {
        const auto entry = sector.subspan(at_entries + i * entry_bytes, entry_bytes);
        out.push_back({get_le<std::uint8_t>(entry, 0), get_le<std::uint8_t>(entry, 4), get_le<std::uint32_t>(entry, 8),
                       get_le<std::uint32_t>(entry, 12)});
    }
    return out;
}

bool plausible_mbr(std::span<const MbrEntry> entries, const BlockDevice& device) {
    const std::uint64_t blocks = device.size() / device.block_size();
    bool used = false;
    for (const auto& entry : entries) {
        if (entry.status != 0 && entry.status != active) {
            return false;
        }
        if (entry.type == 0 || entry.sectors == 0) {
            continue;
        }
        if (entry.first_sector == 0 && entry.type != type_gpt_protective) {
            return false;
        }
        used = used || entry.first_sector < blocks;
    }
    return used;
}

Result<std::vector<Partition>> read_mbr(BlockDevice& device, std::span<const MbrEntry> entries) {
    std::vector<Partition> out;
    std::vector<std::uint64_t> extended;
    unsigned number = 0;
    for (const auto& entry : entries) {
        ++number;
        if (entry.type == 0 || entry.sectors == 0) {
            continue;
        }
        if (is_extended(entry.type)) {
            extended.push_back(entry.first_sector);
            continue;
        }
        const Partition found = partition(entry, 0, number, device.block_size());
        if (lies_within(found, device)) {
            out.push_back(found);
        }
    }
    for (const auto first : extended) {
        PLUGFS_TRY(read_logical(device, first, out));
    }
    return out;
}

}  // namespace plugfs::storage
