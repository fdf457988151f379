// FatFormat: reading entries, and names.

#include "drivers/storage/fat/fat_format.h"

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/times.h"
#include "drivers/storage/text/upcase.h"
#include "drivers/storage/text/utf16.h"
#include "drivers/storage/text/windows_names.h"

#include <algorithm>

namespace plugfs::storage::fat {

namespace {

constexpr unsigned slots_in_step = 4096;
constexpr std::uint8_t never_used = 0x00;
constexpr std::uint8_t not_used = 0xe5;
constexpr std::uint8_t attribute_read_only = 0x01;
constexpr std::uint8_t attribute_label = 0x08;  // of parts of long names, too

ShortName short_name_in(std::span<const std::byte> slot) {
    ShortName name;
    std::transform(slot.begin(), slot.begin() + static_cast<std::ptrdiff_t>(name.size()), name.begin(),
                   [](std::byte byte) { return static_cast<unsigned char>(byte); });
    return name;
}

bool is_long_name(std::uint8_t attributes) {
    return (attributes & 0x3fU) == attribute_long_name;
}

// "." and "..": the folder itself and its parent.
bool is_dots(std::span<const std::byte> slot) {
    const auto blank_from = [&](std::size_t at) {
        return std::all_of(slot.begin() + static_cast<std::ptrdiff_t>(at), slot.begin() + 11,
                           [](std::byte byte) { return byte == std::byte{' '}; });
    };
    return slot[0] == std::byte{'.'} && (blank_from(1) || (slot[1] == std::byte{'.'} && blank_from(2)));
}

}  // namespace

Result<VolumeFormat::Step> FatFormat::next(Folder& folder, SlotReader& reader) {
    LongName long_name;
    for (unsigned slots = 0;; ++slots) {
        const std::uint32_t slot = reader.position();
        if (slots >= slots_in_step && long_name.parts() == 0) {
            return Step{};
        }
        PLUGFS_ASSIGN(const auto bytes, reader.next());
        const auto first = bytes ? get_le<std::uint8_t>(*bytes, 0) : never_used;
        if (first == never_used) {
            return Step{std::nullopt, true, slot};
        }
        const auto attributes = get_le<std::uint8_t>(*bytes, 11);
        if (first == not_used) {
            long_name.reset();
        } else if (is_long_name(attributes)) {
            long_name.add(*bytes);
        } else {
            return Step{parse(folder, slot, *bytes, long_name), false, 0};
        }
    }
}

Result<Node> FatFormat::at(Folder& folder, std::uint32_t slot, bool named) {
    const std::uint32_t before = named ? std::min<std::uint32_t>(slot, 20) : 0;
    std::vector<std::byte> bytes((before + 1) * slot_size);
    PLUGFS_TRY(slots_.read(folder, slot - before, bytes));
    LongName long_name;
    for (std::uint32_t i = 0; i < before; ++i) {
        const auto part = std::span<const std::byte>(bytes).subspan(i * slot_size, slot_size);
        if (get_le<std::uint8_t>(part, 0) != not_used && is_long_name(get_le<std::uint8_t>(part, 11))) {
            long_name.add(part);
        } else {
            long_name.reset();
        }
    }
    const auto own = std::span<const std::byte>(bytes).subspan(before * slot_size);
    const auto first = get_le<std::uint8_t>(own, 0);
    const auto attributes = get_le<std::uint8_t>(own, 11);
    if (first == never_used || first == not_used || (attributes & attribute_label) != 0 || is_dots(own)) {
        return fail(ESTALE, "entry", "slot " + std::to_string(slot) + " has none");
    }
    Node node = parse(folder, slot, own, long_name);
    if (node.state == Node::State::broken) {
        return fail(EUCLEAN, "entry", node.damage);
    }
    return node;
}

// The entry with its short name in `slot`.
Node FatFormat::parse(Folder& folder, std::uint32_t slot, std::span<const std::byte> bytes,
                      const LongName& long_name) const {
    Node node;
    node.folder = &folder;
    node.first_slot = slot;
    node.slot = slot;
    node.slot_count = 1;
    node.raw.assign(bytes.begin(), bytes.end());
    const auto attributes = get_le<std::uint8_t>(bytes, 11);
    if ((attributes & attribute_label) != 0 || is_dots(bytes)) {
        node.state = Node::State::hidden;
        return node;
    }
    node.kind = (attributes & attribute_directory) != 0 ? Kind::directory : Kind::file;
    node.write_protected = (attributes & attribute_read_only) != 0;
    node.content.first_cluster = get_cluster(bytes);
    node.size = node.kind == Kind::file ? get_le<std::uint32_t>(bytes, 28) : 0;
    node.valid = node.size;
    node.modified =
        from_dos_time({get_le<std::uint16_t>(bytes, 24), get_le<std::uint16_t>(bytes, 22), false}, options_.utc_offset);
    name_node(node, long_name);
    return node;
}

std::uint32_t FatFormat::get_cluster(std::span<const std::byte> slot) const {
    const std::uint32_t low = get_le<std::uint16_t>(slot, 26);
    return boot_.is_fat32() ? low | ((std::uint32_t{get_le<std::uint16_t>(slot, 20)} << 16U) & 0x0fffffffU) : low;
}

std::optional<std::uint32_t> FatFormat::cluster_in(std::span<const std::byte> slot) const {
    const auto first = get_le<std::uint8_t>(slot, 0);
    const bool entry = (get_le<std::uint8_t>(slot, 11) & attribute_label) == 0;
    return first != never_used && first != not_used && entry ? std::optional(get_cluster(slot)) : std::nullopt;
}

void FatFormat::name_node(Node& node, const LongName& long_name) const {
    bool odd = false;
    if (auto name = long_name.complete(short_name_in(node.raw)); name) {
        node.name = std::move(*name);
        node.slot_count = long_name.parts() + 1;
        node.first_slot = node.slot - long_name.parts();
    } else {
        node.name = show(short_name_in(node.raw), get_le<std::uint8_t>(node.raw, 12), page_);
    }
    node.shown_name = to_utf8(node.name, &odd);
    const bool impossible = node.name.empty() || node.name == u"." || node.name == u"..";
    if (odd || impossible) {
        node.damage = "an entry has the name " + quoted(node.shown_name);
        node.state = impossible ? Node::State::broken : Node::State::good;
    }
}

std::u16string FatFormat::short_name(const Node& node) const {
    return show(short_name_in(node.raw), 0, page_);
}

Result<void> FatFormat::check_name(const std::u16string& name) const {
    return check_windows_name(name, "FAT", u"\x7f");
}

std::uint64_t FatFormat::hash(const std::u16string& name) const {
    return UpcaseTable::standard().hash(name);
}

bool FatFormat::is_named(const Node& node, const std::u16string& name) const {
    const auto& upcase = UpcaseTable::standard();
    return upcase.same(node.name, name) || upcase.same(short_name(node), name);
}

std::vector<std::uint64_t> FatFormat::hashes(const Node& node) const {
    const std::uint64_t long_hash = hash(node.name);
    const std::uint64_t short_hash = hash(short_name(node));
    return long_hash == short_hash ? std::vector{long_hash} : std::vector{long_hash, short_hash};
}

Result<std::string> FatFormat::label(Folder& root) {
    SlotReader reader(slots_, root, 0);
    while (true) {
        PLUGFS_ASSIGN(const auto step, next(root, reader));
        if (step.end) {
            return std::string();
        }
        if (step.node && step.node->state == Node::State::hidden && !is_dots(step.node->raw)) {
            ShortName name = short_name_in(step.node->raw);
            std::u16string units;
            for (std::size_t i = 0; i < name.size(); ++i) {
                units += page_.to_unicode(i == 0 && name[0] == 0x05 ? 0xe5 : name[i]);
            }
            units.erase(units.find_last_not_of(u' ') + 1);
            return to_utf8(units);
        }
    }
}

}  // namespace plugfs::storage::fat
