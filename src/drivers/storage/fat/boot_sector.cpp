#include "drivers/storage/fat/boot_sector.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::fat {

namespace {

// Above these counts of clusters a volume is FAT16, or FAT32. Linux and Windows agree that a volume whose 16-bit table
// size is 0 is FAT32 whatever the count.
constexpr std::uint32_t most_fat12 = 4084;
constexpr std::uint32_t most_fat16 = 65524;
constexpr std::uint32_t most_fat32 = 0x0ffffff5;

bool power_of_two(std::uint32_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

Error bad(const char* field, std::uint64_t value) {
    return fail(EUCLEAN, "FAT boot sector", std::string(field) + " is " + std::to_string(value));
}

// The fields as they are there.
struct Fields {
    std::uint32_t sector_size;
    std::uint32_t sectors_per_cluster;
    std::uint32_t reserved;
    std::uint32_t tables;
    std::uint32_t root_slots;
    std::uint32_t sectors;
    std::uint32_t table_sectors;
    bool fat32;
};

Fields read_fields(std::span<const std::byte> sector) {
    Fields out{};
    out.sector_size = get_le<std::uint16_t>(sector, 11);
    out.sectors_per_cluster = get_le<std::uint8_t>(sector, 13);
    out.reserved = get_le<std::uint16_t>(sector, 14);
    out.tables = get_le<std::uint8_t>(sector, 16);
    out.root_slots = get_le<std::uint16_t>(sector, 17);
    out.sectors = get_le<std::uint16_t>(sector, 19);
    if (out.sectors == 0) {
        out.sectors = get_le<std::uint32_t>(sector, 32);
    }
    out.table_sectors = get_le<std::uint16_t>(sector, 22);
    out.fat32 = out.table_sectors == 0;
    if (out.fat32) {
        out.table_sectors = get_le<std::uint32_t>(sector, 36);
    }
    return out;
}

Result<void> check_fields(const Fields& fields) {
    if (!power_of_two(fields.sector_size) || fields.sector_size < 512 || fields.sector_size > 4096) {
        return bad("BPB_BytsPerSec", fields.sector_size);
    }
    if (!power_of_two(fields.sectors_per_cluster)) {
        return bad("BPB_SecPerClus", fields.sectors_per_cluster);
    }
    if (fields.reserved == 0) {
        return bad("BPB_RsvdSecCnt", fields.reserved);
    }
    if (fields.tables == 0) {
        return bad("BPB_NumFATs", fields.tables);
    }
    if (fields.table_sectors == 0) {
        return bad("BPB_FATSz", fields.table_sectors);
    }
    if (fields.fat32 ? fields.root_slots != 0 : fields.root_slots == 0) {
        return bad("BPB_RootEntCnt", fields.root_slots);
    }
    return {};
}

// Which tables are in use: all of them, or one (FAT32, BPB_ExtFlags).
void choose_tables(BootSector& out, const Fields& fields, std::span<const std::byte> sector) {
    const std::uint64_t first = std::uint64_t{fields.reserved} * fields.sector_size;
    std::uint32_t only = fields.tables;
    const auto flags = get_le<std::uint16_t>(sector, 40);
    if (fields.fat32 && (flags & 0x80U) != 0) {
        only = flags & 0xfU;
    }
    for (std::uint32_t i = 0; i < fields.tables; ++i) {
        if (only >= fields.tables || i == only) {
            out.tables.push_back(first + i * out.table_size);
        }
    }
}

void read_identity(BootSector& out, std::span<const std::byte> sector, std::size_t at) {
    out.state_offset = at + 1;
    out.changing = (get_le<std::uint8_t>(sector, at + 1) & 1U) != 0;
    const auto signature = get_le<std::uint8_t>(sector, at + 2);
    out.has_serial = signature == 0x29 || signature == 0x28;
    out.serial = out.has_serial ? get_le<std::uint32_t>(sector, at + 3) : 0;
    if (signature == 0x29) {
        const auto label = sector.subspan(at + 7, 11);
        std::transform(label.begin(), label.end(), std::back_inserter(out.label),
                       [](std::byte byte) { return static_cast<char>(byte); });
        out.label.erase(out.label.find_last_not_of(' ') + 1);
        if (out.label == "NO NAME") {
            out.label.clear();
        }
    }
}

}  // namespace

const char* BootSector::type() const {
    switch (width) {
        case ClusterTable::Width::fat12:
            return "FAT12";
        case ClusterTable::Width::fat16:
            return "FAT16";
        default:
            return "FAT32";
    }
}

bool looks_like_fat(std::span<const std::byte> sector) {
    if (sector.size() < 512 || get_le<std::uint16_t>(sector, 510) != 0xaa55) {
        return false;
    }
    const auto jump = get_le<std::uint8_t>(sector, 0);
    const auto media = get_le<std::uint8_t>(sector, 21);
    const Fields fields = read_fields(sector);
    return (jump == 0xeb || jump == 0xe9) && (media == 0xf0 || media >= 0xf8) && power_of_two(fields.sector_size) &&
           fields.sector_size >= 512 && power_of_two(fields.sectors_per_cluster) && fields.tables != 0;
}

Result<BootSector> parse_boot_sector(std::span<const std::byte> sector) {
    const Fields fields = read_fields(sector);
    PLUGFS_TRY(check_fields(fields));
    BootSector out;
    out.sector_size = fields.sector_size;
    out.cluster_size = fields.sector_size * fields.sectors_per_cluster;
    out.volume_size = std::uint64_t{fields.sectors} * fields.sector_size;
    out.table_size = std::uint64_t{fields.table_sectors} * fields.sector_size;
    choose_tables(out, fields, sector);
    out.root_offset = std::uint64_t{fields.reserved} * fields.sector_size + fields.tables * out.table_size;
    out.root_slots = fields.root_slots;
    const std::uint64_t root_size =
        (std::uint64_t{fields.root_slots} * 32 + fields.sector_size - 1) / fields.sector_size * fields.sector_size;
    out.heap_offset = out.root_offset + root_size;
    if (out.volume_size < out.heap_offset + out.cluster_size) {
        return bad("BPB_TotSec", fields.sectors);
    }
    const std::uint64_t clusters = (out.volume_size - out.heap_offset) / out.cluster_size;
    if (fields.fat32) {
        out.width = ClusterTable::Width::fat32;
        out.root_cluster = get_le<std::uint32_t>(sector, 44) & 0x0fffffffU;
        const auto summary = get_le<std::uint16_t>(sector, 48);
        out.summary_offset =
            summary != 0 && summary < fields.reserved ? std::uint64_t{summary} * fields.sector_size : 0;
        out.note_offset = out.summary_offset != 0 ? out.summary_offset + 4 : 0;  // FSI_Reserved1
    } else {
        out.note_offset = fields.reserved > 1 ? fields.sector_size : 0;
        out.width = clusters > most_fat12 ? ClusterTable::Width::fat16 : ClusterTable::Width::fat12;
    }
    const std::uint64_t entries = out.table_size * 8 / (fields.fat32 ? 32 : static_cast<unsigned>(out.width));
    if (entries <= 2) {
        return bad("BPB_FATSz", fields.table_sectors);
    }
    const std::uint32_t most = fields.fat32 ? most_fat32 : most_fat16;
    out.cluster_count = static_cast<std::uint32_t>(std::min<std::uint64_t>({clusters, entries - 2, most}));
    read_identity(out, sector, fields.fat32 ? 64 : 36);
    return out;
}

}  // namespace plugfs::storage::fat
