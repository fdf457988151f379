#include "drivers/storage/iso/iso_volume.h"

#include "drivers/storage/text/shown_name.h"

#include <algorithm>
#include <array>

namespace plugfs::storage::iso {

namespace {

constexpr std::uint64_t first_descriptor = 16 * sector_size;
constexpr unsigned descriptor_limit = 32;
constexpr std::size_t part_limit = 256;  // entries of one list() call
constexpr unsigned step_limit = 2048;    // records that it looks at
constexpr unsigned section_limit = 64;   // of a file; each has up to 4 GiB
constexpr unsigned continuation_limit = 16;
constexpr std::uint64_t folder_limit = std::uint64_t{64} << 20U;  // bytes
constexpr std::size_t known_limit = std::size_t{1} << 20U;
// POSIX file types, as Rock Ridge has them (RRIP 4.1.1).
constexpr std::uint32_t type_mask = 0170000;
constexpr std::uint32_t regular = 0100000;
constexpr std::uint32_t directory = 0040000;

}  // namespace

bool looks_like_iso(BlockDevice& device) {
    std::array<std::byte, sector_size> sector{};
    if (device.size() < first_descriptor + sector.size() ||
        !device.read(first_descriptor, sector, BlockDevice::Use::metadata)) {
        return false;
    }
    const auto found = parse_descriptor(sector);
    return found || found.error().code != ENOTSUP;
}

Result<std::unique_ptr<Volume>> IsoVolume::open(BlockDevice& device, VolumeReport report) {
    std::unique_ptr<IsoVolume> volume(new IsoVolume(device, std::move(report)));
    PLUGFS_TRY(volume->read_descriptors());
    return std::unique_ptr<Volume>(std::move(volume));
}

Result<void> IsoVolume::read_descriptors() {
    std::optional<Descriptor> primary;
    std::optional<Descriptor> joliet;
    for (unsigned i = 0; i < descriptor_limit; ++i) {
        std::array<std::byte, sector_size> sector{};
        if (!device_.read(first_descriptor + i * sector_size, sector, BlockDevice::Use::metadata)) {
            break;
        }
        auto found = parse_descriptor(sector);
        if (!found && found.error().code == ENOTSUP) {
            break;
        }
        PLUGFS_TRY(found);
        if (found->kind == Descriptor::Kind::end) {
            break;
        }
        auto* const place = found->kind == Descriptor::Kind::primary  ? &primary
                            : found->kind == Descriptor::Kind::joliet ? &joliet
                                                                      : nullptr;
        if (place != nullptr && !*place) {
            *place = std::move(*found);
        }
    }
    if (!primary) {
        return fail(EUCLEAN, "ISO volume descriptors", "there is no primary one");
    }
    info_.type = "ISO 9660";
    info_.label = joliet && !joliet->label.empty() ? joliet->label : shown_name(primary->label);
    block_size_ = primary->block_size;
    size_ = std::min(primary->size, device_.size());
    PLUGFS_ASSIGN(root_, section(primary->root));
    PLUGFS_TRY(find_rock_ridge());
    if (!skip_ && joliet) {
        block_size_ = joliet->block_size;
        joliet_ = true;
        PLUGFS_ASSIGN(root_, section(joliet->root));
    }
    known_[root_.offset] = root_key;
    return {};
}

Result<void> IsoVolume::find_rock_ridge() {
    PLUGFS_ASSIGN(const Record self, record_at(root_.offset));
    skip_ = susp_skip(self.system_use);
    return {};
}

void IsoVolume::damaged(const Error& error) {
    if (!damage_seen_) {
        damage_seen_ = true;
        report_(LogLevel::error, "ISO 9660 volume: damaged: " + error.stage + ": " + error.detail);
        read_only_because_ = "the file system is damaged: " + error.stage + ": " + error.detail;
    }
}

Error IsoVolume::seen(const Error& error) {
    if (error.code == EUCLEAN) {
        damaged(error);
    }
    return error;
}

Result<IsoVolume::Section> IsoVolume::section(const Record& record) const {
    const Section out{std::uint64_t{record.extent} * block_size_, record.size};
    if (out.size != 0 && (out.offset > device_.size() || out.size > device_.size() - out.offset)) {
        return fail(EUCLEAN, "ISO directory record",
                    "its extent at block " + std::to_string(record.extent) + " of " + std::to_string(record.size) +
                        " bytes lies past the end");
    }
    return out;
}

Result<Record> IsoVolume::record_at(std::uint64_t offset) {
    std::array<std::byte, record_limit> bytes{};
    if (offset >= device_.size()) {
        return fail(EUCLEAN, "ISO directory record", "byte " + std::to_string(offset) + " lies past the end");
    }
    const auto part = std::span(bytes).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), device_.size() - offset)));
    PLUGFS_TRY(device_.read(offset, part, BlockDevice::Use::metadata));
    return parse_record(bytes);
}

Result<RockRidge> IsoVolume::rock_ridge(const Record& record) {
    RockRidge out;
    if (!skip_) {
        return out;
    }
    const std::size_t skip = std::min(*skip_, record.system_use.size());
    parse_system_use(std::span(record.system_use).subspan(skip), out);
    for (unsigned i = 0; out.continuation && i < continuation_limit; ++i) {
        const auto more = *out.continuation;
        const std::uint64_t offset = std::uint64_t{more.block} * block_size_ + more.offset;
        if (more.length > sector_size || offset > device_.size() || more.length > device_.size() - offset) {
            return fail(EUCLEAN, "ISO system use", "it goes on at byte " + std::to_string(offset));
        }
        std::vector<std::byte> bytes(more.length);
        PLUGFS_TRY(device_.read(offset, bytes, BlockDevice::Use::metadata));
        parse_system_use(bytes, out);
    }
    return out;
}

// A folder that lies elsewhere, because it would have been too deep: its own first record says how large it is.
Result<IsoVolume::Section> IsoVolume::moved_folder(std::uint32_t block) {
    PLUGFS_ASSIGN(const Record self, record_at(std::uint64_t{block} * block_size_));
    Record there = self;
    there.extent = block;
    if (!self.folder) {
        return fail(EUCLEAN, "ISO system use", "CL leads to block " + std::to_string(block) + ", which is no folder");
    }
    return section(there);
}

Result<IsoVolume::Node> IsoVolume::node_at(std::uint64_t offset) {
    Node out;
    PLUGFS_ASSIGN(const Record first, record_at(offset));
    PLUGFS_ASSIGN(const RockRidge extra, rock_ridge(first));
    out.entry.key = offset;
    out.entry.name =
        extra.name.empty() ? shown_name(identifier_name(first.identifier, joliet_)) : shown_name(extra.name);
    out.entry.kind = first.folder ? Kind::directory : Kind::file;
    out.entry.modified = first.modified;
    const std::uint32_t type = extra.mode & type_mask;
    out.left_out = extra.moved_from_elsewhere || first.interleaved || first.identifier == std::string(1, '\0') ||
                   first.identifier == "\1" || (type != 0 && type != regular && type != directory);
    Record record = first;
    for (unsigned i = 0;; ++i) {
        PLUGFS_ASSIGN(const Section one, section(record));
        out.sections.push_back(one);
        out.entry.size += one.size;
        offset += record.length;
        if (!record.more || first.folder) {
            break;
        }
        if (i == section_limit) {
            return fail(EUCLEAN, "ISO directory record", "a file has too many of them");
        }
        PLUGFS_ASSIGN(record, record_at(offset));
        if (record.identifier != first.identifier) {
            return fail(EUCLEAN, "ISO directory record", "a file does not go on where it says");
        }
    }
    out.next = offset;
    if (extra.moved_to != 0) {
        out.entry.kind = Kind::directory;
        PLUGFS_ASSIGN(out.sections[0], moved_folder(extra.moved_to));
    }
    if (out.entry.kind == Kind::directory) {
        out.entry.size = 0;
    }
    if (out.left_out) {
        return out;
    }
    if (out.entry.name.empty() || out.entry.name == "." || out.entry.name == ".." ||
        out.entry.name.find('/') != std::string::npos) {
        return fail(EUCLEAN, "ISO directory record", "it is named " + quoted(out.entry.name, 60));
    }
    return out;
}

// One folder has one key: otherwise a folder could be within itself.
Result<IsoVolume::Section> IsoVolume::folder(Key key) {
    if (key == root_key) {
        return root_;
    }
    PLUGFS_ASSIGN(const Node found, node_at(key));
    if (found.entry.kind != Kind::directory) {
        return fail(ENOTDIR, "key", std::to_string(key) + " is a file's");
    }
    const Section& out = found.sections[0];
    if (out.size > folder_limit) {
        return fail(EUCLEAN, "ISO directory record", "a folder has " + std::to_string(out.size) + " bytes");
    }
    if (known_.size() < known_limit && known_.emplace(out.offset, key).first->second != key) {
        return fail(EUCLEAN, "ISO directory record", "its folder is another one, too");
    }
    return out;
}

Result<Listing> IsoVolume::list(Key key, std::uint64_t cursor) {
    const auto found = folder(key);
    if (!found) {
        return seen(found.error());
    }
    Listing out;
    std::uint64_t at = found->offset + std::min(cursor, found->size);
    const std::uint64_t end = found->offset + found->size;
    for (unsigned steps = 0; at < end && steps < step_limit && out.entries.size() < part_limit; ++steps) {
        std::array<std::byte, 1> length{};
        PLUGFS_TRY(device_.read(at, length, BlockDevice::Use::metadata));
        if (length[0] == std::byte{}) {
            at = sector_end(*found, at);  // no record goes on in the next sector
            continue;
        }
        auto node = node_at(at);
        if (!node) {
            if (node.error().code != EUCLEAN) {
                return node.error();
            }
            damaged(node.error());
            const auto record = record_at(at);
            at = record ? at + record->length : sector_end(*found, at);
            continue;
        }
        at = node->next;
        if (!node->left_out) {
            out.entries.push_back(std::move(node->entry));
        }
    }
    out.next = at < end ? at - found->offset : 0;
    return out;
}

Result<std::size_t> IsoVolume::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    if (file == root_key) {
        return fail(EISDIR, "key", "it is the root folder's");
    }
    const auto found = node_at(file);
    if (!found) {
        return seen(found.error());
    }
    if (found->entry.kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(file) + " is a folder's");
    }
    std::size_t done = 0;
    for (const Section& section : found->sections) {
        if (offset >= section.size) {
            offset -= section.size;
            continue;
        }
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(section.size - offset, out.size() - done));
        PLUGFS_TRY(device_.read(section.offset + offset, out.subspan(done, length), BlockDevice::Use::data));
        done += length;
        offset = 0;
        if (done == out.size()) {
            break;
        }
    }
    return done;
}

Result<Entry> IsoVolume::flush(Key file) {
    if (file == root_key) {
        return fail(EISDIR, "key", "it is the root folder's");
    }
    auto found = node_at(file);
    return found ? Result<Entry>(std::move(found->entry)) : Result<Entry>(seen(found.error()));
}

}  // namespace plugfs::storage::iso
