// StickPlaylists: from what was written to a file on the medium.

#include "drivers/storage/stick_playlists.h"
#include "drivers/storage/storage_keys.h"
#include "library/playlist.h"

#include <algorithm>
#include <set>

namespace plugfs::storage {

namespace {
constexpr std::string_view above = "../storage/";
}  // namespace

// What a player can read of what we can write. Empty: nothing.
std::string StickPlaylists::ending_for(const std::optional<PlayerDescription>& player) {
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

// The track that a line names, in the volume that the playlist is on from its first track on. One that is not there was
// there before, perhaps: then it may stay.
Result<std::string> StickPlaylists::track_in(const std::string& line, bool known, ServedVolume& on) {
    const auto path = library::storage_path(line);
    if (!path) {
        return fail(EINVAL, "playlist", quoted(line) + " is not the path of a file in ../storage/");
    }
    const auto rest = std::string_view(*path).substr(above.size());
    const auto slash = std::min(rest.find('/'), rest.size());
    const auto name = rest.substr(0, slash);
    for (const auto& each : access_.volumes()) {
        if (each.folder == name && on.volume == nullptr) {
            on = each;
        }
    }
    if (on.volume == nullptr || on.folder != name) {
        return fail(EINVAL, "playlist", quoted(line) + " is not on the same volume, or on none");
    }
    const std::string wanted(rest.substr(std::min(slash + 1, rest.size())));
    const auto found = finder_for(on.number)->find(wanted);
    if (!found && found.error().code != ENOENT) {
        return found.error();
    }
    if (found && found->entry.kind == Kind::file) {
        return found->path;
    }
    return known ? Result<std::string>(wanted) : fail(EINVAL, "playlist", quoted(line) + " is not on the device");
}

// The text with paths from the root of their volume.
Result<std::string> StickPlaylists::with_tracks(const Playlist& playlist, const std::string& text, ServedVolume& on) {
    std::set<std::string> before;
    if (auto lines = library::read_playlist(playlist.text)) {
        before.insert(lines->begin(), lines->end());
    }
    return library::map_playlist(text, [&](const std::string& line) -> Result<std::optional<std::string>> {
        const bool known = before.count(line) != 0;
        if (line.find("://") != std::string::npos || (known && !library::storage_path(line))) {
            return std::optional(line);
        }
        PLUGFS_ASSIGN(auto path, track_in(line, known, on));
        return std::optional("/" + std::move(path));
    });
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
            tell(volume.number, at, entry, std::nullopt);
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
Result<StickPlaylists::Source> StickPlaylists::place_for(const Playlist& playlist, const ServedVolume& on) {
    const std::string stem(library::playlist_stem(playlist.name));
    if (playlist.source && playlist.source->volume == on.number) {
        return *playlist.source;
    }
    Source source;
    source.volume = on.number;
    source.name = stem + ending_for(host_.player());
    const auto player = host_.player();
    const auto folders = player && !player->playlist_folders.empty()
                             ? player->playlist_folders
                             : std::vector<std::string>{"Playlists", "Playlist"};
    source.folder = folders.front();
    PathFinder finder(*on.volume);
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
    PLUGFS_ASSIGN(const auto flushed, volume.flush(written->key));
    tell(served.number, folder, flushed, replaced);
    return flushed;
}

// As the player wants it.
Result<std::string> StickPlaylists::stored_text(const Source& source, const std::string& rooted) const {
    const auto player = host_.player();
    PLUGFS_ASSIGN(const auto text,
                  library::map_playlist(rooted, [&](const std::string& line) -> Result<std::optional<std::string>> {
                      if (line.front() != '/') {
                          return std::optional(line);
                      }
                      auto path = library::path_from_folder(source.folder, line);
                      if (player && player->backslashes) {
                          std::replace(path.begin(), path.end(), '/', '\\');
                      }
                      return std::optional(std::move(path));
                  }));
    return library::playlist_format(source.name) == library::PlaylistFormat::pls ? library::pls_of_m3u(text)
                                                                                 : Result<std::string>(text);
}

Result<Entry> StickPlaylists::commit(Playlist& playlist) {
    finders_.clear();
    candidates_.clear();
    PLUGFS_ASSIGN(const auto size, host_.spool().size(*playlist.draft));
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, library::playlist_size_limit)), '\0');
    PLUGFS_ASSIGN(const auto got, host_.spool().read(*playlist.draft, 0, std::as_writable_bytes(std::span(text))));
    text.resize(got);
    ServedVolume on;
    PLUGFS_ASSIGN(const auto rooted, with_tracks(playlist, text, on));
    if (on.volume == nullptr) {
        const auto volumes = access_.volumes();
        const auto at = std::find_if(volumes.begin(), volumes.end(), [&playlist](const auto& each) {
            return playlist.source ? each.number == playlist.source->volume : each.volume->read_only_because().empty();
        });
        if (at == volumes.end()) {
            return fail(EROFS, "playlist", "there is no volume that can be written to");
        }
        on = *at;
    }
    PLUGFS_ASSIGN(auto source, place_for(playlist, on));
    PLUGFS_ASSIGN(const Key folder, folder_on(on, source.folder));
    PLUGFS_ASSIGN(const auto stored, stored_text(source, rooted));
    PLUGFS_ASSIGN(const auto written, replace_file(on, folder, source, stored));
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
    PLUGFS_ASSIGN(auto made, entry(playlist));
    if (playlist.text != text) {
        host_.changed(made);
    }
    return made;
}

}  // namespace plugfs::storage
