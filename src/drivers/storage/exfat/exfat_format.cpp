#include "drivers/storage/exfat/exfat_format.h"

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/utf16.h"
#include "drivers/storage/text/windows_names.h"

#include <algorithm>
#include <array>

namespace plugfs::storage::exfat {

namespace {

constexpr unsigned slots_in_step = 4096;
constexpr std::uint8_t type_never_ours = 0x05;  // a File entry that has been removed
constexpr std::uint8_t percent_unknown = 0xff;

bool in_use(std::uint8_t type) {
    return (type & type_in_use) != 0;
}

// Those primary entries that one may meet without knowing them.
bool may_be_unknown(std::uint8_t type) {
    return (type & type_benign) != 0 || (type & type_secondary) != 0 || type == type_bitmap ||
           type == type_upcase_table || type == type_label;
}

}  // namespace

Result<VolumeFormat::Step> ExfatFormat::next(Folder& folder, SlotReader& reader) {
    for (unsigned count = 0; count < slots_in_step; ++count) {
        const std::uint32_t slot = reader.position();
        PLUGFS_ASSIGN(const auto bytes, reader.next());
        const auto type = bytes ? get_le<std::uint8_t>(*bytes, 0) : type_end;
        if (type == type_end) {
            return Step{std::nullopt, true, slot};
        }
        if (!in_use(type)) {
            continue;
        }
        if (type == type_file) {
            const std::vector<std::byte> file_entry(bytes->begin(), bytes->end());
            PLUGFS_ASSIGN(auto node, collect(folder, slot, file_entry, reader));
            return Step{std::move(node), false, 0};
        }
        Node node;
        node.folder = &folder;
        node.first_slot = slot;
        node.slot = slot;
        node.slot_count = 1;
        node.state = Node::State::hidden;
        if (!may_be_unknown(type)) {
            node.damage = "an entry has the type " + std::to_string(type);
        }
        return Step{std::move(node), false, 0};
    }
    return Step{};
}

// The set that begins with a File entry, as far as its slots are there.
Result<Node> ExfatFormat::collect(Folder& folder, std::uint32_t slot, std::span<const std::byte> file_entry,
                                  SlotReader& reader) const {
    std::vector<std::byte> set(file_entry.begin(), file_entry.end());
    const std::size_t count = std::min(secondary_count(file_entry), secondary_limit);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t position = reader.position();
        PLUGFS_ASSIGN(const auto bytes, reader.next());
        const auto type = bytes ? get_le<std::uint8_t>(*bytes, 0) : type_end;
        if (!in_use(type) || (type & type_secondary) == 0) {
            reader.seek(position);
            break;
        }
        set.insert(set.end(), bytes->begin(), bytes->end());
    }
    return parse(folder, slot, std::move(set));
}

Result<Node> ExfatFormat::at(Folder& folder, std::uint32_t slot, bool) {
    std::vector<std::byte> bytes(slot_size);
    PLUGFS_TRY(slots_.read(folder, slot, bytes));
    if (get_le<std::uint8_t>(bytes, 0) != type_file) {
        return fail(ESTALE, "entry", "slot " + std::to_string(slot) + " has none");
    }
    const std::size_t count = std::min(secondary_count(bytes), secondary_limit);
    bytes.resize((1 + count) * slot_size);
    PLUGFS_TRY(slots_.read(folder, slot + 1, std::span(bytes).subspan(slot_size)));
    Node node = parse(folder, slot, std::move(bytes));
    if (node.state == Node::State::broken) {
        return fail(EUCLEAN, "entry", node.damage);
    }
    return node;
}

Node ExfatFormat::parse(Folder& folder, std::uint32_t slot, std::vector<std::byte> slots) const {
    Node node;
    node.folder = &folder;
    node.first_slot = slot;
    node.slot = slot;
    node.slot_count = static_cast<std::uint32_t>(slots.size() / slot_size);
    auto [set, wrong] = parse_entry_set(slots, options_.utc_offset);
    node.raw = std::move(slots);
    node.name = std::move(set.name);
    bool odd = false;
    node.shown_name = to_utf8(node.name, &odd);
    if (wrong.empty() && (node.name == u"." || node.name == u"..")) {
        wrong = "an entry has the name " + quoted(node.shown_name);
    }
    if (!wrong.empty()) {
        node.state = Node::State::broken;
        node.damage = wrong;
        return node;
    }
    if (odd) {
        node.damage = "an entry has the name " + quoted(node.shown_name);
    }
    node.kind = (set.attributes & attribute_directory) != 0 ? Kind::directory : Kind::file;
    node.write_protected = (set.attributes & attribute_read_only) != 0;
    node.modified = set.modified;
    take_place(node, set);
    return node;
}

// What the set says of the content. Numbers that cannot be are cut to what leads to an error when they are used.
void ExfatFormat::take_place(Node& node, const EntrySet& set) const {
    const std::uint64_t heap_size = std::uint64_t{heap_.table().cluster_count()} * heap_.layout().cluster_size;
    node.size = set.size;
    node.valid = std::min(set.valid, set.size);
    node.content.first_cluster = set.size == 0 ? 0 : set.first_cluster;
    node.content.contiguous = set.size != 0 && set.contiguous;
    node.content.clusters = heap_.clusters_for(std::min(set.size, heap_size));
    if (set.size > heap_size || set.size > INT64_MAX) {
        node.damage = quoted(node.shown_name) + " has the DataLength " + std::to_string(set.size);
        node.content.first_cluster = 0;
        node.size = std::min<std::uint64_t>(node.size, INT64_MAX);
    } else if (set.valid > set.size) {
        node.damage = quoted(node.shown_name) + " has the ValidDataLength " + std::to_string(set.valid);
    }
}

Result<void> ExfatFormat::check_name(const std::u16string& name) const {
    return check_windows_name(name, "exFAT");
}

Result<std::vector<std::byte>> ExfatFormat::encode(Node& node, const NameIndex&) {
    const bool fresh = node.raw.empty();
    node.raw = name_entry_set(node.raw, node.name, name_hash(upcase_.upper(node.name)));
    if (node.raw.empty()) {
        return fail(ENAMETOOLONG, "name", "too long for an entry that has other entries with it");
    }
    node.slot_count = static_cast<std::uint32_t>(node.raw.size() / slot_size);
    if (fresh) {
        put_creation_time(node.raw, node.modified.value_or(0), options_.utc_offset);
        put_le<std::uint16_t>(node.raw, 4, node.kind == Kind::directory ? attribute_directory : attribute_archive);
    }
    (void)update(node);
    return node.raw;
}

std::vector<std::byte> ExfatFormat::update(Node& node) const {
    EntrySet set;
    set.attributes = get_le<std::uint16_t>(node.raw, 4);
    if (node.kind == Kind::file) {
        set.attributes |= attribute_archive;
    }
    set.modified = node.modified;
    set.first_cluster = node.content.first_cluster;
    set.contiguous = node.content.contiguous;
    set.size = node.size;
    set.valid = node.valid;
    update_entry_set(node.raw, set, options_.utc_offset);
    return {node.raw.begin(), node.raw.begin() + 2 * slot_size};
}

// Attributes and times; the rest is in the node.
void ExfatFormat::take_over(Node& node, const Node& from) const {
    std::copy(from.raw.begin() + 4, from.raw.begin() + slot_size, node.raw.begin() + 4);
    node.write_protected = from.write_protected;
}

void ExfatFormat::free_slot(std::span<std::byte> slot) const {
    slot[0] &= ~std::byte{type_in_use};
    if (slot[0] == std::byte{type_end}) {  // of a slot that was never used, it would be the end of the folder
        slot[0] = std::byte{type_never_ours};
    }
}

std::optional<std::uint32_t> ExfatFormat::cluster_in(std::span<const std::byte> slot) const {
    return get_le<std::uint8_t>(slot, 0) == type_stream ? std::optional(get_le<std::uint32_t>(slot, 20)) : std::nullopt;
}

Result<void> ExfatFormat::mark(bool changing) {
    std::array<std::byte, 1> flags{};
    PLUGFS_TRY(device_.read(flags_offset, flags, BlockDevice::Use::metadata));
    flags[0] = changing ? flags[0] | std::byte{flag_changing} : flags[0] & ~std::byte{flag_changing};
    return device_.write(flags_offset, flags, BlockDevice::Use::metadata);
}

Result<void> ExfatFormat::write_summary() {
    PLUGFS_TRY(heap_.allocator().count_free());
    const auto free = heap_.allocator().free_count();
    const std::uint64_t count = heap_.table().cluster_count();
    const std::uint64_t percent =
        free ? (count - std::min<std::uint64_t>(*free, count)) * 100 / count : percent_unknown;
    const std::array<std::byte, 1> byte = {static_cast<std::byte>(percent)};
    return device_.write(percent_offset, byte, BlockDevice::Use::metadata);
}

}  // namespace plugfs::storage::exfat
