#include "drivers/storage/exfat/system_entries.h"

#include "drivers/storage/exfat/entry_set.h"
#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::exfat {

namespace {

constexpr std::size_t label_limit = 11;               // UTF-16 units
constexpr std::uint64_t upcase_limit = 2U * 0x10000;  // bytes
constexpr char16_t same_units_follow = 0xffff;

SystemEntries::Stream stream_in(std::span<const std::byte> slot) {
    return {get_le<std::uint32_t>(slot, 20), get_le<std::uint64_t>(slot, 24), get_le<std::uint32_t>(slot, 4)};
}

std::uint32_t table_checksum(std::span<const std::byte> bytes) {
    std::uint32_t sum = 0;
    for (const std::byte byte : bytes) {
        sum = (sum << 31U | sum >> 1U) + static_cast<std::uint32_t>(byte);
    }
    return sum;
}

// 7.2.5.1: a unit stands for itself, or 0xffff and a number for that many units without another case.
Result<std::vector<char16_t>> decompress(std::span<const std::byte> bytes) {
    std::vector<char16_t> units;
    for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
        const auto unit = static_cast<char16_t>(get_le<std::uint16_t>(bytes, at));
        if (unit != same_units_follow || at + 3 >= bytes.size()) {
            units.push_back(unit);
        } else {
            at += 2;
            for (unsigned count = get_le<std::uint16_t>(bytes, at); count > 0 && units.size() <= 0x10000; --count) {
                units.push_back(static_cast<char16_t>(units.size()));
            }
        }
        if (units.size() > 0x10000) {
            return fail(EUCLEAN, "up-case table", "it has more than 65536 units");
        }
    }
    return units;
}

}  // namespace

Result<SystemEntries> read_system_entries(FolderSlots& slots, const Folder& root) {
    SystemEntries out;
    SlotReader reader(slots, root, 0);
    while (true) {
        PLUGFS_ASSIGN(const auto slot, reader.next());
        const auto type = slot ? get_le<std::uint8_t>(*slot, 0) : type_end;
        if (type == type_end) {
            return out;
        }
        if (type == type_label) {
            const std::size_t length = std::min<std::size_t>(get_le<std::uint8_t>(*slot, 1), label_limit);
            for (std::size_t i = 0; i < length; ++i) {
                out.label += static_cast<char16_t>(get_le<std::uint16_t>(*slot, 2 + 2 * i));
            }
        } else if (type == type_bitmap && (get_le<std::uint8_t>(*slot, 1) & 1U) == 0) {
            out.bitmap = stream_in(*slot);
        } else if (type == type_upcase_table) {
            out.upcase_table = stream_in(*slot);
        }
    }
}

Result<UpcaseTable> read_upcase_table(ClusterHeap& heap, const std::optional<SystemEntries::Stream>& entry) {
    if (!entry) {
        return fail(EUCLEAN, "up-case table", "there is none");
    }
    if (entry->length == 0 || entry->length > upcase_limit || entry->length % 2 != 0) {
        return fail(EUCLEAN, "up-case table", "DataLength is " + std::to_string(entry->length));
    }
    std::vector<std::byte> bytes(entry->length);
    PLUGFS_TRY(heap.read({entry->first_cluster, false, heap.clusters_for(entry->length)}, 0, bytes,
                         BlockDevice::Use::metadata));
    if (const std::uint32_t sum = table_checksum(bytes); sum != entry->checksum) {
        return fail(EUCLEAN, "up-case table",
                    "TableChecksum is " + std::to_string(entry->checksum) + ", not " + std::to_string(sum));
    }
    PLUGFS_ASSIGN(auto units, decompress(bytes));
    return UpcaseTable(std::move(units));
}

Result<PagedRegion> find_bitmap(BlockDevice& device, ClusterHeap& heap,
                                const std::optional<SystemEntries::Stream>& entry) {
    const std::uint64_t needed = (std::uint64_t{heap.table().cluster_count()} + 7) / 8;
    if (!entry || entry->length < needed) {
        return fail(EUCLEAN, "allocation bitmap",
                    entry ? "DataLength is " + std::to_string(entry->length) : std::string("there is none"));
    }
    const Content content{entry->first_cluster, false, heap.clusters_for(needed)};
    PLUGFS_ASSIGN(const auto runs, heap.chains().runs(content, 0));
    if (runs.size() != 1) {
        return fail(ENOTSUP, "allocation bitmap", "it lies in " + std::to_string(runs.size()) + " pieces");
    }
    PLUGFS_ASSIGN(const auto place, heap.locate(content, 0));
    if (!place || place->offset + needed > device.size()) {
        return fail(EUCLEAN, "allocation bitmap", "it lies past the medium");
    }
    return PagedRegion(device, {place->offset}, needed);
}

}  // namespace plugfs::storage::exfat
