#include "drivers/storage/exfat/open_exfat.h"

#include "drivers/storage/cluster/cluster_volume.h"
#include "drivers/storage/cluster/move_note.h"
#include "drivers/storage/exfat/bitmap_allocator.h"
#include "drivers/storage/exfat/exfat_format.h"
#include "drivers/storage/exfat/system_entries.h"
#include "drivers/storage/text/utf16.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace plugfs::storage::exfat {

namespace {

constexpr std::uint32_t slot_limit = NameIndex::slot_limit;  // 256 MiB

std::string serial_text(std::uint32_t serial) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04X-%04X", serial >> 16U, serial & 0xffffU);
    return text.data();
}

// Why the volume should not be written to; the first reason counts.
class Reasons {
  public:
    void add(const std::string& reason) { first_ = first_.empty() ? reason : first_; }
    // Of something that should be right.
    void add_damage(const std::string& what) { add("the file system is damaged: " + what); }
    [[nodiscard]] const std::string& first() const { return first_; }

  private:
    std::string first_;
};

void check_region(const BootRegion& boot, const BlockDevice& device, Reasons& reasons) {
    if (boot.from_backup) {
        reasons.add_damage("the boot region; its backup is used");
    }
    if (boot.volume_size > device.size()) {
        reasons.add_damage("VolumeLength says " + std::to_string(boot.volume_size) + " bytes, the medium has " +
                           std::to_string(device.size()));
    }
    if (boot.two_tables) {
        reasons.add("it is TexFAT, whose second table would have to be kept");
    }
}

UpcaseTable upcase_table(ClusterHeap& heap, const SystemEntries& entries, Reasons& reasons) {
    auto table = read_upcase_table(heap, entries.upcase_table);
    if (!table) {
        reasons.add_damage(table.error().stage + ": " + table.error().detail);
        return UpcaseTable::standard();
    }
    return std::move(*table);
}

std::unique_ptr<Allocator> allocator(BlockDevice& device, ClusterHeap& heap, const SystemEntries& entries,
                                     Reasons& reasons) {
    auto bitmap = find_bitmap(device, heap, entries.bitmap);
    if (!bitmap) {
        const std::string what = bitmap.error().stage + ": " + bitmap.error().detail;
        if (bitmap.error().code == ENOTSUP) {
            reasons.add(what);
        } else {
            reasons.add_damage(what);
        }
        return std::make_unique<BitmapAllocator>(PagedRegion(device, {0}, 0), heap.table().cluster_count());
    }
    return std::make_unique<BitmapAllocator>(std::move(*bitmap), heap.table().cluster_count());
}

Result<void> check_on_medium(const BootRegion& boot, const BlockDevice& device) {
    const std::uint64_t root = boot.heap_offset + std::uint64_t{boot.root_cluster - 2} * boot.cluster_size;
    if (boot.table_offset + boot.table_size > device.size()) {
        return fail(EUCLEAN, "exFAT boot region", "FatLength: the table ends past the medium");
    }
    return root + boot.cluster_size > device.size()
               ? fail(EUCLEAN, "exFAT boot region", "FirstClusterOfRootDirectory lies past the medium")
               : Result<void>();
}

}  // namespace

Result<std::unique_ptr<Volume>> open_exfat(BlockDevice& device, const VolumeOptions& options,
                                           const VolumeReport& report) {
    PLUGFS_ASSIGN(const BootRegion boot, read_boot_region(device));
    PLUGFS_TRY(check_on_medium(boot, device));
    Reasons reasons;
    check_region(boot, device, reasons);
    const std::uint32_t unit = std::min(boot.sector_size, device.block_size());
    ClusterVolume::Parts parts;
    parts.heap = std::make_unique<ClusterHeap>(device, HeapLayout{boot.heap_offset, boot.cluster_size, true},
                                               ClusterTable(PagedRegion(device, {boot.table_offset}, boot.table_size),
                                                            ClusterTable::Width::exfat, boot.cluster_count, unit));
    parts.slots = std::make_unique<FolderSlots>(device, *parts.heap, slot_limit, unit);
    parts.root.content.first_cluster = boot.root_cluster;
    PLUGFS_ASSIGN(const auto entries, read_system_entries(*parts.slots, parts.root));
    parts.heap->set_allocator(allocator(device, *parts.heap, entries, reasons));
    auto format = std::make_unique<ExfatFormat>(device, *parts.heap, *parts.slots,
                                                upcase_table(*parts.heap, entries, reasons), options);
    if (boot.note_offset != 0) {
        PLUGFS_ASSIGN(const bool room, can_hold_notes(device, boot.note_offset));
        format->set_note_offset(room ? boot.note_offset : 0);
    }
    parts.format = std::move(format);
    parts.marked = boot.changing;
    parts.info = {"exFAT", to_utf8(entries.label), serial_text(boot.serial)};
    parts.read_only_because = reasons.first();
    if (!parts.read_only_because.empty()) {
        report(LogLevel::error, "exFAT volume: " + parts.read_only_because);
    }
    if (boot.changing && !options.mark_is_ours) {
        report(LogLevel::warning,
               "exFAT volume: it was not closed properly; some of what was written last may be missing, and fsck.exfat "
               "may find clusters that belong to nobody");
    }
    return ClusterVolume::create(device, std::move(parts), options, report);
}

}  // namespace plugfs::storage::exfat
