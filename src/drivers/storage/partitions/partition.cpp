#include "drivers/storage/partitions/partition.h"

#include "drivers/storage/exfat/boot_region.h"
#include "drivers/storage/ext/super_block.h"
#include "drivers/storage/fat/boot_sector.h"
#include "drivers/storage/foreign_types.h"
#include "drivers/storage/iso/iso_volume.h"
#include "drivers/storage/partitions/partition_tables.h"
#include "drivers/storage/udf/open_udf.h"

#include <algorithm>
#include <array>

namespace plugfs::storage {

namespace {

// A file system of ours in the first sector, also one that looks like a partition table: a boot sector ends in the same
// signature, and has code where the table would be.
bool is_volume(BlockDevice& device, std::span<const std::byte> sector) {
    return (fat::looks_like_fat(sector) && fat::parse_boot_sector(sector).ok()) || exfat::looks_like_exfat(device);
}

std::vector<Partition> whole_device(const BlockDevice& device) {
    return {{0, 0, device.size(), "", ""}};
}

}  // namespace

Result<std::vector<Partition>> read_partitions(BlockDevice& device) {
    std::array<std::byte, 512> sector{};
    PLUGFS_TRY(device.read(0, sector, BlockDevice::Use::metadata));
    const auto entries = parse_mbr(sector);
    const bool mbr = has_mbr_signature(sector) && plausible_mbr(entries, device);
    // ext leaves the first sector to others; with a table there, its superblock is a remainder from before.
    const bool volume = is_volume(device, sector) || (!mbr && ext::looks_like_ext(device));
    const bool protective = mbr && std::any_of(entries.begin(), entries.end(),
                                               [](const MbrEntry& entry) { return entry.type == type_gpt_protective; });
    // Without an MBR in front of it, a GPT is a remainder from before the disk was formatted anew, unless nothing else
    // is there.
    if (protective || (!mbr && !volume)) {
        PLUGFS_ASSIGN(auto gpt, read_gpt(device));
        if (gpt) {
            return std::move(*gpt);
        }
    }
    if (volume) {
        return whole_device(device);
    }
    // Images of CDs are made so that they are disks, too.
    if (mbr) {
        return read_mbr(device, entries);
    }
    if (iso::looks_like_iso(device) || udf::looks_like_udf(device) || !foreign_type(device).empty()) {
        return whole_device(device);
    }
    return fail(ENODATA, "partition table", "there is none, nor a file system");
}

}  // namespace plugfs::storage
