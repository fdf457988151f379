// ExtVolume: reading, and what every operation needs.

#include "drivers/storage/ext/ext_volume.h"

#include <algorithm>
#include <ctime>

namespace plugfs::storage::ext {

namespace {

constexpr std::size_t part_limit = 256;  // entries of one list() call
constexpr unsigned block_limit = 64;     // blocks of a folder that it looks at

// What a folder is known by in Folders is its inode.
Folder root_folder() {
    Folder root;
    root.content.first_cluster = EXT2_ROOT_INO;
    return root;
}

}  // namespace

ExtVolume::ExtVolume(std::unique_ptr<Library> library, SuperBlock super, const VolumeOptions& options,
                     VolumeReport report)
    : library_(std::move(library)),
      allocator_(*library_),
      folders_(root_folder()),
      health_(super.type, std::move(super.read_only_because), std::move(report)),
      options_(options),
      marked_(super.marked && options.mark_is_ours && health_.writable()) {
    info_.type = super.type;
    info_.label = super.label;
    info_.serial = super.uuid;
    info_.marked_by_predecessor = marked_;
    info_.marked_by_others = super.marked && !marked_;
}

// An operation that had begun to write may have left in memory what is not on the medium, and the other way round.
Error ExtVolume::failed(const Error& error) {
    if (changing_) {
        changing_ = false;
        keep_mark_ = true;
        maps_.clear();
        folders_.forget_indexes();
        gaps_.clear();
        if (const auto again = library_->reopen(); !again) {
            health_.damaged(again.error().stage + ": " + again.error().detail);
        }
        allocator_.forget();
    }
    return health_.seen(error);
}

// Before the first write of each operation.
Result<void> ExtVolume::begin() {
    changing_ = true;
    if (!marked_) {
        library_->fs()->super->s_state &= static_cast<std::uint16_t>(~EXT2_VALID_FS);
        PLUGFS_TRY(library_->store_super_block());
        device().order();
        marked_ = true;
    }
    return {};
}

std::int64_t ExtVolume::now() const {
    return options_.now ? options_.now() : std::time(nullptr);
}

Result<Space> ExtVolume::space() {
    const std::uint64_t size = library_->block_size();
    return Space{library_->block_count() * size, allocator_.available() * size};
}

Result<Listing> ExtVolume::list(Key key, std::uint64_t cursor) {
    const auto found = folder(key);
    if (!found) {
        return health_.seen(found.error());
    }
    const auto opened = open(**found);
    if (!opened) {
        return health_.seen(opened.error());
    }
    const auto all = blocks(*opened);
    const std::uint32_t size = library_->block_size();
    if (cursor > FolderBlocks::size_limit) {
        return fail(ESTALE, "cursor", std::to_string(cursor));
    }
    Listing out;
    std::uint32_t from = static_cast<std::uint32_t>(cursor % size);
    std::uint32_t index = static_cast<std::uint32_t>(cursor / size);
    for (unsigned steps = 0; index < all.count() && steps < block_limit && out.entries.size() < part_limit;
         ++index, ++steps, from = 0) {
        const auto bytes = all.read(index);
        if (!bytes) {
            if (bytes.error().code != EUCLEAN) {
                return bytes.error();
            }
            (void)health_.seen(bytes.error());
            continue;  // the other blocks are served
        }
        list_block(**found, *bytes, index * size, from, out);
    }
    out.next = index < all.count() ? std::uint64_t{index} * size : 0;
    return out;
}

void ExtVolume::list_block(Folder& folder, std::span<const std::byte> bytes, std::uint32_t block_offset,
                           std::uint32_t from, Listing& out) {
    const auto entries = parse_folder_block(bytes);
    if (!entries) {
        (void)health_.seen(entries.error());
        return;
    }
    for (const RawEntry& raw : *entries) {
        if (raw.offset < from || raw.inode == 0 || raw.name == "." || raw.name == "..") {
            continue;
        }
        const auto node = node_of(folder, raw, block_offset);
        if (node) {
            out.entries.push_back(entry(*node));
        } else if (node.error().code == ENOTSUP) {
            left_out(std::string(raw.name));
        } else {
            (void)health_.seen(node.error());
        }
    }
}

void ExtVolume::left_out(const std::string& name) {
    if (!left_out_seen_) {
        left_out_seen_ = true;
        health_.report(LogLevel::info,
                       "links, devices, and what is encrypted, are left out; " + quoted(name, 60) + " is the first");
    }
}

Result<std::size_t> ExtVolume::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    const auto found = node(file);
    if (!found) {
        return health_.seen(found.error());
    }
    if (found->kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(file) + " is a folder's");
    }
    const std::uint64_t size = EXT2_I_SIZE(&found->inode);
    if (offset >= size) {
        return std::size_t{0};
    }
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset)));
    const auto known = map(found->number, found->inode);
    if (!known) {
        return health_.seen(known.error());
    }
    const std::uint64_t block_size = library_->block_size();
    for (std::size_t done = 0; done < out.size();) {
        const std::uint64_t at = offset + done;
        const Run run = (*known)->at(at / block_size);
        const std::uint64_t within = at % block_size;
        const std::uint64_t blocks_left = std::min(run.count, out.size() / block_size + 2);
        const auto part =
            out.subspan(done, std::min<std::uint64_t>(out.size() - done, blocks_left * block_size - within));
        if (run.physical == 0 || run.unwritten) {
            std::fill(part.begin(), part.end(), std::byte{});
        } else {
            PLUGFS_TRY(device().read(run.physical * block_size + within, part, BlockDevice::Use::data));
        }
        done += part.size();
    }
    return out.size();
}

Result<Entry> ExtVolume::look(Key key) {
    const auto found = node(key);
    return found ? Result<Entry>(entry(*found)) : Result<Entry>(health_.seen(found.error()));
}

Result<std::uint64_t> ExtVolume::place(Key key) {
    PLUGFS_ASSIGN(const Node found, node(key));
    PLUGFS_ASSIGN(const Open opened, open(*found.folder));
    const std::uint64_t size = library_->block_size();
    return opened.map->at(found.offset / size).physical * size + found.offset % size;
}

Result<Entry> ExtVolume::flush(Key file) {
    const auto found = node(file);
    if (!found) {
        return health_.seen(found.error());
    }
    if (device().writable()) {
        PLUGFS_TRY(device().flush());
    }
    return entry(*found);
}

Result<Entry> ExtVolume::set_modified(Key key, std::int64_t seconds) {
    PLUGFS_TRY(health_.check_writable());
    return finish([&]() -> Result<Entry> {
        PLUGFS_ASSIGN(Node found, node(key));
        PLUGFS_TRY(begin());
        set_times(found.inode, seconds);
        PLUGFS_TRY(library_->store(found.number, found.inode));
        return entry(found);
    }());
}

Result<void> ExtVolume::settle() {
    if (!device().writable()) {
        return {};
    }
    if (marked_ && health_.writable() && !keep_mark_) {
        PLUGFS_TRY(device().flush());
        auto* const super = library_->fs()->super;
        super->s_state |= EXT2_VALID_FS;
        if (auto stored = library_->store_super_block(); !stored) {
            super->s_state &= static_cast<std::uint16_t>(~EXT2_VALID_FS);
            return stored;
        }
        marked_ = false;
    }
    return device().flush();
}

}  // namespace plugfs::storage::ext
