#include "drivers/storage/exfat/boot_region.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace plugfs::storage::exfat {

namespace {

constexpr std::string_view file_system_name = "EXFAT   ";
constexpr std::uint32_t sectors_in_region = 12;
constexpr std::uint32_t least_shift = 9;  // of BytesPerSector
constexpr std::uint32_t most_shift = 12;
constexpr std::uint32_t most_cluster_shift = 25;
constexpr std::uint32_t most_clusters = 0xfffffff5;

Error bad(const char* field, std::uint64_t value) {
    return fail(EUCLEAN, "exFAT boot region", std::string(field) + " is " + std::to_string(value));
}

bool has_name(std::span<const std::byte> sector) {
    return std::equal(file_system_name.begin(), file_system_name.end(), sector.begin() + 3,
                      [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

std::uint32_t checksum(std::span<const std::byte> sectors) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < sectors.size(); ++i) {
        if (i != flags_offset && i != flags_offset + 1 && i != percent_offset) {
            sum = (sum << 31U | sum >> 1U) + static_cast<std::uint32_t>(sectors[i]);
        }
    }
    return sum;
}

Result<void> check_shifts(std::uint32_t sector_shift, std::uint32_t cluster_shift) {
    if (sector_shift < least_shift || sector_shift > most_shift) {
        return bad("BytesPerSectorShift", sector_shift);
    }
    return cluster_shift > most_cluster_shift - sector_shift ? bad("SectorsPerClusterShift", cluster_shift)
                                                             : Result<void>();
}

Result<BootRegion> parse(std::span<const std::byte> sector) {
    const std::uint32_t sector_shift = get_le<std::uint8_t>(sector, 108);
    const std::uint32_t cluster_shift = get_le<std::uint8_t>(sector, 109);
    PLUGFS_TRY(check_shifts(sector_shift, cluster_shift));
    const auto sectors = get_le<std::uint64_t>(sector, 72);
    if (sectors >= UINT64_MAX >> sector_shift) {
        return bad("VolumeLength", sectors);
    }
    BootRegion out;
    out.sector_size = 1U << sector_shift;
    out.cluster_size = out.sector_size << cluster_shift;
    out.volume_size = sectors << sector_shift;
    out.table_offset = std::uint64_t{get_le<std::uint32_t>(sector, 80)} << sector_shift;
    out.table_size = std::uint64_t{get_le<std::uint32_t>(sector, 84)} << sector_shift;
    out.heap_offset = std::uint64_t{get_le<std::uint32_t>(sector, 88)} << sector_shift;
    out.cluster_count = get_le<std::uint32_t>(sector, 92);
    out.root_cluster = get_le<std::uint32_t>(sector, 96);
    out.serial = get_le<std::uint32_t>(sector, 100);
    const auto flags = get_le<std::uint8_t>(sector, flags_offset);
    const auto tables = get_le<std::uint8_t>(sector, 110);
    if (tables != 1 && tables != 2) {
        return bad("NumberOfFats", tables);
    }
    out.two_tables = tables == 2;
    out.changing = (flags & flag_changing) != 0;
    if (out.two_tables && (flags & flag_second_table) != 0) {
        out.table_offset += out.table_size;
    }
    if (out.table_offset < std::uint64_t{2} * sectors_in_region * out.sector_size) {
        return bad("FatOffset", get_le<std::uint32_t>(sector, 80));
    }
    const std::uint64_t alignment_area = std::uint64_t{2} * sectors_in_region * out.sector_size;
    out.note_offset = out.table_offset > alignment_area ? alignment_area : 0;
    if (out.cluster_count == 0 || out.cluster_count > most_clusters ||
        out.table_size / 4 < std::uint64_t{out.cluster_count} + 2) {
        return bad("ClusterCount", out.cluster_count);
    }
    if (out.heap_offset < out.table_offset + out.table_size) {
        return bad("ClusterHeapOffset", get_le<std::uint32_t>(sector, 88));
    }
    if (out.root_cluster < 2 || out.root_cluster - 2 >= out.cluster_count) {
        return bad("FirstClusterOfRootDirectory", out.root_cluster);
    }
    return out;
}

// The region that begins at `offset`, in sectors of that size.
Result<BootRegion> read_region(BlockDevice& device, std::uint64_t offset, std::uint32_t sector_size) {
    std::vector<std::byte> region(std::size_t{sectors_in_region} * sector_size);
    PLUGFS_TRY(device.read(offset, region, BlockDevice::Use::metadata));
    const std::span<const std::byte> bytes(region);
    if (!has_name(bytes) || get_le<std::uint16_t>(bytes, 510) != 0xaa55) {
        return fail(EUCLEAN, "exFAT boot region", "it has no FileSystemName or no BootSignature");
    }
    PLUGFS_ASSIGN(auto out, parse(bytes.first(512)));
    if (out.sector_size != sector_size) {
        return bad("BytesPerSectorShift", get_le<std::uint8_t>(bytes, 108));
    }
    const std::size_t covered = std::size_t{sectors_in_region - 1} * sector_size;
    const std::uint32_t sum = checksum(bytes.first(covered));
    for (std::size_t at = covered; at < region.size(); at += 4) {
        if (get_le<std::uint32_t>(bytes, at) != sum) {
            return bad("the boot checksum", get_le<std::uint32_t>(bytes, at));
        }
    }
    return out;
}

}  // namespace

bool looks_like_exfat(BlockDevice& device) {
    std::array<std::byte, 512> sector{};
    const auto named = [&](std::uint64_t offset) {
        return device.read(offset, sector, BlockDevice::Use::metadata).ok() && has_name(sector) &&
               get_le<std::uint16_t>(sector, 510) == 0xaa55;
    };
    if (named(0)) {
        return true;
    }
    for (std::uint32_t shift = least_shift; shift <= most_shift; ++shift) {
        if (named(std::uint64_t{sectors_in_region} << shift)) {
            return true;
        }
    }
    return false;
}

Result<BootRegion> read_boot_region(BlockDevice& device) {
    std::array<std::byte, 512> sector{};
    PLUGFS_TRY(device.read(0, sector, BlockDevice::Use::metadata));
    const std::uint32_t main_shift =
        std::clamp<std::uint32_t>(get_le<std::uint8_t>(sector, 108), least_shift, most_shift);
    auto main = read_region(device, 0, 1U << main_shift);
    if (main || main.error().code != EUCLEAN) {
        return main;
    }
    for (std::uint32_t shift = least_shift; shift <= most_shift; ++shift) {
        auto backup = read_region(device, std::uint64_t{sectors_in_region} << shift, 1U << shift);
        if (backup) {
            backup->from_backup = true;
            return backup;
        }
    }
    return main;
}

}  // namespace plugfs::storage::exfat
