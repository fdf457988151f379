// ExtVolume: entries, their inodes, and the maps of these.

#include "drivers/storage/ext/ext_volume.h"
#include "drivers/storage/ext/indirect_map.h"
#include "drivers/storage/text/shown_name.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint32_t slot_unit = 4;  // entries lie at multiples of it
constexpr std::size_t map_limit = 64;
constexpr std::size_t run_limit = std::size_t{1} << 20U;  // in all maps that are kept

bool has_extra(const Inode& inode, std::size_t end_of_field) {
    return EXT2_GOOD_OLD_INODE_SIZE + std::size_t{inode.i_extra_isize} >= end_of_field;
}

std::int64_t modified_of(const Inode& inode) {
    std::int64_t seconds = static_cast<std::int32_t>(inode.i_mtime);
    if (has_extra(inode, offsetof(Inode, i_mtime_extra) + 4)) {
        seconds += static_cast<std::int64_t>(inode.i_mtime_extra & 3U) << 32U;
    }
    return seconds;
}

}  // namespace

Result<Inode> ExtVolume::entry_inode(InodeNumber number) {
    const auto* const super = library_->fs()->super;
    if (number < EXT2_FIRST_INODE(super) || number > super->s_inodes_count) {
        return fail(EUCLEAN, "ext folder", "an entry is of inode " + std::to_string(number));
    }
    PLUGFS_ASSIGN(const Inode inode, library_->inode(number));
    if (inode.i_links_count == 0) {
        return fail(EUCLEAN, "ext folder", "an entry is of inode " + std::to_string(number) + ", which is free");
    }
    return inode;
}

bool ExtVolume::served(const Inode& inode) {
    return (LINUX_S_ISREG(inode.i_mode) || LINUX_S_ISDIR(inode.i_mode)) && (inode.i_flags & EXT4_ENCRYPT_FL) == 0;
}

Result<ExtVolume::Node> ExtVolume::node_of(Folder& folder, const RawEntry& raw, std::uint32_t block_offset) {
    Node out;
    out.folder = &folder;
    out.offset = block_offset + raw.offset;
    out.name = std::string(raw.name);
    out.number = raw.inode;
    if (!valid_name(out.name)) {
        return fail(EUCLEAN, "ext folder", "an entry is named " + quoted(out.name, 60));
    }
    PLUGFS_ASSIGN(out.inode, entry_inode(raw.inode));
    if (!served(out.inode)) {
        return fail(ENOTSUP, "ext inode", std::to_string(raw.inode) + " is no file and no folder");
    }
    out.kind = LINUX_S_ISDIR(out.inode.i_mode) ? Kind::directory : Kind::file;
    if (out.kind == Kind::file && EXT2_I_SIZE(&out.inode) > file_limit(out.inode)) {
        return fail(EUCLEAN, "ext inode",
                    "i_size of " + std::to_string(raw.inode) + " is " + std::to_string(EXT2_I_SIZE(&out.inode)));
    }
    return out;
}

Result<ExtVolume::Node> ExtVolume::node(Key key) {
    PLUGFS_ASSIGN(const auto place, folders_.find(key));
    PLUGFS_ASSIGN(const Open opened, open(*place.folder));
    const std::uint32_t offset = place.slot * slot_unit;
    const std::uint32_t size = library_->block_size();
    if (offset / size >= blocks(opened).count()) {
        return fail(ESTALE, "key", std::to_string(key) + " is of nothing that is there");
    }
    PLUGFS_ASSIGN(const auto bytes, blocks(opened).read(offset / size));
    PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
    const RawEntry* const raw = entry_at(entries, offset % size);
    if (raw == nullptr || raw->inode == 0) {
        return fail(ESTALE, "key", std::to_string(key) + " is of nothing that is there");
    }
    return node_of(*place.folder, *raw, offset - offset % size);
}

Result<ExtVolume::Node> ExtVolume::file_to_change(Key key) {
    PLUGFS_ASSIGN(Node found, node(key));
    if (found.kind == Kind::directory) {
        return fail(EISDIR, "key", std::to_string(key) + " is a folder's");
    }
    if ((found.inode.i_flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL | EXT4_VERITY_FL)) != 0) {
        return fail(EPERM, "file", "it is marked as not to be changed (i_flags)");
    }
    return found;
}

Result<Folder*> ExtVolume::folder(Key key) {
    if (Folder* known = folders_.by_key(key); known != nullptr) {
        return known;
    }
    PLUGFS_ASSIGN(const Node found, node(key));
    if (found.kind != Kind::directory) {
        return fail(ENOTDIR, "key", std::to_string(key) + " is a file's");
    }
    if (folders_.by_first_cluster(found.number) != nullptr) {
        return fail(EUCLEAN, "ext folder", "inode " + std::to_string(found.number) + " is another folder's, too");
    }
    Content content;
    content.first_cluster = found.number;
    return folders_.add(key, *found.folder, content);
}

Entry ExtVolume::entry(const Node& node) {
    Entry out;
    out.key = Folders::key(*node.folder, node.offset / slot_unit);
    out.name = shown_name(node.name);
    out.kind = node.kind;
    out.size = node.kind == Kind::file ? EXT2_I_SIZE(&node.inode) : 0;
    out.modified = modified_of(node.inode);
    return out;
}

Result<ExtVolume::Open> ExtVolume::open(const Folder& folder) {
    Open out;
    out.number = number_of(folder);
    PLUGFS_ASSIGN(out.inode, library_->inode(out.number));
    if (!LINUX_S_ISDIR(out.inode.i_mode)) {
        return fail(EUCLEAN, "ext folder", "inode " + std::to_string(out.number) + " is no folder");
    }
    PLUGFS_ASSIGN(out.map, map(out.number, out.inode));
    PLUGFS_TRY(blocks(out).check());
    return out;
}

Result<BlockMap*> ExtVolume::map(InodeNumber number, const Inode& inode) {
    const auto known =
        std::find_if(maps_.begin(), maps_.end(), [number](const KnownMap& one) { return one.number == number; });
    if (known != maps_.end()) {
        maps_.splice(maps_.begin(), maps_, known);
        return maps_.front().map.get();
    }
    PLUGFS_ASSIGN(auto loaded, BlockMap::load(*library_, number, inode));
    maps_.push_front({number, std::make_unique<BlockMap>(std::move(loaded))});
    std::size_t runs = 0;
    std::size_t count = 0;
    for (auto at = maps_.begin(); at != maps_.end();) {
        runs += at->map->runs().size();
        // Two are in use at the same time, a file's and its folder's.
        at = ++count > 4 && (count > map_limit || runs > run_limit) ? maps_.erase(at) : std::next(at);
    }
    return maps_.front().map.get();
}

void ExtVolume::forget_map(InodeNumber number) {
    maps_.remove_if([number](const KnownMap& one) { return one.number == number; });
}

std::uint64_t ExtVolume::file_limit(const Inode& inode) const {
    const std::uint64_t size = library_->block_size();
    const bool extents = (inode.i_flags & EXT4_EXTENTS_FL) != 0;
    return (extents ? std::uint64_t{UINT32_MAX} : IndirectMap::block_limit(library_->block_size())) * size;
}

void ExtVolume::set_times(Inode& inode, std::int64_t seconds) const {
    const bool wide = has_extra(inode, offsetof(Inode, i_mtime_extra) + 4);
    const std::int64_t last = wide ? (std::int64_t{3} << 32U) + INT32_MAX : INT32_MAX;
    const auto split = [&](std::int64_t time, std::uint32_t& low, std::uint32_t& extra) {
        time = std::clamp<std::int64_t>(time, INT32_MIN, last);
        low = static_cast<std::uint32_t>(time);
        if (wide) {
            extra = static_cast<std::uint32_t>((time - static_cast<std::int32_t>(low)) >> 32U) & 3U;
        }
    };
    split(seconds, inode.i_mtime, inode.i_mtime_extra);
    split(now(), inode.i_ctime, inode.i_ctime_extra);
}

}  // namespace plugfs::storage::ext
