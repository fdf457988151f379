#include "drivers/mtp/playlists.h"

#include "drivers/mtp/outgoing_datasets.h"
#include "drivers/mtp/playlist_names.h"
#include "drivers/mtp/spool_notes.h"

#include <algorithm>
#include <ctime>

namespace plugfs::mtp {

namespace {

constexpr std::size_t playlist_limit = 10'000;
constexpr std::size_t array_limit = std::size_t{4} << 20U;
constexpr std::chrono::milliseconds part_time{20};

}  // namespace

std::vector<std::byte> encode_playlist_note(const std::string& name) {
    ByteWriter note;
    note.u8(playlist_note);
    put_text(note, name);
    return std::move(note).take();
}

std::optional<std::string> decode_playlist_note(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    if (reader.u8() != playlist_note) {
        return std::nullopt;
    }
    std::string name = take_text(reader);
    const bool valid = reader.ok() && reader.remaining() == 0 && !name.empty() && utf16_length(name);
    return valid ? std::optional(std::move(name)) : std::nullopt;
}

bool Playlists::possible(const DeviceInfo& info) {
    const auto& formats = info.image_formats;
    return info.supports(operation::get_object_references) &&
           std::find(formats.begin(), formats.end(), format::abstract_audio_video_playlist) != formats.end();
}

Playlists::Playlists(Session& session, Host& host, Access access)
    : session_(session), host_(host), access_(std::move(access)) {
    for (const Spool::Id id : host_.spool().files()) {
        const auto note = host_.spool().note(id);
        const auto name = note ? decode_playlist_note(*note) : std::nullopt;
        if (name && find_name(*name) == nullptr) {
            add(*name).spool = id;
        }
    }
}

Playlists::Playlist& Playlists::add(const std::string& name) {
    const Key key = ++last_key_;
    auto& playlist = playlists_[key];
    playlist.key = key;
    playlist.name = name;
    return playlist;
}

Result<Playlists::Playlist*> Playlists::find(Key key) {
    const auto found = playlists_.find(key);
    return found != playlists_.end() ? Result<Playlist*>(&found->second)
                                     : fail(ESTALE, "playlist", "it is not there any more");
}

Playlists::Playlist* Playlists::find_name(const std::string& name) {
    const auto found = std::find_if(playlists_.begin(), playlists_.end(),
                                    [&name](const auto& item) { return item.second.name == name; });
    return found != playlists_.end() ? &found->second : nullptr;
}

void Playlists::forget_handles() {
    for (auto& [key, playlist] : playlists_) {
        playlist.handle = 0;
    }
    ++listing_;
    to_list_.clear();
}

bool Playlists::concerns(std::uint32_t handle) const {
    return std::any_of(playlists_.begin(), playlists_.end(),
                       [handle](const auto& item) { return item.second.handle == handle; });
}

Result<std::vector<std::uint32_t>> Playlists::handles() {
    std::vector<std::uint32_t> found;
    PLUGFS_TRY(access_.alone([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset,
                      session_.dataset(operation::get_object_handles,
                                       {all_storages, format::abstract_audio_video_playlist, 0}, array_limit));
        PLUGFS_ASSIGN(found, parse_handles("GetObjectHandles", dataset));
        return {};
    }));
    found.resize(std::min(found.size(), playlist_limit));
    return found;
}

Result<std::vector<std::uint32_t>> Playlists::references_of(std::uint32_t handle) {
    std::vector<std::uint32_t> references;
    PLUGFS_TRY(access_.alone([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_references, {handle}, array_limit));
        PLUGFS_ASSIGN(references, parse_handles("GetObjectReferences", dataset));
        return {};
    }));
    references.resize(std::min(references.size(), library::playlist_track_limit));
    return references;
}

Result<std::string> Playlists::text_of(std::uint32_t handle) {
    PLUGFS_ASSIGN(const auto references, references_of(handle));
    std::vector<library::PlaylistTrack> tracks;
    for (const std::uint32_t reference : references) {
        if (auto track = access_.track(reference); !track.path.empty()) {
            tracks.push_back(std::move(track));
        }
    }
    return library::write_playlist(tracks);
}

Result<std::optional<Entry>> Playlists::look_at(std::uint32_t handle) {
    const auto info = access_.info(handle);
    if (!info) {
        return info.error().code == ENODEV ? Result<std::optional<Entry>>(info.error()) : std::optional<Entry>();
    }
    auto text = text_of(handle);
    if (!text) {
        host_.log(LogLevel::warning, "playlist " + quoted(info->filename) + ": " + text.error().text());
        return text.error().code == ENODEV ? Result<std::optional<Entry>>(text.error()) : std::optional<Entry>();
    }
    const std::string name = playlist_file_name(info->filename);
    Playlist* playlist = find_name(name);
    if (playlist == nullptr || (playlist->handle != 0 && playlist->handle != handle)) {
        playlist = &add(name);
    }
    playlist->handle = handle;
    playlist->text = std::move(*text);
    playlist->modified = info->modified ? info->modified : info->created;
    playlist->listing = listing_;
    PLUGFS_ASSIGN(auto made, entry(*playlist));
    return std::optional(std::move(made));
}

Result<Listing> Playlists::list(std::uint64_t cursor) {
    if (cursor == 0) {
        ++listing_;
        PLUGFS_ASSIGN(to_list_, handles());
    }
    std::size_t at = cursor == 0 ? 0 : static_cast<std::size_t>(cursor - 1);
    if (at > to_list_.size()) {
        return fail(ESTALE, "list", "that listing was forgotten");
    }
    Listing listing;
    const auto deadline = Deadline::after(part_time);
    const std::uint64_t number = listing_;
    for (bool first = true; at < to_list_.size() && (first || !deadline.expired()); ++at, first = false) {
        PLUGFS_ASSIGN(auto found, look_at(to_list_[at]));
        if (listing_ != number) {
            return fail(ESTALE, "list", "a new session was opened");
        }
        if (found) {
            listing.entries.push_back(std::move(*found));
        }
    }
    if (at < to_list_.size()) {
        listing.next = at + 1;
        return listing;
    }
    for (auto item = playlists_.begin(); item != playlists_.end();) {
        Playlist& playlist = item->second;
        if (playlist.listing != listing_ && playlist.spool) {
            PLUGFS_ASSIGN(auto draft, entry(playlist));
            listing.entries.push_back(std::move(draft));
        } else if (playlist.listing != listing_) {
            item = playlists_.erase(item);
            continue;
        }
        ++item;
    }
    return listing;
}

Result<Entry> Playlists::entry(const Playlist& playlist) const {
    std::uint64_t size = playlist.text.size();
    if (playlist.spool) {
        PLUGFS_ASSIGN(size, host_.spool().size(*playlist.spool));
    }
    return Entry{.key = playlist.key, .name = playlist.name, .size = size, .modified = playlist.modified};
}

Result<std::size_t> Playlists::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    PLUGFS_ASSIGN(const auto* playlist, find(file));
    if (playlist->spool) {
        return host_.spool().read(*playlist->spool, offset, out);
    }
    const auto text = std::as_bytes(std::span(playlist->text));
    const auto part = text.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size())));
    const std::size_t count = std::min(part.size(), out.size());
    std::copy_n(part.begin(), count, out.begin());
    return count;
}

}  // namespace plugfs::mtp
