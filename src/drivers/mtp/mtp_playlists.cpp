// MtpDriver: what playlists need of it, and who is asked to write what.

#include "drivers/mtp/mtp_driver.h"

#include <algorithm>
#include <charconv>

namespace plugfs::mtp {

namespace {

constexpr std::uint16_t read_write = 0;  // AccessCapability, PTP 5.5.3

// Playlists are written by one, everything else by another.
class WriterSwitch : public Writer {
  public:
    WriterSwitch(Writer& objects, Writer& playlists) : objects_(objects), playlists_(playlists) {}

    Result<Entry> create(Key folder, const std::string& name, Kind kind) override {
        return (folder == playlists_key ? playlists_ : objects_).create(folder, name, kind);
    }
    Result<void> remove(Key entry) override { return writer(entry).remove(entry); }
    Result<Entry> rename(Key entry, Key folder, const std::string& name, std::optional<Key> replaced) override {
        if (folder == playlists_key && !is_playlist(entry)) {
            return fail(EXDEV, "rename", "a playlist is a list of tracks, not a file: it can be copied");
        }
        return writer(entry).rename(entry, folder, name, replaced);
    }
    Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) override {
        return writer(file).write(file, offset, bytes);
    }
    Result<void> resize(Key file, std::uint64_t size) override { return writer(file).resize(file, size); }
    Result<Entry> flush(Key file) override { return writer(file).flush(file); }
    Result<Entry> copy(Key source, Key file) override {
        return is_playlist(source) || is_playlist(file) ? fail(ENOTSUP, "copy") : objects_.copy(source, file);
    }
    Result<Entry> set_modified(Key entry, std::int64_t seconds) override {
        return writer(entry).set_modified(entry, seconds);
    }

  private:
    Writer& writer(Key key) { return is_playlist(key) ? playlists_ : objects_; }

    Writer& objects_;
    Writer& playlists_;
};

}  // namespace

void MtpDriver::set_up_playlists() {
    Playlists::Access access;
    access.alone = [this](const std::function<Result<void>()>& operation) { return attempt_alone(operation); };
    access.info = [this](std::uint32_t handle) { return attempt_alone([&] { return lister_->info(handle); }); };
    access.track = [this](std::uint32_t handle) { return playlist_track(handle); };
    access.handle = [this](const std::string& path) -> Result<std::uint32_t> {
        PLUGFS_ASSIGN(const auto object, object_at(path));
        return object.handle;
    };
    access.make = [this](const std::string& filename) { return make_playlist(filename); };
    access.remove = [this](std::uint32_t handle) -> Result<void> {
        PLUGFS_TRY(change([&] { return sender_->remove(handle); }));
        object_removed(handle);
        return {};
    };
    access.rename = [this](std::uint32_t handle, const std::string& filename) -> Result<void> {
        PLUGFS_TRY(change([&] { return sender_->rename(handle, filename); }));
        object_changed(handle);
        return {};
    };
    playlists_ = std::make_unique<Playlists>(*session_, host_, std::move(access));
    Writer& objects = *this;
    writer_ = std::make_unique<WriterSwitch>(objects, *playlists_);
}

library::PlaylistTrack MtpDriver::playlist_track(std::uint32_t handle) {
    library::PlaylistTrack track{path_of(handle)};
    if (track.path.empty()) {
        return track;
    }
    // The same words whoever asks, and whatever is known by chance: a successor knows the file by its size.
    const auto* object = lister_->lists_media() ? catalogue_.find_handle(handle) : nullptr;
    auto media = object != nullptr ? object->media : nullptr;
    if (media == nullptr) {
        const auto asked = attempt_alone([&] { return lister_->media(handle); });
        media = asked ? *asked : nullptr;
    }
    const auto text = [&media](std::uint16_t property) {
        const auto found = media != nullptr ? media->find(property) : MediaProperties::const_iterator();
        return media != nullptr && found != media->end() ? attribute_text(property, found->second) : std::string();
    };
    const std::string artist = text(object_property::artist);
    const std::string title = text(object_property::name);
    track.title = artist.empty() || title.empty() ? title : artist + " - " + title;
    std::uint64_t milliseconds = 0;
    const std::string duration = text(object_property::duration);
    const auto [end, error] = std::from_chars(duration.data(), duration.data() + duration.size(), milliseconds);
    if (error == std::errc() && end == duration.data() + duration.size()) {
        track.seconds = (milliseconds / 1000) + (milliseconds % 1000 >= 500 ? 1 : 0);
    }
    return track;
}

Result<std::uint32_t> MtpDriver::make_playlist(const std::string& filename) {
    const auto& storages = storages_->list();
    const auto storage = std::find_if(storages.begin(), storages.end(),
                                      [](const auto& each) { return each.info.access_capability == read_write; });
    if (storage == storages.end()) {
        return fail(EROFS, "playlist", "there is no storage that can be written to");
    }
    NewObject object;
    object.storage = storage->id;
    object.object_format = format::abstract_audio_video_playlist;
    object.filename = filename;
    Key folder = storage_key(storage->id);
    if (const auto home = object_at("../storage/" + storage->name() + "/Playlists"); home && home->directory) {
        folder = home->key;
        object.parent = home->handle;
    }
    const auto made = change(
        [&] { return sender_->send(object, [] { return [](std::span<std::byte>) { return Result<void>(); }; }); });
    if (!made) {
        return made.error();
    }
    if (const Key key = catalogue_.take_in(folder, *made, 0); key != 0) {
        host_.added(folder, entry_for(key, *made));
    }
    return made->handle;
}

}  // namespace plugfs::mtp
