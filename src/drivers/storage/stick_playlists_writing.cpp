// StickPlaylists: what is written to them.

#include "drivers/storage/stick_playlists.h"
#include "drivers/storage/storage_keys.h"
#include "library/playlist.h"

#include <algorithm>
#include <ctime>

namespace plugfs::storage {

namespace {

constexpr std::string_view ending = ".m3u8";

bool is_finished_name(const std::string& name) {
    return name.size() > ending.size() && name.ends_with(ending) && name.front() != '.';
}

std::vector<std::byte> note_of(const std::string& name) {
    const std::string text = "playlist " + name;
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
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

// What has happened to a file of a volume behind the kit's back: `entry` is in `folder` now, in place of `old`.
void StickPlaylists::tell(unsigned volume, Key folder, Entry entry, std::optional<Key> old) {
    access_.wrote(volume);
    if (old && *old != entry.key) {
        host_.removed(whole_key(volume, *old));
    }
    entry.key = whole_key(volume, entry.key);
    host_.changed(entry);
    host_.added(whole_key(volume, folder), std::move(entry));
}

Result<void> StickPlaylists::remove_source(const Source& source) {
    const auto served = volume(source.volume);
    if (!served) {
        return fail(ENOENT, "playlist", "its medium is not there any more");
    }
    PLUGFS_TRY(served->volume->remove(source.key));
    access_.wrote(source.volume);
    host_.removed(whole_key(source.volume, source.key));
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
    if (replaced) {
        host_.removed(whole_key(source.volume, source.key));
    }
    tell(source.volume, folder.entry.key, renamed, replaced ? replaced : std::optional(source.key));
    source.key = renamed.key;
    source.name = renamed.name;
    playlist.name = name;
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

}  // namespace plugfs::storage
