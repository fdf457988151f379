// StorageDriver: writing; each call goes to the volume that its key says, or to an image.

#include "drivers/storage/storage_driver.h"

namespace plugfs::storage {

namespace {

bool is_root_of_volume(Key key) {
    return within_volume(key) == root_key;
}

}  // namespace

Result<Entry> StorageDriver::concluded_entry(Place place, Key of, Result<Entry> result) {
    auto done = concluded(place, std::move(result), true);
    if (done) {
        done->key = whole_key(volume_of(of), done->key);
        music_changed(place, of, &*done);
    }
    return done;
}

Result<Entry> StorageDriver::create(Key folder, const std::string& name, Kind kind) {
    if (folder == playlists_folder) {
        return playlists_->create(name, kind);
    }
    PLUGFS_ASSIGN(const auto place, place_of(folder));
    return concluded_entry(place, folder, place.mounted->volume->create(within_volume(folder), name, kind));
}

Result<void> StorageDriver::remove(Key entry) {
    if (is_playlist(entry)) {
        return playlists_->remove(entry);
    }
    PLUGFS_ASSIGN(const auto place, place_of(entry));
    if (is_root_of_volume(entry)) {
        return fail(EPERM, "remove", "it is a volume");
    }
    music_changed(place, entry, nullptr);
    return concluded(place, place.mounted->volume->remove(within_volume(entry)), true);
}

Result<Entry> StorageDriver::rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) {
    if (is_playlist(entry) || folder == playlists_folder) {
        return playlists_->rename(entry, folder, name, replaced);
    }
    PLUGFS_ASSIGN(const auto place, place_of(entry));
    if (is_root_of_volume(entry)) {
        return fail(EPERM, "rename", "it is a volume");
    }
    PLUGFS_TRY(place_of(folder));
    if (volume_of(folder) != volume_of(entry)) {
        return fail(EXDEV, "rename", "to another volume");
    }
    music_changed(place, entry, nullptr);
    if (replaced) {
        music_changed(place, *replaced, nullptr);
        replaced = within_volume(*replaced);
    }
    return concluded_entry(place, entry,
                           place.mounted->volume->rename(within_volume(entry), within_volume(folder), name, replaced));
}

Result<void> StorageDriver::write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    if (is_playlist(file)) {
        return playlists_->write(file, offset, bytes);
    }
    if (volume_of(file) == 0) {
        return write_image(file, offset, bytes);
    }
    PLUGFS_ASSIGN(const auto place, place_of(file));
    music_changed(place, file, nullptr);
    return concluded(place, place.mounted->volume->write(within_volume(file), offset, bytes), true);
}

Result<void> StorageDriver::resize(Key file, std::uint64_t size) {
    if (is_playlist(file)) {
        return playlists_->resize(file, size);
    }
    if (volume_of(file) != 0) {
        PLUGFS_ASSIGN(const auto place, place_of(file));
        music_changed(place, file, nullptr);
        return concluded(place, place.mounted->volume->resize(within_volume(file), size), true);
    }
    // `> disk.img` and dd truncate first: it stays as long as it is.
    PLUGFS_ASSIGN(const auto place, image_of(file));
    if (host_.option("raw_write") == 0) {
        return fail(EROFS, "raw write", "images are written to only with -o raw_write");
    }
    return size == 0 || size == place.image.size ? Result<void>()
                                                 : fail(EPERM, "raw write", "an image is as long as it is");
}

Result<Entry> StorageDriver::flush(Key file) {
    if (is_playlist(file)) {
        return playlists_->flush(file);
    }
    if (volume_of(file) == 0) {
        return flush_image(file);
    }
    PLUGFS_ASSIGN(const auto place, place_of(file));
    auto flushed = concluded(place, place.mounted->volume->flush(within_volume(file)), false);
    if (flushed) {
        flushed->key = whole_key(volume_of(file), flushed->key);
        playlists_->file_changed(file, &*flushed);
    }
    return flushed;
}

Result<Entry> StorageDriver::set_modified(Key entry, std::int64_t seconds) {
    if (volume_of(entry) == 0) {
        return fail(ENOTSUP, "time");
    }
    PLUGFS_ASSIGN(const auto place, place_of(entry));
    if (is_root_of_volume(entry)) {
        return fail(ENOTSUP, "time");
    }
    return concluded_entry(place, entry, place.mounted->volume->set_modified(within_volume(entry), seconds));
}

}  // namespace plugfs::storage
