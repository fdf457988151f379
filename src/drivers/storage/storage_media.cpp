// StorageDriver: media that come and go, images that are written to, and what a person is told.

#include "drivers/storage/storage_driver.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

using Clock = Deadline::Clock;

constexpr std::chrono::milliseconds look_interval{2000};
constexpr std::size_t note_limit = 400;

}  // namespace

std::vector<Key> StorageDriver::keys_of(const Drive& drive) const {
    std::vector<Key> keys;
    for (const auto& [number, place] : volumes_) {
        if (place.drive == &drive) {
            keys.push_back(whole_key(number, root_key));
        }
    }
    for (const auto& image : drive.images()) {
        keys.push_back(image_key(drive.number(), image.number));
    }
    return keys;
}

void StorageDriver::goes_on_elsewhere() {
    if (!host_.may_go_on_as(ntfs_alternative)) {
        return;
    }
    for (const auto& drive : drives_) {
        const auto& images = drive->images();
        if (std::any_of(images.begin(), images.end(),
                        [](const Drive::Image& image) { return image.foreign == ntfs_type; })) {
            host_.go_on_as(ntfs_alternative);
            return;
        }
    }
}

// What is in the drive is other than before.
void StorageDriver::media_changed(Drive& drive, std::vector<Key> before) {
    number_volumes(drive);
    library_->media_changed();
    playlists_->media_changed();
    for (const Key key : before) {
        host_.removed(key);
    }
    host_.list_again(root_key);
    host_.list_again(storage_folder);
    update_note();
    describe();
}

void StorageDriver::medium_gone(Drive& drive) {
    if (!drive.loaded()) {
        return;
    }
    host_.log(LogLevel::info, "the medium was taken out");
    auto before = keys_of(drive);
    drive.unload();
    media_changed(drive, std::move(before));
}

void StorageDriver::look_for_media() {
    if (Clock::now() < next_look_ || host_.somebody_waits()) {
        return;
    }
    next_look_ = Clock::now() + look_interval;
    for (auto& drive : drives_) {
        if (!drive->unit().identity().removable) {
            continue;
        }
        if (drive->loaded()) {
            if (const auto there = drive->unit().check(); !there && there.error().code == ENOMEDIUM) {
                medium_gone(*drive);
            }
            continue;
        }
        const auto loaded = drive->load();
        if (!loaded && loaded.error().code != ENODEV) {
            host_.log(LogLevel::debug, loaded.error().text());
        }
        if (loaded && *loaded) {
            host_.log(LogLevel::info, "a medium was put in");
            goes_on_elsewhere();
            media_changed(*drive, {});
        }
    }
}

Result<void> StorageDriver::write_image(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_ASSIGN(const auto place, image_of(file));
    if (host_.option("raw_write") == 0) {
        return fail(EROFS, "raw write", "images are written to only with -o raw_write");
    }
    if (offset > place.image.size || bytes.size() > place.image.size - offset) {
        return fail(ENOSPC, "raw write", "the image has " + std::to_string(place.image.size) + " bytes");
    }
    Drive& drive = *place.drive;
    if (!drive.raw()) {
        std::vector<Key> volumes = keys_of(drive);
        std::erase_if(volumes, [](Key key) { return key >> volume_shift == 0; });
        PLUGFS_TRY(drive.begin_raw());
        media_changed(drive, std::move(volumes));
    }
    PLUGFS_TRY(drive.cache().write(place.image.offset + offset, bytes, BlockDevice::Use::data));
    return drive.cache().commit();
}

Result<Entry> StorageDriver::flush_image(Key file) {
    PLUGFS_ASSIGN(const auto place, image_of(file));
    const Entry entry = image_entry(*place.drive, place.image);
    if (place.drive->raw()) {
        std::vector<Key> before = keys_of(*place.drive);
        PLUGFS_TRY(place.drive->end_raw());
        // Images that are still there go on as they are.
        const auto after = keys_of(*place.drive);
        std::erase_if(before, [&after](Key key) { return std::find(after.begin(), after.end(), key) != after.end(); });
        media_changed(*place.drive, std::move(before));
    }
    return entry;
}

// An image has the content of the volumes in it: who has read it is told to look again.
void StorageDriver::images_changed() {
    if (!images_read_ || !changed_since_then_) {
        changed_since_then_ = false;
        return;
    }
    images_read_ = changed_since_then_ = false;
    for (const auto& drive : drives_) {
        for (const auto& image : drive->images()) {
            host_.changed(image_entry(*drive, image));
        }
    }
}

void StorageDriver::update_note() {
    std::string text;
    const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
    for (const auto& drive : drives_) {
        if (!drive->lost().empty()) {
            add(drive->lost());
        }
        if (!drive->loaded()) {
            continue;
        }
        if (drive->cache().failure()) {
            add("read-only: " + drive->cache().failure()->text());
            continue;
        }
        for (const auto& image : drive->images()) {
            if (image.foreign == ntfs_type && !host_.may_go_on_as(ntfs_alternative)) {
                add((image.number == 0 ? "the medium" : "partition " + std::to_string(image.number)) +
                    std::string(" has NTFS, which needs plugfs-storage-ntfs to be installed"));
            }
        }
        for (const auto& mounted : drive->volumes()) {
            if (const auto& why = mounted->volume->read_only_because(); !why.empty()) {
                add(quoted(mounted->folder, 60) + " is read-only: " + why);
            }
        }
    }
    text.resize(std::min(text.size(), note_limit));
    if (text != note_) {
        note_ = text;
        host_.note(text);
    }
}

}  // namespace plugfs::storage
