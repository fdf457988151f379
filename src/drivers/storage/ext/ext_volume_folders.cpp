// ExtVolume: entries in their folder: where there is room, and how they get there.

#include "drivers/storage/ext/ext_volume.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint32_t slot_unit = 4;
constexpr std::uint16_t link_limit = 65000;

std::uint64_t hash_of(std::string_view name) {
    return std::hash<std::string_view>{}(name);
}

}  // namespace

void ExtVolume::index_gap(const Folder& folder, std::uint32_t block, const std::vector<RawEntry>& entries) {
    std::uint32_t most = 0;
    for (const RawEntry& entry : entries) {
        most = std::max(most, entry.gap());
    }
    gaps_[folder.id][block] = static_cast<std::uint16_t>(std::min<std::uint32_t>(most, UINT16_MAX));
}

Result<void> ExtVolume::load_index(Folder& folder) {
    if (folder.index != nullptr) {
        folders_.index_used(folder);
        return {};
    }
    PLUGFS_ASSIGN(const Open opened, open(folder));
    const auto all = blocks(opened);
    const std::uint32_t size = library_->block_size();
    auto index = std::make_unique<NameIndex>(all.count() * (size / slot_unit), size / slot_unit);
    gaps_[folder.id].assign(all.count(), 0);
    for (std::uint32_t i = 0; i < all.count(); ++i) {
        PLUGFS_ASSIGN(const auto bytes, all.read(i));
        PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
        for (const RawEntry& entry : entries) {
            if (entry.inode != 0) {
                index->add_name(hash_of(entry.name), (i * size + entry.offset) / slot_unit);
            }
        }
        index_gap(folder, i, entries);
    }
    folder.index = std::move(index);
    folders_.index_used(folder);
    return {};
}

// Whether there is an entry with this name, shown or not.
Result<bool> ExtVolume::find(Folder& folder, const std::string& name, std::uint32_t& offset) {
    PLUGFS_ASSIGN(const Open opened, open(folder));
    const std::uint32_t size = library_->block_size();
    Result<void> result;
    const bool found = folder.index->find_name(hash_of(name), [&](std::uint32_t slot) {
        const std::uint32_t at = slot * slot_unit;
        const auto bytes = blocks(opened).read(at / size);
        const auto entries = bytes ? parse_folder_block(*bytes) : Result<std::vector<RawEntry>>(bytes.error());
        if (!entries) {
            result = entries.error();
            return true;
        }
        const RawEntry* const entry = entry_at(*entries, at % size);
        offset = at;
        return entry != nullptr && entry->inode != 0 && entry->name == name;
    });
    return result ? Result<bool>(found) : Result<bool>(result.error());
}

// Without regard to the index that it may have: that is dropped, and Linux makes a new one when it checks the volume.
Result<void> ExtVolume::drop_index(Open& folder) {
    if ((folder.inode.i_flags & EXT2_INDEX_FL) == 0) {
        return {};
    }
    folder.inode.i_flags &= ~static_cast<std::uint32_t>(EXT2_INDEX_FL);
    PLUGFS_TRY(library_->store(folder.number, folder.inode));
    device().order();
    return blocks(folder).drop_index();
}

Result<void> ExtVolume::grow(Open& folder) {
    const std::uint32_t index = blocks(folder).count();
    if (EXT2_I_SIZE(&folder.inode) + library_->block_size() > FolderBlocks::size_limit) {
        return fail(ENOSPC, "ext folder", "it cannot have more entries");
    }
    PLUGFS_ASSIGN(const auto taken, take_missing(*folder.map, folder.number, index, index));
    auto bytes = blocks(folder).empty_block();
    PLUGFS_TRY(blocks(folder).set_checksum(bytes));
    for (const Run& run : taken) {
        PLUGFS_TRY(library_->write_block(run.physical, bytes));
    }
    PLUGFS_ASSIGN(const MapChange change, folder.map->add(*library_, allocator_, folder.number, folder.inode, taken));
    folder.inode.i_size += library_->block_size();
    return apply(change, folder.number, folder.inode, Order::inode_last);
}

// Returns where in the folder the entry is. There is none with this name, and its index has been loaded.
Result<std::uint32_t> ExtVolume::insert(Folder& folder, InodeNumber number, const std::string& name, Kind kind) {
    PLUGFS_ASSIGN(Open opened, open(folder));
    const bool indexed = (opened.inode.i_flags & EXT2_INDEX_FL) != 0;
    PLUGFS_TRY(drop_index(opened));
    if (indexed) {
        folder.index.reset();
        PLUGFS_TRY(load_index(folder));
    }
    auto& gaps = gaps_[folder.id];
    const std::uint32_t needed = RawEntry::size_for(name.size());
    const auto room = std::find_if(gaps.begin(), gaps.end(), [needed](std::uint16_t gap) { return gap >= needed; });
    const auto index = static_cast<std::uint32_t>(room - gaps.begin());
    const std::uint32_t size = library_->block_size();
    if (room == gaps.end()) {
        PLUGFS_TRY(grow(opened));
        gaps.push_back(0);
        folder.index->grow(blocks(opened).count() * (size / slot_unit));
    }
    PLUGFS_ASSIGN(const std::uint32_t at, blocks(opened).insert(index, number, name, kind));
    PLUGFS_ASSIGN(const auto bytes, blocks(opened).read(index));
    PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
    index_gap(folder, index, entries);
    folder.index->add_name(hash_of(name), (index * size + at) / slot_unit);
    return index * size + at;
}

Result<void> ExtVolume::erase(const Node& node) {
    PLUGFS_ASSIGN(const Open opened, open(*node.folder));
    const std::uint32_t size = library_->block_size();
    const std::uint32_t index = node.offset / size;
    PLUGFS_TRY(blocks(opened).erase(index, node.offset % size));
    if (node.folder->index != nullptr) {
        PLUGFS_ASSIGN(const auto bytes, blocks(opened).read(index));
        PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
        index_gap(*node.folder, index, entries);
        node.folder->index->remove_name(hash_of(node.name), node.offset / slot_unit);
    }
    Folders::retire(*node.folder, node.offset / slot_unit);
    return {};
}

Result<void> ExtVolume::check_empty(Folder& folder) {
    PLUGFS_ASSIGN(const Open opened, open(folder));
    const auto all = blocks(opened);
    for (std::uint32_t i = 0; i < all.count(); ++i) {
        PLUGFS_ASSIGN(const auto bytes, all.read(i));
        PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
        for (const RawEntry& entry : entries) {
            if (entry.inode != 0 && entry.name != "." && entry.name != "..") {
                return fail(ENOTEMPTY, "folder", "it has " + quoted(entry.name, 60));
            }
        }
    }
    return {};
}

// The folder has been changed now, and has so many subfolders more; each is a link to it.
Result<void> ExtVolume::touch_folder(const Folder& folder, int subfolders) {
    PLUGFS_ASSIGN(Inode inode, library_->inode(number_of(folder)));
    set_times(inode, now());
    // 1 says that there have been too many to be counted (dir_nlink).
    if (subfolders > 0 && inode.i_links_count != 1) {
        inode.i_links_count =
            inode.i_links_count >= link_limit ? 1 : static_cast<std::uint16_t>(inode.i_links_count + 1);
    } else if (subfolders < 0 && inode.i_links_count > 2) {
        --inode.i_links_count;
    }
    return library_->store(number_of(folder), inode);
}

}  // namespace plugfs::storage::ext
