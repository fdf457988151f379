// What the root folder of an exFAT volume says of the volume itself: the label, the allocation bitmap, the up-case
// table. exFAT specification 7.1 to 7.3.
#pragma once

#include "drivers/storage/cluster/cluster_heap.h"
#include "drivers/storage/cluster/folder_slots.h"
#include "drivers/storage/text/upcase.h"

#include <optional>

namespace plugfs::storage::exfat {

struct SystemEntries {
    std::u16string label;
    struct Stream {
        std::uint32_t first_cluster = 0;
        std::uint64_t length = 0;
        std::uint32_t checksum = 0;  // of the up-case table
    };
    std::optional<Stream> bitmap;
    std::optional<Stream> upcase_table;
};

[[nodiscard]] Result<SystemEntries> read_system_entries(FolderSlots& slots, const Folder& root);

// EUCLEAN: it is damaged; names can be compared by UpcaseTable::standard() then, but nothing should be written.
[[nodiscard]] Result<UpcaseTable> read_upcase_table(ClusterHeap& heap,
                                                    const std::optional<SystemEntries::Stream>& entry);
// Where the bitmap lies on the device. EUCLEAN: it is not what it must be. ENOTSUP: it does not lie in one piece.
[[nodiscard]] Result<PagedRegion> find_bitmap(BlockDevice& device, ClusterHeap& heap,
                                              const std::optional<SystemEntries::Stream>& entry);

}  // namespace plugfs::storage::exfat
