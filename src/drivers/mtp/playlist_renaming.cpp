// Playlists: one that gets another name.
//
// What has been written and is not on the device just has it, and is brought there if the name is a playlist's. One
// that is there is given it by the device; where that cannot be, and where another playlist has the name, a second
// object gets the same references, and only then the first one goes. A process that dies in between leaves both: to the
// next one it has not been renamed yet, and it is done again.

#include "drivers/mtp/outgoing_datasets.h"
#include "drivers/mtp/playlist_names.h"
#include "drivers/mtp/playlists.h"

namespace plugfs::mtp {

Result<Entry> Playlists::rename(Key key, Key folder, const std::string& name, std::optional<Key> replaced) {
    PLUGFS_ASSIGN(auto* playlist, find(key));
    if (folder != playlists_key) {
        return fail(EXDEV, "rename", "a playlist is a list of tracks, not a file: it can be copied");
    }
    if (!is_playlist_name(name) && playlist->handle != 0) {
        return fail(EINVAL, "rename", "a playlist's name ends in .m3u8");
    }
    Playlist* old = nullptr;
    if (replaced) {
        PLUGFS_ASSIGN(old, find(*replaced));
    }
    if (playlist->handle != 0) {
        return rename_on_device(*playlist, name, old);
    }
    // What was written gets its place. The one that has the name becomes it, by its references.
    if (playlist->spool) {
        PLUGFS_TRY(host_.spool().set_note(*playlist->spool, encode_playlist_note(name)));
    }
    playlist->name = name;
    if (old != nullptr) {
        playlist->handle = old->handle;
        drop_spool(*old);
        playlists_.erase(*replaced);
    }
    return is_playlist_name(name) && playlist->spool ? commit(*playlist) : entry(*playlist);
}

Result<Entry> Playlists::rename_on_device(Playlist& playlist, const std::string& name, Playlist* old) {
    if (old != nullptr && old->handle != 0) {
        PLUGFS_TRY(become(playlist, old->handle));
    } else {
        const auto renamed = access_.rename(playlist.handle, playlist_object_name(name));
        if (!renamed && renamed.error().code != ENOTSUP) {
            return renamed.error();
        }
        if (!renamed) {
            PLUGFS_ASSIGN(const auto handle, access_.make(playlist_object_name(name)));
            if (const auto done = become(playlist, handle); !done) {
                if (done.error().code != ESTALE) {
                    (void)access_.remove(handle);
                }
                return done.error();
            }
        }
    }
    if (playlist.spool) {
        PLUGFS_TRY(host_.spool().set_note(*playlist.spool, encode_playlist_note(name)));
    }
    playlist.name = name;
    if (old != nullptr) {
        drop_spool(*old);
        playlists_.erase(old->key);
    }
    return entry(playlist);
}

// It is that object from now on: which gets its references, and is looked at, before the one that it was goes.
Result<void> Playlists::become(Playlist& playlist, std::uint32_t handle) {
    const std::uint32_t mine = playlist.handle;
    PLUGFS_ASSIGN(const auto tracks, references_of(mine));
    PLUGFS_ASSIGN(const auto before, references_of(handle));
    const auto stale = [&] { return playlist.handle != mine; };  // a new session: these handles are others' now
    if (stale()) {
        return fail(ESTALE, "playlist", "a new session was opened");
    }
    auto set = set_references(handle, tracks);
    if (set) {
        const auto now = references_of(handle);
        if (!now || *now != tracks) {
            set = now ? fail(EIO, "playlist",
                             "the device has kept " + std::to_string(now->size()) + " tracks of " +
                                 std::to_string(tracks.size()))
                      : now.error();
        }
    }
    if (stale()) {
        return fail(ESTALE, "playlist", "a new session was opened");
    }
    if (!set) {
        (void)set_references(handle, before);
        return set;
    }
    const auto removed = access_.remove(mine);
    if (!removed && removed.error().code != ENOENT) {
        (void)set_references(handle, before);
        return removed;
    }
    playlist.handle = handle;
    return {};
}

}  // namespace plugfs::mtp
