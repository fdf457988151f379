#include "drivers/storage/fat/open_fat.h"

#include "drivers/storage/cluster/cluster_volume.h"
#include "drivers/storage/cluster/move_note.h"
#include "drivers/storage/fat/fat_allocator.h"
#include "drivers/storage/fat/fat_format.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace plugfs::storage::fat {

namespace {

Result<BootSector> read_boot_sector(BlockDevice& device) {
    std::array<std::byte, 512> sector{};
    PLUGFS_TRY(device.read(0, sector, BlockDevice::Use::metadata));
    PLUGFS_ASSIGN(auto boot, parse_boot_sector(sector));
    // Without its table and the first cluster there is nothing to be served.
    for (const auto table : boot.tables) {
        if (table + boot.table_size > device.size()) {
            return fail(EUCLEAN, "FAT boot sector",
                        "BPB_FATSz: the table ends at byte " + std::to_string(table + boot.table_size) +
                            ", the medium at " + std::to_string(device.size()));
        }
    }
    if (boot.heap_offset + boot.cluster_size > device.size()) {
        return fail(EUCLEAN, "FAT boot sector",
                    "BPB_RootEntCnt: files begin at byte " + std::to_string(boot.heap_offset) + ", past the medium");
    }
    if (boot.note_offset != 0) {
        PLUGFS_ASSIGN(const bool room, can_hold_notes(device, boot.note_offset));
        boot.note_offset = room ? boot.note_offset : 0;
    }
    return boot;
}

Folder root_folder(const BootSector& boot) {
    Folder root;
    if (boot.is_fat32()) {
        root.content.first_cluster = boot.root_cluster;
    } else {
        root.fixed_offset = boot.root_offset;
        root.fixed_slots = boot.root_slots;
    }
    return root;
}

std::string serial_text(const BootSector& boot) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04X-%04X", boot.serial >> 16U, boot.serial & 0xffffU);
    return boot.has_serial ? text.data() : "";
}

// What cannot be served fully is not written to.
std::string reason_not_to_write(const BootSector& boot, const BlockDevice& device) {
    return boot.volume_size > device.size()
               ? "the file system is damaged: BPB_TotSec says " + std::to_string(boot.volume_size) +
                     " bytes, the medium has " + std::to_string(device.size())
               : "";
}

}  // namespace

Result<std::unique_ptr<Volume>> open_fat(BlockDevice& device, const VolumeOptions& options,
                                         const VolumeReport& report) {
    PLUGFS_ASSIGN(const BootSector boot, read_boot_sector(device));
    const auto page = CodePage::find(options.code_page);
    if (!page) {
        return fail(EINVAL, "code_page", std::to_string(options.code_page) + " is not known");
    }
    const std::uint32_t unit = std::min(boot.sector_size, device.block_size());
    ClusterVolume::Parts parts;
    parts.heap = std::make_unique<ClusterHeap>(
        device, HeapLayout{boot.heap_offset, boot.cluster_size, false},
        ClusterTable(PagedRegion(device, boot.tables, boot.table_size), boot.width, boot.cluster_count, unit));
    parts.heap->set_allocator(std::make_unique<FatAllocator>(parts.heap->table()));
    parts.slots = std::make_unique<FolderSlots>(device, *parts.heap, slot_limit, unit);
    parts.root = root_folder(boot);
    if (boot.is_fat32() && !parts.heap->table().valid(boot.root_cluster)) {
        return fail(EUCLEAN, "FAT boot sector", "BPB_RootClus is " + std::to_string(boot.root_cluster));
    }
    auto format = std::make_unique<FatFormat>(device, *parts.heap, *parts.slots, boot, *page, options);
    PLUGFS_ASSIGN(parts.marked, format->marked());
    parts.info = {boot.type(), boot.label, serial_text(boot)};
    if (auto label = format->label(parts.root); label && !label->empty()) {
        parts.info.label = *label;
    }
    parts.read_only_because = reason_not_to_write(boot, device);
    if (!parts.read_only_because.empty()) {
        report(LogLevel::error, parts.info.type + " volume: " + parts.read_only_because);
    }
    PLUGFS_TRY(format->read_summary());
    if (parts.marked) {
        if (!options.mark_is_ours) {
            report(LogLevel::warning, parts.info.type +
                                          " volume: it was not closed properly; some of what was written last may be "
                                          "missing, and fsck.fat may find clusters that belong to nobody");
        }
        parts.heap->allocator().forget();  // what the volume says of its free clusters may be old
    }
    parts.format = std::move(format);
    return ClusterVolume::create(device, std::move(parts), options, report);
}

}  // namespace plugfs::storage::fat
