// FatFormat: writing entries, and the marks of the volume.

#include "drivers/storage/fat/fat_format.h"
#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/times.h"

#include <algorithm>
#include <array>

namespace plugfs::storage::fat {

namespace {

// Where the fields of an entry lie (6).
constexpr std::size_t at_attributes = 11;
constexpr std::size_t at_case = 12;
constexpr std::size_t at_creation = 13;  // tenths of a second; then time and date
constexpr std::size_t at_access_date = 18;
constexpr std::size_t at_cluster_high = 20;
constexpr std::size_t at_time = 22;
constexpr std::size_t at_date = 24;
constexpr std::size_t at_cluster_low = 26;
constexpr std::size_t at_size = 28;
constexpr std::uint8_t attribute_archive = 0x20;
constexpr auto not_used = std::byte{0xe5};

// FSInfo (5).
constexpr std::uint32_t summary_lead = 0x41615252;
constexpr std::uint32_t summary_mark = 0x61417272;
constexpr std::uint32_t unknown = 0xffffffff;

constexpr std::uint32_t table_entry_with_state = 1;

void put_name(std::span<std::byte> slot, const ShortName& name) {
    std::transform(name.begin(), name.end(), slot.begin(), [](unsigned char byte) { return std::byte{byte}; });
}

std::uint32_t clean_bit(const BootSector& boot) {
    return boot.is_fat32() ? 1U << 27U : 1U << 15U;
}

}  // namespace

void FatFormat::put_cluster(std::span<std::byte> slot, std::uint32_t cluster) const {
    put_le<std::uint16_t>(slot, at_cluster_low, static_cast<std::uint16_t>(cluster));
    if (boot_.is_fat32()) {
        put_le<std::uint16_t>(slot, at_cluster_high, static_cast<std::uint16_t>(cluster >> 16U));
    }
}

void FatFormat::put_times(std::span<std::byte> slot, std::int64_t seconds, bool created) const {
    const DosTime time = to_dos_time(seconds, options_.utc_offset);
    put_le<std::uint16_t>(slot, at_time, time.time);
    put_le<std::uint16_t>(slot, at_date, time.date);
    if (created) {
        put_le<std::uint8_t>(slot, at_creation, time.odd_second ? 100 : 0);
        put_le<std::uint16_t>(slot, at_creation + 1, time.time);
        put_le<std::uint16_t>(slot, at_creation + 3, time.date);
        put_le<std::uint16_t>(slot, at_access_date, time.date);
    }
}

Result<std::vector<std::byte>> FatFormat::encode(Node& node, const NameIndex& index) {
    const bool fresh = node.raw.empty();
    node.raw.resize(slot_size);
    const std::span<std::byte> slot(node.raw);
    if (fresh) {
        put_le<std::uint8_t>(slot, at_attributes,
                             node.kind == Kind::directory ? attribute_directory : attribute_archive);
        put_times(slot, node.modified.value_or(0), true);
    }
    std::vector<std::byte> out;
    if (const auto exact = exact_short_name(node.name); exact) {
        put_name(slot, exact->name);
        put_le<std::uint8_t>(slot, at_case, exact->case_bits);
    } else {
        const auto name = short_name_for(node.name, page_, [&](const ShortName& candidate) {
            return index.find_name(hash(show(candidate, 0, page_)), [](std::uint32_t) { return true; });
        });
        if (!name) {
            return fail(ENOSPC, "folder", "no short name is left for " + quoted(node.shown_name));
        }
        put_name(slot, *name);
        put_le<std::uint8_t>(slot, at_case, 0);
        out = LongName::encode(node.name, checksum(*name));
    }
    const auto key = update(node);
    out.insert(out.end(), key.begin(), key.end());
    node.slot_count = static_cast<std::uint32_t>(out.size() / slot_size);
    return out;
}

std::vector<std::byte> FatFormat::update(Node& node) const {
    const std::span<std::byte> slot(node.raw);
    put_cluster(slot, node.content.first_cluster);
    put_le<std::uint32_t>(slot, at_size, node.kind == Kind::file ? static_cast<std::uint32_t>(node.size) : 0);
    if (node.kind == Kind::file) {
        const unsigned attributes = get_le<std::uint8_t>(slot, at_attributes) | attribute_archive;
        put_le<std::uint8_t>(slot, at_attributes, static_cast<std::uint8_t>(attributes));
    }
    if (node.modified) {
        put_times(slot, *node.modified, false);
    }
    return node.raw;
}

void FatFormat::take_over(Node& node, const Node& from) const {
    std::copy(from.raw.begin() + at_creation, from.raw.end(), node.raw.begin() + at_creation);
    node.raw[at_attributes] = from.raw[at_attributes];
    node.write_protected = from.write_protected;
}

void FatFormat::free_slot(std::span<std::byte> slot) const {
    slot[0] = not_used;
}

// What a folder's ".." says of its parent: 0 for the root, also on FAT32.
std::uint32_t FatFormat::cluster_in_parent(const Folder& parent) const {
    return parent.key == root_key ? 0 : parent.content.first_cluster;
}

std::vector<std::byte> FatFormat::folder_start(const Node& node) const {
    std::vector<std::byte> out(2 * slot_size);
    const std::array<std::uint32_t, 2> clusters = {node.content.first_cluster, cluster_in_parent(*node.folder)};
    for (std::size_t i = 0; i < clusters.size(); ++i) {
        const auto slot = std::span(out).subspan(i * slot_size, slot_size);
        ShortName name;
        name.fill(' ');
        std::fill_n(name.begin(), i + 1, '.');
        put_name(slot, name);
        put_le<std::uint8_t>(slot, at_attributes, attribute_directory);
        put_times(slot, node.modified.value_or(0), true);
        put_cluster(slot, clusters[i]);
    }
    return out;
}

std::optional<VolumeFormat::ParentSlot> FatFormat::parent_slot(const Node& node) const {
    return ParentSlot{slot_size, cluster_in_parent(*node.folder)};
}

Result<void> FatFormat::folder_moved(const Node& node) {
    std::array<std::byte, slot_size> slot{};
    PLUGFS_TRY(heap_.read(node.content, slot_size, slot, BlockDevice::Use::metadata));
    if (slot[0] != std::byte{'.'} || slot[1] != std::byte{'.'}) {
        return fail(EUCLEAN, "folder", quoted(node.shown_name) + " has no \"..\"");
    }
    put_cluster(slot, cluster_in_parent(*node.folder));
    return heap_.write(node.content, slot_size, slot, BlockDevice::Use::metadata);
}

Result<bool> FatFormat::marked() {
    if (boot_.changing || boot_.width == ClusterTable::Width::fat12) {
        return boot_.changing;
    }
    PLUGFS_ASSIGN(const std::uint32_t state, heap_.table().get(table_entry_with_state));
    return (state & clean_bit(boot_)) == 0;
}

// Windows looks at the second entry of the table, Linux at the boot sector.
Result<void> FatFormat::mark(bool changing) {
    std::array<std::byte, 1> byte{};
    PLUGFS_TRY(device_.read(boot_.state_offset, byte, BlockDevice::Use::metadata));
    byte[0] = changing ? byte[0] | std::byte{1} : byte[0] & ~std::byte{1};
    PLUGFS_TRY(device_.write(boot_.state_offset, byte, BlockDevice::Use::metadata));
    if (boot_.width != ClusterTable::Width::fat12) {
        auto& table = heap_.table();
        PLUGFS_ASSIGN(std::uint32_t state, table.get(table_entry_with_state));
        state = changing ? state & ~clean_bit(boot_) : state | clean_bit(boot_);
        PLUGFS_TRY(table.set(table_entry_with_state, state));
        PLUGFS_TRY(table.write_out());
    }
    // What is not true while things change is not said.
    return changing ? put_summary(unknown, unknown) : Result<void>();
}

Result<void> FatFormat::read_summary() {
    if (boot_.summary_offset == 0) {
        return {};
    }
    std::array<std::byte, 512> sector{};
    PLUGFS_TRY(device_.read(boot_.summary_offset, sector, BlockDevice::Use::metadata));
    if (get_le<std::uint32_t>(sector, 0) != summary_lead || get_le<std::uint32_t>(sector, 484) != summary_mark ||
        get_le<std::uint16_t>(sector, 510) != 0xaa55) {
        boot_.summary_offset = 0;
        return {};
    }
    const auto free = get_le<std::uint32_t>(sector, 488);
    const auto next = get_le<std::uint32_t>(sector, 492);
    if (free <= boot_.cluster_count) {
        heap_.allocator().believe_free_count(free);
    }
    if (heap_.table().valid(next)) {
        heap_.allocator().set_cursor(next);
    }
    return {};
}

Result<void> FatFormat::write_summary() {
    PLUGFS_TRY(heap_.allocator().count_free());
    return put_summary(heap_.allocator().free_count().value_or(unknown), heap_.allocator().cursor());
}

Result<void> FatFormat::put_summary(std::uint32_t free, std::uint32_t next) {
    if (boot_.summary_offset == 0) {
        return {};
    }
    std::array<std::byte, 8> bytes{};
    put_le<std::uint32_t>(bytes, 0, free);
    put_le<std::uint32_t>(bytes, 4, next);
    return device_.write(boot_.summary_offset + 488, bytes, BlockDevice::Use::metadata);
}

}  // namespace plugfs::storage::fat
