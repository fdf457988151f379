// NtfsVolume: files and folders are made and removed.

#include "drivers/storage/ntfs/ntfs_volume.h"

#include <sys/stat.h>

namespace plugfs::storage::ntfs {

Result<Entry> NtfsVolume::create(Key folder, const std::string& name, Kind kind) {
    PLUGFS_TRY(health_.check_writable());
    return changed(do_create(folder, name, kind));
}

Result<void> NtfsVolume::remove(Key entry) {
    PLUGFS_TRY(health_.check_writable());
    return changed(do_remove(entry));
}

// What has that name in the folder, whatever its case, DOS names as well.
Result<std::optional<MFT_REF>> NtfsVolume::find(const OpenInode& folder, const std::u16string& name) {
    ntfs_volume* const volume = library_->volume();
    library_->begin();
    NVolClearCaseSensitive(volume);
    const std::uint64_t found = ntfs_inode_lookup_by_name(folder.get(), units(name), static_cast<int>(name.size()));
    NVolSetCaseSensitive(volume);
    if (found != UINT64_MAX) {
        return std::optional<MFT_REF>(found);
    }
    return errno == ENOENT && !library_->channel().failure
               ? Result<std::optional<MFT_REF>>(std::optional<MFT_REF>())
               : Result<std::optional<MFT_REF>>(library_->error("NTFS folder"));
}

void NtfsVolume::set_times(ntfs_inode* inode, std::int64_t modified) {
    const auto as_time = [](std::int64_t seconds) {
        constexpr std::int64_t first = -11'644'473'600;  // 1601
        constexpr std::int64_t last = 900'000'000'000;   // what fits
        return timespec2ntfs({std::clamp(seconds, first, last), 0});
    };
    inode->last_data_change_time = as_time(modified);
    inode->last_mft_change_time = options_.now ? as_time(now()) : ntfs_current_time();
    NInoFileNameSetDirty(inode);
    NInoSetDirty(inode);
}

Result<Entry> NtfsVolume::do_create(Key key, const std::string& name, Kind kind) {
    PLUGFS_ASSIGN(const std::u16string text, new_name(name));
    PLUGFS_ASSIGN(const std::uint64_t record, folder_record(key));
    Node made;
    {
        PLUGFS_ASSIGN(OpenInode folder, open_folder(record));
        PLUGFS_ASSIGN(const auto taken, find(folder, text));
        if (taken) {
            return fail(EEXIST, "name", quoted(name));
        }
        PLUGFS_TRY(begin());
        library_->begin();
        const mode_t type = kind == Kind::directory ? S_IFDIR : S_IFREG;
        OpenInode inode(ntfs_create(folder.get(), le32{}, units(text), static_cast<u8>(text.size()), type));
        if (inode.get() == nullptr) {
            return library_->error("NTFS create");
        }
        set_times(inode.get(), now());
        if (!options_.now) {
            inode->last_data_change_time = inode->last_mft_change_time;
        }
        set_times(folder.get(), now());
        PLUGFS_ASSIGN(made, node_of(inode, record, &text, 0));
        if (!inode.close_in(folder) || !folder.close()) {
            return library_->error("NTFS create");
        }
    }
    PLUGFS_TRY(conclude());
    return entry(made);
}

// The name goes, and with the last one what it is of. Staged.
Result<void> NtfsVolume::take_away(const Node& node) {
    PLUGFS_ASSIGN(OpenInode folder, open_folder(node.folder));
    PLUGFS_ASSIGN(OpenInode inode, library_->inode(node.record));
    library_->begin();
    // It closes both.
    if (ntfs_delete(library_->volume(), nullptr, inode.release(), folder.release(), units(node.name),
                    static_cast<u8>(node.name.size())) != 0) {
        return errno == ENOTEMPTY ? fail(ENOTEMPTY, "folder", "it is not empty") : library_->error("NTFS remove");
    }
    return {};
}

Result<void> NtfsVolume::do_remove(Key key) {
    PLUGFS_ASSIGN(const Node gone, node(key));
    if (gone.kind == Kind::file && gone.names == 1) {
        PLUGFS_TRY(shorten(key, 0));
    }
    PLUGFS_TRY(begin());
    PLUGFS_TRY(take_away(gone));
    return conclude();
}

}  // namespace plugfs::storage::ntfs
