// Playlists: abstract playlists (MTP appendix A, format BA05) as files in playlists/.
//
// A playlist on the device is an object without content that references tracks (GetObjectReferences). Here it is
// NAME.m3u8 with the tracks' paths, and their titles and durations as the device knows them: of the text that is
// written, it can keep no more than which tracks there are. What is written gathers in the spool, where it outlives
// this process, until the file is flushed; then the paths are looked up, and the references set. A file with another
// ending (a program's temporary one) stays in the spool until it is renamed to NAME.m3u8.
//
// A new playlist is on the device, with all its references, before the one that it replaces goes. That holds for
// another name, too, where the device cannot change the names of objects (playlist_renaming.cpp).
#pragma once

#include "drivers/mtp/datasets.h"
#include "drivers/mtp/session.h"
#include "library/playlist.h"

#include <plugfs/driver.h>
#include <plugfs/writer.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::mtp {

inline constexpr Key playlists_key = (Key{1} << 33U) | 1U;
inline bool is_playlist(Key key) {
    return key >> 62U == 1;
}

// The note of a playlist in the spool: its name. Nothing: it is another note.
[[nodiscard]] std::vector<std::byte> encode_playlist_note(const std::string& name);
[[nodiscard]] std::optional<std::string> decode_playlist_note(std::span<const std::byte> bytes);

class Playlists : public Writer {
  public:
    // What the driver does for it.
    struct Access {
        // Runs an operation while no other transaction is open, and again after a recovery where that may help.
        std::function<Result<void>(const std::function<Result<void>()>&)> alone;
        std::function<Result<ObjectInfo>(std::uint32_t handle)> info;
        // A track's path as seen from playlists/, "" if it is not known; and what its title and duration are.
        std::function<library::PlaylistTrack(std::uint32_t handle)> track;
        std::function<Result<std::uint32_t>(const std::string& path)> handle;
        // Makes an empty object, in the folder of the device that is fit for it, and shows it there.
        std::function<Result<std::uint32_t>(const std::string& filename)> make;
        std::function<Result<void>(std::uint32_t handle)> remove;
        std::function<Result<void>(std::uint32_t handle, const std::string& filename)> rename;
    };

    // All must outlive it. Finds what a predecessor has left in the spool.
    Playlists(Session& session, Host& host, Access access);

    [[nodiscard]] static bool possible(const DeviceInfo& info);
    // As in Driver.
    Result<Listing> list(std::uint64_t cursor);
    Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out);
    // Handles of an earlier session mean nothing.
    void forget_handles();
    // The references of an object have changed, or an object has: true if that is a playlist.
    bool concerns(std::uint32_t handle) const;

    [[nodiscard]] Result<Entry> create(Key folder, const std::string& name, Kind kind) override;
    [[nodiscard]] Result<void> remove(Key entry) override;
    [[nodiscard]] Result<Entry> rename(Key entry, Key folder, const std::string& name,
                                       std::optional<Key> replaced) override;
    [[nodiscard]] Result<void> write(Key file, std::uint64_t offset, std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<void> resize(Key file, std::uint64_t size) override;
    [[nodiscard]] Result<Entry> flush(Key file) override;

  private:
    struct Playlist {
        Key key = 0;
        std::string name;          // of the file
        std::uint32_t handle = 0;  // 0: not on the device
        std::optional<std::int64_t> modified;
        std::string text;                // as the device has it
        std::optional<Spool::Id> spool;  // written to since
        std::uint64_t listing = 0;       // that saw it last
    };
    Result<std::vector<std::uint32_t>> handles();
    Result<std::optional<Entry>> look_at(std::uint32_t handle);
    Result<std::vector<std::uint32_t>> references_of(std::uint32_t handle);
    Result<std::string> text_of(std::uint32_t handle);
    Result<Playlist*> find(Key key);
    Playlist* find_name(const std::string& name);
    Playlist& add(const std::string& name);
    Result<Entry> entry(const Playlist& playlist) const;
    Result<void> begin_writing(Playlist& playlist, std::uint64_t keep);
    Result<Entry> commit(Playlist& playlist);
    Result<std::vector<std::uint32_t>> tracks_in(const std::string& text);
    Result<void> set_references(std::uint32_t handle, const std::vector<std::uint32_t>& tracks);
    void drop_spool(Playlist& playlist);

    // playlist_renaming.cpp
    Result<Entry> rename_on_device(Playlist& playlist, const std::string& name, Playlist* old);
    Result<void> become(Playlist& playlist, std::uint32_t handle);

    Session& session_;
    Host& host_;
    Access access_;
    std::map<Key, Playlist> playlists_;
    Key last_key_ = Key{1} << 62U;
    std::uint64_t listing_ = 0;
    std::vector<std::uint32_t> to_list_;  // of the listing under way
};

}  // namespace plugfs::mtp
