// ExtVolume: files and folders are made and removed.

#include "drivers/storage/ext/ext_volume.h"
#include "drivers/storage/ext/extent_tree.h"
#include "drivers/storage/text/utf16.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint16_t link_limit = 65000;

}  // namespace

Result<Entry> ExtVolume::create(Key folder, const std::string& name, Kind kind) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_create(folder, name, kind));
}

Result<void> ExtVolume::remove(Key entry) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_remove(entry));
}

// Whose it is and who may what with it follows the folder that it is made in: the user is nobody whom the medium knows.
Result<Inode> ExtVolume::new_inode(const Inode& parent, Kind kind) const {
    auto* const super = library_->fs()->super;
    Inode out{};
    const unsigned permissions = parent.i_mode & 07777U;
    out.i_mode = static_cast<std::uint16_t>(kind == Kind::directory ? LINUX_S_IFDIR | permissions
                                                                    : LINUX_S_IFREG | (permissions & 0666U));
    out.i_uid = parent.i_uid;
    out.i_gid = parent.i_gid;
    out.osd2.linux2.l_i_uid_high = parent.osd2.linux2.l_i_uid_high;
    out.osd2.linux2.l_i_gid_high = parent.osd2.linux2.l_i_gid_high;
    out.i_links_count = kind == Kind::directory ? 2 : 1;
    if (EXT2_INODE_SIZE(super) > EXT2_GOOD_OLD_INODE_SIZE) {
        out.i_extra_isize = sizeof out - EXT2_GOOD_OLD_INODE_SIZE;
    }
    if (ext2fs_has_feature_extents(super) != 0) {
        out.i_flags |= EXT4_EXTENTS_FL;
        ExtentTree::make_empty(out);
    }
    set_times(out, now());
    out.i_atime = out.i_mtime;
    out.i_atime_extra = out.i_mtime_extra;
    out.i_crtime = out.i_mtime;
    out.i_crtime_extra = out.i_mtime_extra;
    return out;
}

// A new folder has a block with the two entries that every folder has. As long as that is not there, its inode is on
// the medium as one that has been removed: the block's checksum is made with what is in it.
Result<void> ExtVolume::fill_folder(InodeNumber number, Inode& inode, InodeNumber parent) {
    PLUGFS_ASSIGN(const BlockRow row, allocator_.take(allocator_.goal_for(number), 1));
    PLUGFS_ASSIGN(BlockMap map, BlockMap::load(*library_, number, inode));
    const Run run{0, row.first, 1, false};
    PLUGFS_ASSIGN(const MapChange change, map.add(*library_, allocator_, number, inode, {&run, 1}));
    inode.i_size = library_->block_size();
    Inode removed = inode;
    removed.i_links_count = 0;
    removed.i_dtime = removed.i_ctime;
    PLUGFS_TRY(library_->store_new(number, removed));
    const FolderBlocks all(*library_, number, inode, map);
    auto bytes = all.first_block(parent);
    return all.write(0, bytes);
}

Result<void> ExtVolume::check_subfolder(const Folder& folder) {
    PLUGFS_ASSIGN(const Inode inode, library_->inode(number_of(folder)));
    const bool many = ext2fs_has_feature_dir_nlink(library_->fs()->super) != 0;
    return inode.i_links_count < link_limit || many
               ? Result<void>()
               : fail(EMLINK, "folder", "it has " + std::to_string(inode.i_links_count) + " links");
}

Result<Entry> ExtVolume::do_create(Key key, const std::string& name, Kind kind) {
    PLUGFS_ASSIGN(Folder * parent, folder(key));
    if (!valid_name(name) || !is_utf8(name)) {
        return fail(name.size() > 255 ? ENAMETOOLONG : EINVAL, "name", quoted(name));
    }
    PLUGFS_TRY(load_index(*parent));
    Node made;
    PLUGFS_ASSIGN(const bool taken, find(*parent, name, made.offset));
    if (taken) {
        return fail(EEXIST, "name", quoted(name));
    }
    PLUGFS_ASSIGN(const Open opened, open(*parent));
    if (kind == Kind::directory) {
        PLUGFS_TRY(check_subfolder(*parent));
    }
    PLUGFS_TRY(allocator_.check_room(2 + opened.map->nodes_for(1, library_->block_size())));
    PLUGFS_ASSIGN(made.number, allocator_.take_inode(opened.number, kind == Kind::directory));
    PLUGFS_TRY(begin());
    PLUGFS_ASSIGN(made.inode, new_inode(opened.inode, kind));
    forget_map(made.number);
    if (kind == Kind::directory) {
        PLUGFS_TRY(fill_folder(made.number, made.inode, opened.number));
    }
    PLUGFS_TRY(allocator_.write_out());
    device().order();
    // insert() has a barrier between these and what makes the entry seen.
    PLUGFS_TRY(library_->store_new(made.number, made.inode));
    PLUGFS_TRY(touch_folder(*parent, kind == Kind::directory ? 1 : 0));
    made.folder = parent;
    made.name = name;
    made.kind = kind;
    PLUGFS_ASSIGN(made.offset, insert(*parent, made.number, name, kind));
    return entry(made);
}

// One that several inodes may share: it goes with the last of them.
Result<void> ExtVolume::drop_attributes(const Inode& inode, InodeNumber number) {
    const blk64_t block = ext2fs_file_acl_block(library_->fs(), reinterpret_cast<const ext2_inode*>(&inode));
    if (block == 0) {
        return {};
    }
    if (!library_->usable(block, 1)) {
        return fail(EUCLEAN, "ext inode", "i_file_acl of " + std::to_string(number) + " is " + std::to_string(block));
    }
    std::uint32_t left = 0;
    PLUGFS_TRY(library_->result(ext2fs_adjust_ea_refcount3(library_->fs(), block, nullptr, -1, &left, number),
                                "ext attributes"));
    return left == 0 ? allocator_.give_back({block, 1}) : Result<void>();
}

// A name of the inode has gone; with the last one goes the inode.
Result<void> ExtVolume::drop(InodeNumber number, Kind kind) {
    PLUGFS_ASSIGN(Inode inode, library_->inode(number));
    set_times(inode, static_cast<std::int32_t>(inode.i_mtime));
    if (kind == Kind::file && inode.i_links_count > 1) {
        --inode.i_links_count;
        return library_->store(number, inode);
    }
    PLUGFS_ASSIGN(const BlockMap* known, map(number, inode));
    const auto rows = known->all_blocks();
    inode.i_links_count = 0;
    inode.i_dtime = inode.i_ctime;
    PLUGFS_TRY(library_->store(number, inode));
    device().order();
    for (const BlockRow& row : rows) {
        PLUGFS_TRY(allocator_.give_back(row));
    }
    PLUGFS_TRY(drop_attributes(inode, number));
    PLUGFS_TRY(allocator_.give_back_inode(number, kind == Kind::directory));
    forget_map(number);
    return allocator_.write_out();
}

Result<void> ExtVolume::do_remove(Key key) {
    PLUGFS_ASSIGN(const Node gone, node(key));
    if ((gone.inode.i_flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL)) != 0) {
        return fail(EPERM, "remove", "it is marked as not to be changed (i_flags)");
    }
    Folder* own = nullptr;
    if (gone.kind == Kind::directory) {
        PLUGFS_ASSIGN(own, folder(key));
        PLUGFS_TRY(check_empty(*own));
    }
    PLUGFS_TRY(map(gone.number, gone.inode));  // it can be read
    PLUGFS_TRY(allocator_.check_room(0));      // and so can the bitmaps
    PLUGFS_TRY(begin());
    PLUGFS_TRY(erase(gone));
    device().order();
    PLUGFS_TRY(touch_folder(*gone.folder, gone.kind == Kind::directory ? -1 : 0));
    if (own != nullptr) {
        gaps_.erase(own->id);
        folders_.removed(*own);
    }
    return drop(gone.number, gone.kind);
}

}  // namespace plugfs::storage::ext
