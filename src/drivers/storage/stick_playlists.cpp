// StickPlaylists: what is there, and how it is shown.

#include "drivers/storage/stick_playlists.h"

#include "drivers/storage/storage_keys.h"
#include "library/playlist.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::string_view ending = ".m3u8";
constexpr std::string_view note_start = "playlist ";
constexpr std::size_t candidate_limit = 2000;
constexpr std::chrono::milliseconds part_time{20};

}  // namespace

StickPlaylists::StickPlaylists(Host& host, Access access) : host_(host), access_(std::move(access)) {
    for (const Spool::Id id : host_.spool().files()) {
        const auto note = host_.spool().note(id);
        if (!note) {
            continue;
        }
        const std::string text(reinterpret_cast<const char*>(note->data()), note->size());
        const std::string name = text.starts_with(note_start) ? text.substr(note_start.size()) : std::string();
        if (!name.empty() && find_name(name) == nullptr) {
            add(name).draft = id;
        }
    }
}

std::optional<ServedVolume> StickPlaylists::volume(unsigned number) const {
    for (auto& each : access_.volumes()) {
        if (each.number == number) {
            return each;
        }
    }
    return std::nullopt;
}

StickPlaylists::Playlist& StickPlaylists::add(const std::string& name) {
    const Key key = (Key{1} << playlist_shift) | ++last_;
    auto& playlist = playlists_[key];
    playlist.key = key;
    playlist.name = name;
    return playlist;
}

Result<StickPlaylists::Playlist*> StickPlaylists::find(Key key) {
    const auto found = playlists_.find(key);
    return found != playlists_.end() ? Result<Playlist*>(&found->second)
                                     : fail(ESTALE, "playlist", "it is not there any more");
}

StickPlaylists::Playlist* StickPlaylists::find_name(const std::string& name) {
    const auto found = std::find_if(playlists_.begin(), playlists_.end(),
                                    [&name](const auto& item) { return item.second.name == name; });
    return found != playlists_.end() ? &found->second : nullptr;
}

StickPlaylists::Playlist* StickPlaylists::find_source(const Source& source) {
    const auto found = std::find_if(playlists_.begin(), playlists_.end(), [&source](const auto& item) {
        const auto& other = item.second.source;
        return other && other->volume == source.volume && other->key == source.key && other->name == source.name;
    });
    return found != playlists_.end() ? &found->second : nullptr;
}

std::vector<std::string> StickPlaylists::usual_folders() const {
    const auto player = host_.player();
    if (player && !player->playlist_folders.empty()) {
        return player->playlist_folders;
    }
    return {"Playlists", "Playlist", "Music/Playlists", "Music", ""};
}

PathFinder* StickPlaylists::finder_for(unsigned number) {
    if (const auto known = finders_.find(number); known != finders_.end()) {
        return &known->second;
    }
    const auto served = volume(number);
    return served ? &finders_.emplace(number, PathFinder(*served->volume)).first->second : nullptr;
}

void StickPlaylists::look_into(const ServedVolume& volume, PathFinder& finder, const std::string& folder) {
    const auto found = finder.find(folder);
    if (!found || found->entry.kind != Kind::directory) {
        return;
    }
    const auto entries = finder.list(found->entry.key);
    if (!entries) {
        return;
    }
    for (const auto& [name, entry] : **entries) {
        const Source source{volume.number, entry.key, found->path, entry.name};
        const bool known = std::any_of(candidates_.begin(), candidates_.end(), [&source](const auto& other) {
            return other.source.volume == source.volume && other.source.key == source.key;
        });
        if (entry.kind == Kind::file && entry.size <= library::playlist_size_limit && entry.name.front() != '.' &&
            library::playlist_format(entry.name) && !known && candidates_.size() < candidate_limit) {
            candidates_.push_back({source, entry});
        }
    }
}

void StickPlaylists::look_for_candidates() {
    candidates_.clear();
    finders_.clear();
    for (const auto& volume : access_.volumes()) {
        PathFinder* finder = finder_for(volume.number);
        for (const auto& folder : usual_folders()) {
            look_into(volume, *finder, folder);
        }
    }
}

Result<std::string> StickPlaylists::content_of(const ServedVolume& volume, const Entry& entry) {
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(entry.size, library::playlist_size_limit)), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const auto out = std::as_writable_bytes(std::span(text)).subspan(done);
        PLUGFS_ASSIGN(const auto got, volume.volume->read(entry.key, done, out));
        if (got == 0) {
            break;
        }
        done += got;
    }
    text.resize(done);
    return text;
}

// Paths are shown as the names are on the medium; what is not there, or no path in the volume, as the playlist has it.
Result<std::string> StickPlaylists::text_of(const Source& source, const Entry& entry) {
    const auto served = volume(source.volume);
    PathFinder* finder = finder_for(source.volume);
    if (!served || finder == nullptr) {
        return fail(ENOENT, "playlist", "its medium is not there any more");
    }
    PLUGFS_ASSIGN(const auto content, content_of(*served, entry));
    const auto show = [&](const std::string& line) -> Result<std::optional<std::string>> {
        const auto path = library::path_on_volume(source.folder, line);
        if (!path) {
            return std::optional(line);
        }
        const auto found = finder->find(*path);
        if (!found && found.error().code == ENODEV) {
            return found.error();
        }
        return std::optional("../storage/" + served->folder + "/" + (found ? found->path : *path));
    };
    if (library::playlist_format(source.name) == library::PlaylistFormat::pls) {
        PLUGFS_ASSIGN(const auto as_m3u, library::m3u_of_pls(content));
        return library::map_playlist(as_m3u, show);
    }
    return library::map_playlist(content, show);
}

std::optional<Entry> StickPlaylists::look_at(const Candidate& candidate) {
    auto text = text_of(candidate.source, candidate.entry);
    if (!text) {
        host_.log(LogLevel::warning, "playlist " + quoted(candidate.source.name) + ": " + text.error().text());
        return std::nullopt;
    }
    const std::string name = std::string(library::playlist_stem(candidate.source.name)) + std::string(ending);
    Playlist* playlist = find_source(candidate.source);
    if (playlist == nullptr) {
        // What a predecessor has left of it, if there is such a thing.
        playlist = find_name(name);
        playlist = playlist != nullptr && playlist->draft && !playlist->source ? playlist : &add(name);
    }
    playlist->source = candidate.source;
    playlist->text = std::move(*text);
    playlist->modified = candidate.entry.modified;
    playlist->listing = listing_;
    auto made = entry(*playlist);
    return made ? std::optional(std::move(*made)) : std::nullopt;
}

Result<Listing> StickPlaylists::list(std::uint64_t cursor) {
    if (cursor == 0) {
        ++listing_;
        look_for_candidates();
    }
    std::size_t at = cursor == 0 ? 0 : static_cast<std::size_t>(cursor - 1);
    if (at > candidates_.size() || (cursor != 0 && finders_.empty())) {
        return fail(ESTALE, "list", "that listing was forgotten");
    }
    Listing listing;
    const auto deadline = Deadline::after(part_time);
    for (bool first = true; at < candidates_.size() && (first || !deadline.expired()); ++at, first = false) {
        if (auto found = look_at(candidates_[at])) {
            listing.entries.push_back(std::move(*found));
        }
    }
    if (at < candidates_.size()) {
        listing.next = at + 1;
        return listing;
    }
    candidates_.clear();
    finders_.clear();
    for (auto item = playlists_.begin(); item != playlists_.end();) {
        Playlist& playlist = item->second;
        if (playlist.listing != listing_ && !playlist.draft) {
            item = playlists_.erase(item);
            continue;
        }
        if (playlist.listing != listing_) {
            playlist.source.reset();
            PLUGFS_ASSIGN(auto draft, entry(playlist));
            listing.entries.push_back(std::move(draft));
        }
        ++item;
    }
    return listing;
}

Result<Entry> StickPlaylists::entry(const Playlist& playlist) const {
    std::uint64_t size = playlist.text.size();
    if (playlist.draft) {
        PLUGFS_ASSIGN(size, host_.spool().size(*playlist.draft));
    }
    return Entry{.key = playlist.key, .name = playlist.name, .size = size, .modified = playlist.modified};
}

Result<std::size_t> StickPlaylists::read(Key file, std::uint64_t offset, std::span<std::byte> out) {
    PLUGFS_ASSIGN(const auto* playlist, find(file));
    if (playlist->draft) {
        return host_.spool().read(*playlist->draft, offset, out);
    }
    const auto text = std::as_bytes(std::span(playlist->text));
    const auto part = text.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(offset, text.size())));
    const std::size_t count = std::min(part.size(), out.size());
    std::copy_n(part.begin(), count, out.begin());
    return count;
}

void StickPlaylists::media_changed() {
    candidates_.clear();
    finders_.clear();
    for (auto& [key, playlist] : playlists_) {
        playlist.source.reset();
    }
    host_.list_again(playlists_folder);
}

void StickPlaylists::file_changed(Key key, const Entry* entry) {
    const bool named = entry != nullptr && library::playlist_format(entry->name).has_value();
    const bool known = std::any_of(playlists_.begin(), playlists_.end(), [key](const auto& item) {
        const auto& source = item.second.source;
        return source && source->volume == volume_of(key) && source->key == within_volume(key);
    });
    if (listing_ != 0 && (named || known)) {
        host_.list_again(playlists_folder);
    }
}

}  // namespace plugfs::storage
