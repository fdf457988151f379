// StickPlaylists: what is written to them.

#include "drivers/storage/stick_playlists.h"
#include "drivers/storage/storage_keys.h"
#include "library/playlist.h"

#include <algorithm>
#include <ctime>

namespace plugfs::storage {

namespace {

constexpr std::string_view ending = ".m3u8";
constexpr std::string_view above = "../storage/";

bool is_finished_name(const std::string& name) {
    return name.size() > ending.size() && name.ends_with(ending) && name.front() != '.';
}

std::vector<std::byte> note_of(const std::string& name) {
    const std::string text = "playlist " + name;
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

// What a player can read of what we can write. Empty: nothing.
std::string ending_for(const std::optional<PlayerDescription>& player) {
    if (!player || player->playlist_formats.empty()) {
        return ".m3u8";
    }
    const auto takes = [&player](std::string_view format) {
        const auto& formats = player->playlist_formats;
        return std::find(formats.begin(), formats.end(), format) != formats.end();
    };
    if (takes("audio/x-mpegurl") || takes("audio/mpegurl")) {
        return ".m3u";
    }
    return takes("audio/x-scpls") ? ".pls" : "";
}

}  // namespace

Result<Entry> StickPlaylists::create(const std::string& name, Kind kind) {
    if (kind == Kind::directory) {
        return fail(EPERM, "playlists", "there are no folders of playlists");
    }
    if (ending_for(host_.player()).empty()) {
        return fail(ENOTSUP, "playlists", "the player takes playlists of another kind only");
    }
    const auto volumes = access_.volumes();
    if (std::none_of(volumes.begin(), volumes.end(),
                     [](const auto& each) { return each.volume->read_only_because().empty(); })) {
        return fail(EROFS, "playlists", "there is no volume that can be written to");
    }
    PLUGFS_ASSIGN(const auto id, host_.spool().create(note_of(name)));
    auto& playlist = add(name);
    playlist.draft = id;
    playlist.modified = std::time(nullptr);
    return entry(playlist);
}

void StickPlaylists::drop_draft(Playlist& playlist) {
    if (playlist.draft) {
        host_.spool().remove(*playlist.draft);
        playlist.draft.reset();
    }
}

// Folders of the volume are listed by the kit; what has changed in one is seen at the next look.
void StickPlaylists::shown_again(unsigned volume, Key folder) {
    access_.wrote(volume);
    host_.list_again(whole_key(volume, folder));
}

Result<void> StickPlaylists::remove_source(const Source& source) {
    const auto served = volume(source.volume);
    if (!served) {
        return fail(ENOENT, "playlist", "its medium is not there any more");
    }
    PLUGFS_TRY(served->volume->remove(source.key));
    PathFinder finder(*served->volume);
    if (const auto folder = finder.find(source.folder)) {
        shown_again(source.volume, folder->entry.key);
    }
    return {};
}

Result<void> StickPlaylists::remove(Key key) {
    PLUGFS_ASSIGN(auto* playlist, find(key));
    if (playlist->source) {
        const auto removed = remove_source(*playlist->source);
        if (!removed && removed.error().code != ENOENT && removed.error().code != ESTALE) {
            return removed;
        }
    }
    drop_draft(*playlist);
    playlists_.erase(key);
    return {};
}

Result<Entry> StickPlaylists::rename_source(Playlist& playlist, const std::string& name) {
    Source& source = *playlist.source;
    const auto served = volume(source.volume);
    if (!served) {
        return fail(ENOENT, "playlist", "its medium is not there any more");
    }
    PathFinder finder(*served->volume);
    PLUGFS_ASSIGN(const auto folder, finder.find(source.folder));
    const std::string extension = source.name.substr(library::playlist_stem(source.name).size());
    const std::string wanted = std::string(library::playlist_stem(name)) + extension;
    PLUGFS_ASSIGN(const auto* entries, finder.list(folder.entry.key));
    const auto there = entries->find(lower_case(wanted));
    std::optional<Key> replaced;
    if (there != entries->end() && there->second.key != source.key) {
        replaced = there->second.key;
    }
    PLUGFS_ASSIGN(const auto renamed, served->volume->rename(source.key, folder.entry.key, wanted, replaced));
    source.key = renamed.key;
    source.name = renamed.name;
    playlist.name = name;
    shown_again(source.volume, folder.entry.key);
    return entry(playlist);
}

Result<Entry> StickPlaylists::rename(Key key, Key folder, const std::string& name, std::optional<Key> replaced) {
    if (folder != playlists_folder || !is_playlist(key)) {
        return fail(EXDEV, "rename", "a playlist is a list of tracks, not a file: it can be copied");
    }
    PLUGFS_ASSIGN(auto* playlist, find(key));
    if (!is_finished_name(name) && playlist->source) {
        return fail(EINVAL, "rename", "a playlist's name ends in " + std::string(ending));
    }
    Playlist* old = nullptr;
    if (replaced) {
        PLUGFS_ASSIGN(old, find(*replaced));
    }
    if (playlist->source) {
        const auto before = old != nullptr ? old->source : std::nullopt;
        PLUGFS_ASSIGN(auto renamed, rename_source(*playlist, name));
        if (old != nullptr) {
            const bool other_file = before && (before->folder != playlist->source->folder ||
                                               lower_case(before->name) != lower_case(playlist->source->name) ||
                                               before->volume != playlist->source->volume);
            drop_draft(*old);
            playlists_.erase(*replaced);
            if (other_file) {
                PLUGFS_TRY(remove_source(*before));
            }
        }
        return renamed;
    }
    // What was written gets its place, and that of the one that has the name.
    if (playlist->draft) {
        PLUGFS_TRY(host_.spool().set_note(*playlist->draft, note_of(name)));
    }
    playlist->name = name;
    if (old != nullptr) {
        playlist->source = old->source;
        drop_draft(*old);
        playlists_.erase(*replaced);
    }
    return is_finished_name(name) && playlist->draft ? commit(*playlist) : entry(*playlist);
}

Result<void> StickPlaylists::begin_writing(Playlist& playlist, std::uint64_t keep) {
    if (playlist.draft) {
        return {};
    }
    PLUGFS_ASSIGN(const auto id, host_.spool().create(note_of(playlist.name)));
    const auto text = std::as_bytes(std::span(playlist.text));
    const auto kept = text.first(static_cast<std::size_t>(std::min<std::uint64_t>(keep, text.size())));
    if (const auto written = host_.spool().write(id, 0, kept); !written) {
        host_.spool().remove(id);
        return written;
    }
    playlist.draft = id;
    return {};
}

Result<void> StickPlaylists::write(Key key, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_ASSIGN(auto* playlist, find(key));
    if (offset > library::playlist_size_limit || bytes.size() > library::playlist_size_limit - offset) {
        return fail(EFBIG, "playlist", "more than " + std::to_string(library::playlist_size_limit) + " bytes");
    }
    PLUGFS_TRY(begin_writing(*playlist, UINT64_MAX));
    playlist->modified = std::time(nullptr);
    return host_.spool().write(*playlist->draft, offset, bytes);
}

Result<void> StickPlaylists::resize(Key key, std::uint64_t size) {
    PLUGFS_ASSIGN(auto* playlist, find(key));
    if (size > library::playlist_size_limit) {
        return fail(EFBIG, "playlist", "more than " + std::to_string(library::playlist_size_limit) + " bytes");
    }
    PLUGFS_TRY(begin_writing(*playlist, size));
    playlist->modified = std::time(nullptr);
    return host_.spool().resize(*playlist->draft, size);
}

Result<Entry> StickPlaylists::flush(Key key) {
    PLUGFS_ASSIGN(auto* playlist, find(key));
    return playlist->draft && is_finished_name(playlist->name) ? commit(*playlist) : entry(*playlist);
}

Result<StickPlaylists::Tracks> StickPlaylists::tracks_in(const std::string& text) {
    PLUGFS_ASSIGN(const auto lines, library::read_playlist(text));
    Tracks tracks;
    for (const auto& line : lines) {
        const auto path = library::storage_path(line);
        if (!path) {
            return fail(EINVAL, "playlist", quoted(line) + " is not the path of a file in ../storage/");
        }
        const auto rest = std::string_view(*path).substr(above.size());
        const auto slash = std::min(rest.find('/'), rest.size());
        const auto name = rest.substr(0, slash);
        for (const auto& each : access_.volumes()) {
            if (each.folder == name && tracks.volume.volume == nullptr) {
                tracks.volume = each;
            }
        }
        if (tracks.volume.volume == nullptr || tracks.volume.folder != name) {
            return fail(EINVAL, "playlist", quoted(line) + " is not on the same volume, or on none");
        }
        const auto found = finder_for(tracks.volume.number)->find(rest.substr(std::min(slash + 1, rest.size())));
        if (!found && found.error().code != ENOENT) {
            return found.error();
        }
        if (!found || found->entry.kind != Kind::file) {
            return fail(EINVAL, "playlist", quoted(line) + " is not on the device");
        }
        tracks.paths.push_back(found->path);
    }
    return tracks;
}

// The folder with that path, which is made if it is not there; `path` becomes what it is on the medium.
Result<Key> StickPlaylists::folder_on(const ServedVolume& volume, std::string& path) {
    Key at = root_key;
    std::string whole;
    for (std::size_t begin = 0; begin < path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        const std::string name = path.substr(begin, end - begin);
        begin = end + 1;
        PathFinder finder(*volume.volume);
        PLUGFS_ASSIGN(const auto* entries, finder.list(at));
        auto there = entries->find(lower_case(name));
        Entry entry;
        if (there != entries->end()) {
            entry = there->second;
        } else {
            PLUGFS_ASSIGN(entry, volume.volume->create(at, name, Kind::directory));
            shown_again(volume.number, at);
        }
        if (entry.kind != Kind::directory) {
            return fail(ENOTDIR, "playlist", quoted(entry.name) + " is a file");
        }
        at = entry.key;
        whole += (whole.empty() ? "" : "/") + entry.name;
    }
    path = whole;
    return at;
}

// Where a playlist goes: where it is, or to the first folder that the player looks into and that is there.
Result<StickPlaylists::Source> StickPlaylists::place_for(const Playlist& playlist, const Tracks& tracks) {
    const std::string stem(library::playlist_stem(playlist.name));
    if (playlist.source && playlist.source->volume == tracks.volume.number) {
        return *playlist.source;
    }
    Source source;
    source.volume = tracks.volume.number;
    source.name = stem + ending_for(host_.player());
    const auto player = host_.player();
    const auto folders = player && !player->playlist_folders.empty()
                             ? player->playlist_folders
                             : std::vector<std::string>{"Playlists", "Playlist"};
    source.folder = folders.front();
    PathFinder finder(*tracks.volume.volume);
    for (const auto& folder : folders) {
        if (const auto found = finder.find(folder); found && found->entry.kind == Kind::directory) {
            source.folder = found->path;
            break;
        }
    }
    return source;
}

// A new file is safe on the medium before it takes the name.
Result<Entry> StickPlaylists::replace_file(const ServedVolume& served, Key folder, const Source& source,
                                           const std::string& text) {
    Volume& volume = *served.volume;
    const std::string temporary = "." + source.name + ".new";
    PathFinder finder(volume);
    PLUGFS_ASSIGN(const auto* entries, finder.list(folder));
    const auto left = entries->find(lower_case(temporary));
    if (left != entries->end() && left->second.kind == Kind::file) {
        PLUGFS_TRY(volume.remove(left->second.key));
    }
    std::optional<Key> replaced;
    if (const auto old = entries->find(lower_case(source.name)); old != entries->end()) {
        replaced = old->second.key;
    }
    access_.wrote(served.number);
    PLUGFS_ASSIGN(const auto made, volume.create(folder, temporary, Kind::file));
    const auto written = [&]() -> Result<Entry> {
        PLUGFS_TRY(volume.write(made.key, 0, std::as_bytes(std::span(text))));
        PLUGFS_ASSIGN(const auto flushed, volume.flush(made.key));
        return volume.rename(flushed.key, folder, source.name, replaced);
    }();
    if (!written) {
        (void)volume.remove(made.key);
        return written;
    }
    return volume.flush(written->key);
}

Result<Entry> StickPlaylists::commit(Playlist& playlist) {
    finders_.clear();
    candidates_.clear();
    PLUGFS_ASSIGN(const auto size, host_.spool().size(*playlist.draft));
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, library::playlist_size_limit)), '\0');
    PLUGFS_ASSIGN(const auto got, host_.spool().read(*playlist.draft, 0, std::as_writable_bytes(std::span(text))));
    text.resize(got);
    PLUGFS_ASSIGN(auto tracks, tracks_in(text));
    if (tracks.volume.volume == nullptr) {
        const auto volumes = access_.volumes();
        const auto at = std::find_if(volumes.begin(), volumes.end(), [&playlist](const auto& each) {
            return playlist.source ? each.number == playlist.source->volume : each.volume->read_only_because().empty();
        });
        if (at == volumes.end()) {
            return fail(EROFS, "playlist", "there is no volume that can be written to");
        }
        tracks.volume = *at;
    }
    PLUGFS_ASSIGN(auto source, place_for(playlist, tracks));
    PLUGFS_ASSIGN(const Key folder, folder_on(tracks.volume, source.folder));
    const auto player = host_.player();
    for (auto& path : tracks.paths) {
        path = library::path_from_folder(source.folder, path);
        if (player && player->backslashes) {
            std::replace(path.begin(), path.end(), '/', '\\');
        }
    }
    const auto format = library::playlist_format(source.name).value_or(library::PlaylistFormat::m3u);
    PLUGFS_ASSIGN(const auto written,
                  replace_file(tracks.volume, folder, source, library::write_device_playlist(format, tracks.paths)));
    // It was on another volume before.
    if (playlist.source && playlist.source->volume != source.volume) {
        PLUGFS_TRY(remove_source(*playlist.source));
    }
    source.key = written.key;
    source.name = written.name;
    playlist.source = source;
    playlist.modified = written.modified;
    finders_.clear();
    // As it will be listed from now on: what is in it, not what was written.
    PLUGFS_ASSIGN(playlist.text, text_of(source, written));
    finders_.clear();
    drop_draft(playlist);
    shown_again(source.volume, folder);
    PLUGFS_ASSIGN(auto made, entry(playlist));
    if (playlist.text != text) {
        host_.changed(made);
    }
    return made;
}

}  // namespace plugfs::storage
