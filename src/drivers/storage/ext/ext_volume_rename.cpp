// ExtVolume: entries get another name, another folder, or take the place of another one.

#include "drivers/storage/ext/ext_volume.h"
#include "drivers/storage/text/utf16.h"

namespace plugfs::storage::ext {

namespace {

constexpr std::uint16_t link_limit = 65000;
constexpr std::uint32_t slot_unit = 4;

}  // namespace

Result<Entry> ExtVolume::rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_TRY(health_.check_writable());
    return finish(do_rename(entry, folder, name, replaced));
}

Result<Entry> ExtVolume::do_rename(Key key, Key target_key, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_ASSIGN(Node source, node(key));
    PLUGFS_ASSIGN(Folder * target, folder(target_key));
    if ((source.inode.i_flags & (EXT2_IMMUTABLE_FL | EXT2_APPEND_FL)) != 0) {
        return fail(EPERM, "rename", "it is marked as not to be changed (i_flags)");
    }
    const Folder* moving = source.kind == Kind::directory ? folders_.by_key(key) : nullptr;
    if (moving != nullptr && folders_.within(*target, *moving)) {
        return fail(EINVAL, "rename", "a folder cannot be moved into itself");
    }
    if (source.kind == Kind::file && source.inode.i_links_count >= link_limit) {
        return fail(EMLINK, "rename", "the file has too many names");
    }
    PLUGFS_TRY(allocator_.check_room(0));
    if (replaced) {
        PLUGFS_ASSIGN(Node victim, node(*replaced));
        return replace(source, victim);
    }
    if (!valid_name(name) || !is_utf8(name)) {
        return fail(name.size() > 255 ? ENAMETOOLONG : EINVAL, "name", quoted(name));
    }
    PLUGFS_TRY(load_index(*target));
    std::uint32_t offset = 0;
    PLUGFS_ASSIGN(const bool taken, find(*target, name, offset));
    if (taken && (target != source.folder || offset != source.offset)) {
        return fail(EEXIST, "name", quoted(name));
    }
    if (taken) {
        return entry(source);
    }
    PLUGFS_ASSIGN(const Open opened, open(*target));
    PLUGFS_TRY(allocator_.check_room(1 + opened.map->nodes_for(1, library_->block_size())));
    if (source.kind == Kind::directory && source.folder != target) {
        PLUGFS_TRY(check_subfolder(*target));
    }
    PLUGFS_TRY(begin());
    return move(source, *target, name);
}

// For a moment the file has a name more: it must not be taken for one that goes with its last one.
Result<void> ExtVolume::add_links(InodeNumber number, int count) {
    PLUGFS_ASSIGN(Inode inode, library_->inode(number));
    inode.i_links_count = static_cast<std::uint16_t>(inode.i_links_count + count);
    return library_->store(number, inode);
}

// The folder's ".." says so.
Result<void> ExtVolume::set_parent(InodeNumber number, const Folder& parent) {
    PLUGFS_ASSIGN(const Inode inode, library_->inode(number));
    PLUGFS_ASSIGN(const BlockMap* known, map(number, inode));
    const FolderBlocks all(*library_, number, inode, *known);
    PLUGFS_ASSIGN(const auto bytes, all.read(0));
    PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
    if (entries.size() < 2 || entries[1].name != "..") {
        return fail(EUCLEAN, "ext folder", "inode " + std::to_string(number) + " has no \"..\"");
    }
    return all.refer(0, entries[1].offset, number_of(parent));
}

Result<Entry> ExtVolume::move(Node& source, Folder& target, const std::string& name) {
    const bool is_folder = source.kind == Kind::directory;
    const bool other_parent = is_folder && source.folder != &target;
    Folder* const own = is_folder ? folders_.by_key(Folders::key(*source.folder, source.offset / slot_unit)) : nullptr;
    if (!is_folder) {
        PLUGFS_TRY(add_links(source.number, 1));
    }
    PLUGFS_TRY(touch_folder(target, other_parent ? 1 : 0));
    Node moved = source;
    moved.folder = &target;
    moved.name = name;
    PLUGFS_ASSIGN(moved.offset, insert(target, source.number, name, source.kind));
    device().order();
    if (other_parent) {
        PLUGFS_TRY(set_parent(source.number, target));
    }
    PLUGFS_TRY(erase(source));
    device().order();
    if (source.folder != &target) {
        PLUGFS_TRY(touch_folder(*source.folder, is_folder ? -1 : 0));
    }
    if (!is_folder) {
        PLUGFS_TRY(add_links(source.number, -1));
    }
    if (own != nullptr) {
        folders_.moved(*own, Folders::key(target, moved.offset / slot_unit), target);
    }
    return entry(moved);
}

// The other's entry becomes one of this inode: at no moment has nobody the name.
Result<Entry> ExtVolume::replace(Node& source, Node& target) {
    if (source.folder == target.folder && source.offset == target.offset) {
        return entry(target);
    }
    if (source.kind != target.kind) {
        return fail(target.kind == Kind::directory ? EISDIR : ENOTDIR, "rename", "a file and a folder");
    }
    const bool is_folder = source.kind == Kind::directory;
    Folder* victim = nullptr;
    Folder* own = nullptr;
    if (is_folder) {
        PLUGFS_ASSIGN(victim, folder(Folders::key(*target.folder, target.offset / slot_unit)));
        PLUGFS_TRY(check_empty(*victim));
        own = folders_.by_key(Folders::key(*source.folder, source.offset / slot_unit));
    }
    PLUGFS_TRY(map(target.number, target.inode));
    PLUGFS_ASSIGN(const Open opened, open(*target.folder));
    PLUGFS_TRY(begin());
    if (!is_folder) {
        PLUGFS_TRY(add_links(source.number, 1));
        device().order();
    }
    const std::uint32_t size = library_->block_size();
    PLUGFS_TRY(blocks(opened).refer(target.offset / size, target.offset % size, source.number));
    device().order();
    if (is_folder && source.folder != target.folder) {
        PLUGFS_TRY(set_parent(source.number, *target.folder));
    }
    PLUGFS_TRY(erase(source));
    Folders::retire(*target.folder, target.offset / slot_unit);
    device().order();
    PLUGFS_TRY(touch_folder(*target.folder, 0));
    // The victim's ".." has gone, and in another folder the source's has come for it.
    PLUGFS_TRY(touch_folder(*source.folder, is_folder ? -1 : 0));
    if (!is_folder) {
        PLUGFS_TRY(add_links(source.number, -1));
    }
    Node result = target;
    result.number = source.number;
    PLUGFS_ASSIGN(result.inode, library_->inode(source.number));
    if (victim != nullptr) {
        gaps_.erase(victim->id);
        folders_.removed(*victim);
    }
    if (own != nullptr) {
        folders_.moved(*own, Folders::key(*target.folder, target.offset / slot_unit), *target.folder);
    }
    PLUGFS_TRY(drop(target.number, target.kind));
    return entry(result);
}

}  // namespace plugfs::storage::ext
