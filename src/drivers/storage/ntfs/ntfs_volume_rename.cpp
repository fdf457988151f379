// NtfsVolume: entries get another name, another folder, or take the place of another one.

#include "drivers/storage/ntfs/ntfs_volume.h"
#include "drivers/storage/text/utf16.h"

namespace plugfs::storage::ntfs {

namespace {

constexpr unsigned depth_limit = 4096;

}  // namespace

Result<Entry> NtfsVolume::rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_TRY(health_.check_writable());
    return changed(do_rename(entry, folder, name, replaced));
}

// Whether the folder with `record` is that with the record `folder`, or lies in it.
Result<bool> NtfsVolume::within(std::uint64_t record, std::uint64_t folder) {
    for (unsigned depth = 0; depth < depth_limit; ++depth) {
        if (record == folder || record == FILE_root) {
            return record == folder;
        }
        PLUGFS_ASSIGN(const OpenInode inode, library_->inode(record));
        PLUGFS_ASSIGN(const AttributeSearch search, library_->search(inode.get()));
        library_->begin();
        if (ntfs_attr_lookup(AT_FILE_NAME, AT_UNNAMED, 0, CASE_SENSITIVE, 0, nullptr, 0, search.get()) != 0) {
            return library_->error("NTFS folder", std::to_string(record));
        }
        const auto* const name = reinterpret_cast<const FILE_NAME_ATTR*>(reinterpret_cast<const char*>(search->attr) +
                                                                         search->attr->value_offset);
        record = MREF(name->parent_directory);
    }
    return fail(EUCLEAN, "NTFS folder", std::to_string(record) + " lies too deep, or in itself");
}

Result<void> NtfsVolume::check_replaced(const Node& source, const Node& target) {
    if (source.kind != target.kind) {
        return fail(target.kind == Kind::directory ? EISDIR : ENOTDIR, "rename", "a file and a folder");
    }
    if (target.kind == Kind::directory) {
        PLUGFS_ASSIGN(const auto names, names_in(target.record));
        if (!names.empty()) {
            return fail(ENOTEMPTY, "folder", "it has " + quoted(to_utf8(names.front().name), 60));
        }
    }
    return {};
}

Result<Entry> NtfsVolume::do_rename(Key key, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_ASSIGN(const Node source, node(key));
    PLUGFS_ASSIGN(const std::uint64_t target, folder_record(folder));
    if (source.kind == Kind::directory) {
        PLUGFS_ASSIGN(const bool inside, within(target, source.record));
        if (inside) {
            return fail(EINVAL, "rename", "a folder cannot be moved into itself");
        }
    }
    std::optional<Node> victim;
    std::u16string text;
    if (replaced) {
        PLUGFS_ASSIGN(victim, node(*replaced));
        PLUGFS_TRY(check_replaced(source, *victim));
    }
    if (victim && to_utf8(victim->name) == name) {
        text = victim->name;  // whatever others have put in it
    } else {
        PLUGFS_ASSIGN(text, new_name(name));
    }
    if (source.folder == target && source.name == text) {
        return entry(source);
    }
    if (!victim) {
        PLUGFS_ASSIGN(const OpenInode opened, open_folder(target));
        PLUGFS_ASSIGN(const auto taken, find(opened, text));
        // Its own name may get another case.
        if (taken && (MREF(*taken) != source.record || source.folder != target)) {
            return fail(EEXIST, "name", quoted(name));
        }
    }
    PLUGFS_TRY(begin());
    if (victim) {
        PLUGFS_TRY(take_away(*victim));
    }
    if (!victim || victim->record != source.record) {
        PLUGFS_TRY(add_name(source, target, text));
        PLUGFS_TRY(take_away(source));
    }
    PLUGFS_TRY(conclude());
    const Key made = keys_.make(source.record, source.sequence, target, text);
    return look(victim && victim->record == source.record ? key : made);
}

// Staged.
Result<void> NtfsVolume::add_name(const Node& node, std::uint64_t target, const std::u16string& name) {
    PLUGFS_ASSIGN(OpenInode folder, open_folder(target));
    PLUGFS_ASSIGN(OpenInode inode, library_->inode(node.record));
    library_->begin();
    if (ntfs_link(inode.get(), folder.get(), units(name), static_cast<u8>(name.size())) != 0) {
        return library_->error("NTFS rename");
    }
    set_times(folder.get(), now());
    // The folder first: the inode looks for itself there.
    if (!folder.close() || !inode.close()) {
        return library_->error("NTFS rename");
    }
    return {};
}

}  // namespace plugfs::storage::ntfs
