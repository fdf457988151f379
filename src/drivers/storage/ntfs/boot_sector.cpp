#include "drivers/storage/ntfs/boot_sector.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <string_view>

namespace plugfs::storage::ntfs {

namespace {

constexpr std::string_view name = "NTFS    ";
constexpr std::size_t name_at = 3;
constexpr std::uint64_t fewest_clusters = 16;

Error damaged(const std::string& field, std::uint64_t value) {
    return fail(EUCLEAN, "NTFS boot sector", field + " is " + std::to_string(value));
}

bool has_name(std::span<const std::byte> bytes) {
    return std::equal(name.begin(), name.end(), bytes.begin() + name_at,
                      [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

// The size of a record: in clusters, or, below zero, the power of two.
std::uint64_t record_size(std::byte field, std::uint32_t cluster_size) {
    const auto value = static_cast<std::int8_t>(field);
    if (value >= 0) {
        return std::uint64_t{static_cast<std::uint8_t>(value)} * cluster_size;
    }
    return value > -32 ? std::uint64_t{1} << static_cast<unsigned>(-value) : 0;
}

bool is_size(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    return std::has_single_bit(value) && value >= least && value <= most;
}

}  // namespace

bool looks_like_ntfs(BlockDevice& device) {
    std::array<std::byte, name_at + name.size()> bytes{};
    return device.size() >= 512 && device.read(0, bytes, BlockDevice::Use::metadata).ok() && has_name(bytes);
}

Result<BootSector> parse_boot_sector(std::span<const std::byte, 512> bytes, std::uint64_t device_size) {
    BootSector out;
    out.sector_size = get_le<std::uint16_t>(bytes, 11);
    if (!has_name(bytes)) {
        return fail(EUCLEAN, "NTFS boot sector", "it is none");
    }
    if (!is_size(out.sector_size, 256, 4096)) {
        return damaged("bytes per sector", out.sector_size);
    }
    // Above 128 it is the power of two, below zero.
    const auto field = static_cast<unsigned>(bytes[13]);
    const std::uint64_t sectors = field <= 128 ? field : field > 224 ? std::uint64_t{1} << (256 - field) : 0;
    if (!is_size(sectors * out.sector_size, out.sector_size, std::uint64_t{2} << 20U)) {
        return damaged("sectors per cluster", field);
    }
    out.cluster_size = static_cast<std::uint32_t>(sectors * out.sector_size);
    const auto sector_count = get_le<std::uint64_t>(bytes, 40);
    if (sector_count > device_size / out.sector_size || sector_count / sectors < fewest_clusters) {
        return damaged("number of sectors", sector_count);
    }
    out.cluster_count = sector_count / sectors;
    out.mft_cluster = get_le<std::uint64_t>(bytes, 48);
    out.mirror_cluster = get_le<std::uint64_t>(bytes, 56);
    if (out.mft_cluster == 0 || out.mft_cluster >= out.cluster_count) {
        return damaged("the cluster of $MFT", out.mft_cluster);
    }
    if (out.mirror_cluster == 0 || out.mirror_cluster >= out.cluster_count) {
        return damaged("the cluster of $MFTMirr", out.mirror_cluster);
    }
    const std::uint64_t record = record_size(bytes[64], out.cluster_size);
    const std::uint64_t index = record_size(bytes[68], out.cluster_size);
    if (!is_size(record, 512, 4096)) {
        return damaged("clusters per MFT record", static_cast<unsigned>(bytes[64]));
    }
    if (!is_size(index, 512, std::uint64_t{64} << 10U)) {
        return damaged("clusters per index block", static_cast<unsigned>(bytes[68]));
    }
    out.record_size = static_cast<std::uint32_t>(record);
    out.index_size = static_cast<std::uint32_t>(index);
    std::array<char, 17> text{};
    (void)std::snprintf(text.data(), text.size(), "%016llX",
                        static_cast<unsigned long long>(get_le<std::uint64_t>(bytes, 72)));
    out.serial = text.data();
    return out;
}

}  // namespace plugfs::storage::ntfs
