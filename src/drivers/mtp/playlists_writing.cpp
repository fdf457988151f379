// Playlists: made, written to, removed.

#include "drivers/mtp/outgoing_datasets.h"
#include "drivers/mtp/playlist_names.h"
#include "drivers/mtp/playlists.h"
#include "drivers/mtp/spool_notes.h"

#include <algorithm>
#include <ctime>

namespace plugfs::mtp {

Result<Entry> Playlists::create(Key /*folder*/, const std::string& name, Kind kind) {
    if (kind == Kind::directory) {
        return fail(EPERM, "playlists", "there are no folders of playlists");
    }
    constexpr std::size_t longest_name = 200;  // units; the object's ending has to fit, too
    const auto length = utf16_length(name);
    if (!length || *length > longest_name) {
        return fail(length ? ENAMETOOLONG : EINVAL, "playlists", "name " + quoted(name));
    }
    PLUGFS_ASSIGN(const auto id, host_.spool().create(encode_playlist_note(name)));
    auto& playlist = add(name);
    playlist.spool = id;
    playlist.modified = std::time(nullptr);
    return entry(playlist);
}

void Playlists::drop_spool(Playlist& playlist) {
    if (playlist.spool) {
        host_.spool().remove(*playlist.spool);
        playlist.spool.reset();
    }
}

Result<void> Playlists::remove(Key key) {
    PLUGFS_ASSIGN(auto* playlist, find(key));
    if (playlist->handle != 0) {
        const auto removed = access_.remove(playlist->handle);
        if (!removed && removed.error().code != ENOENT) {
            return removed;
        }
    }
    drop_spool(*playlist);
    playlists_.erase(key);
    return {};
}

Result<void> Playlists::begin_writing(Playlist& playlist, std::uint64_t keep) {
    if (playlist.spool) {
        return {};
    }
    PLUGFS_ASSIGN(const auto id, host_.spool().create(encode_playlist_note(playlist.name)));
    const auto text = std::as_bytes(std::span(playlist.text));
    const auto kept = text.first(static_cast<std::size_t>(std::min<std::uint64_t>(keep, text.size())));
    if (const auto written = host_.spool().write(id, 0, kept); !written) {
        host_.spool().remove(id);
        return written;
    }
    playlist.spool = id;
    return {};
}

Result<void> Playlists::write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) {
    PLUGFS_ASSIGN(auto* playlist, find(file));
    if (offset > library::playlist_size_limit || bytes.size() > library::playlist_size_limit - offset) {
        return fail(EFBIG, "playlist", "more than " + std::to_string(library::playlist_size_limit) + " bytes");
    }
    PLUGFS_TRY(begin_writing(*playlist, UINT64_MAX));
    playlist->modified = std::time(nullptr);
    return host_.spool().write(*playlist->spool, offset, bytes);
}

Result<void> Playlists::resize(Key file, std::uint64_t size) {
    PLUGFS_ASSIGN(auto* playlist, find(file));
    if (size > library::playlist_size_limit) {
        return fail(EFBIG, "playlist", "more than " + std::to_string(library::playlist_size_limit) + " bytes");
    }
    PLUGFS_TRY(begin_writing(*playlist, size));
    playlist->modified = std::time(nullptr);
    return host_.spool().resize(*playlist->spool, size);
}

Result<Entry> Playlists::flush(Key file) {
    PLUGFS_ASSIGN(auto* playlist, find(file));
    return playlist->spool && is_playlist_name(playlist->name) ? commit(*playlist) : entry(*playlist);
}

Result<std::vector<std::uint32_t>> Playlists::tracks_in(const std::string& text) {
    PLUGFS_ASSIGN(const auto lines, library::read_playlist(text));
    std::vector<std::uint32_t> tracks;
    for (const auto& line : lines) {
        const auto path = library::storage_path(line);
        if (!path) {
            return fail(EINVAL, "playlist", quoted(line) + " is not the path of a file in ../storage/");
        }
        const auto handle = access_.handle(*path);
        if (!handle && handle.error().code == ENOENT) {
            return fail(EINVAL, "playlist", quoted(line) + " is not on the device");
        }
        if (!handle) {
            return handle.error();
        }
        tracks.push_back(*handle);
    }
    return tracks;
}

Result<void> Playlists::set_references(std::uint32_t handle, const std::vector<std::uint32_t>& tracks) {
    ByteWriter dataset;
    dataset.u32le(static_cast<std::uint32_t>(tracks.size()));
    for (const std::uint32_t track : tracks) {
        dataset.u32le(track);
    }
    const auto bytes = std::move(dataset).take();
    return access_.alone([&]() -> Result<void> {
        std::size_t at = 0;
        const auto sent = session_.send(
            operation::set_object_references, {handle}, bytes.size(), [&](std::span<std::byte> out) -> Result<void> {
                std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
                at += out.size();
                return {};
            });
        return sent ? Result<void>() : Result<void>(sent.error());
    });
}

Result<Entry> Playlists::commit(Playlist& playlist) {
    PLUGFS_ASSIGN(const auto size, host_.spool().size(*playlist.spool));
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, library::playlist_size_limit)), '\0');
    PLUGFS_ASSIGN(const auto got, host_.spool().read(*playlist.spool, 0, std::as_writable_bytes(std::span(text))));
    text.resize(got);
    PLUGFS_ASSIGN(const auto tracks, tracks_in(text));
    const bool is_new = playlist.handle == 0;
    std::uint32_t handle = playlist.handle;
    if (is_new) {
        PLUGFS_ASSIGN(handle, access_.make(playlist_object_name(playlist.name)));
    }
    if (const auto set = set_references(handle, tracks); !set) {
        if (is_new) {
            (void)access_.remove(handle);
        }
        return set.error();
    }
    playlist.handle = handle;
    // As it will be listed from now on: what is in it, not what was written.
    PLUGFS_ASSIGN(playlist.text, text_of(handle));
    drop_spool(playlist);
    PLUGFS_ASSIGN(auto made, entry(playlist));
    if (playlist.text != text) {
        host_.changed(made);
    }
    return made;
}

}  // namespace plugfs::mtp
