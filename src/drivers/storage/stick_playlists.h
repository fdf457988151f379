// StickPlaylists: the playlists on a stick or a player that is one, as NAME.m3u8 in playlists/, with paths as
// everywhere in playlists/ (library/playlist.h).
//
// On the medium they are files (M3U, PLS) in the folders where the player looks for them (PlayerDescription), or where
// they are usually put. What is written to one here gathers in the spool, where it outlives this process, until the
// file is flushed; then the paths are looked up, and the file on the medium is replaced: a new one is written whole and
// safe before it takes the old one's name. A name with another ending (a program's temporary one) stays in the spool
// until it is renamed to NAME.m3u8.
//
// A playlist is on the volume that its tracks are on.
#pragma once

#include "drivers/storage/path_finder.h"
#include "drivers/storage/stick_library.h"
#include "library/playlist_paths.h"

#include <plugfs/driver.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plugfs::storage {

class StickPlaylists {
  public:
    struct Access {
        std::function<std::vector<ServedVolume>()> volumes;
        // Something has been written to the volume with that number.
        std::function<void(unsigned volume)> wrote;
    };

    // `host` must outlive it. Finds what a predecessor has left in the spool.
    StickPlaylists(Host& host, Access access);

    // As in Driver and Writer.
    [[nodiscard]] Result<Listing> list(std::uint64_t cursor);
    [[nodiscard]] Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out);
    [[nodiscard]] Result<Entry> create(const std::string& name, Kind kind);
    [[nodiscard]] Result<void> remove(Key key);
    [[nodiscard]] Result<Entry> rename(Key key, Key folder, const std::string& name, std::optional<Key> replaced);
    [[nodiscard]] Result<void> write(Key key, std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> resize(Key key, std::uint64_t size);
    [[nodiscard]] Result<Entry> flush(Key key);

    // Somebody has changed a file of a volume, and what it is now, if that is known: a playlist, perhaps.
    void file_changed(Key key, const Entry* entry);
    void media_changed();

  private:
    struct Source {  // the file on the medium
        unsigned volume = 0;
        Key key = 0;         // in the volume
        std::string folder;  // path in the volume
        std::string name;
    };
    struct Playlist {
        Key key = 0;
        std::string name;  // in playlists/
        std::optional<Source> source;
        std::optional<Spool::Id> draft;  // written to since
        std::string text;                // as it is shown; of the source
        std::optional<std::int64_t> modified;
        std::uint64_t listing = 0;  // that saw it last
    };
    struct Candidate {
        Source source;
        Entry entry;
    };

    // stick_playlists.cpp: what is there.
    [[nodiscard]] std::vector<std::string> usual_folders() const;
    void look_for_candidates();
    void look_into(const ServedVolume& volume, PathFinder& finder, const std::string& folder);
    [[nodiscard]] PathFinder* finder_for(unsigned volume);
    std::optional<Entry> look_at(const Candidate& candidate);
    [[nodiscard]] Result<std::string> text_of(const Source& source, const Entry& entry);
    [[nodiscard]] Result<std::string> content_of(const ServedVolume& volume, const Entry& entry);
    [[nodiscard]] Result<Playlist*> find(Key key);
    [[nodiscard]] Playlist* find_name(const std::string& name);
    [[nodiscard]] Playlist* find_source(const Source& source);
    Playlist& add(const std::string& name);
    [[nodiscard]] Result<Entry> entry(const Playlist& playlist) const;
    [[nodiscard]] std::optional<ServedVolume> volume(unsigned number) const;

    // stick_playlists_writing.cpp
    [[nodiscard]] Result<void> begin_writing(Playlist& playlist, std::uint64_t keep);
    [[nodiscard]] Result<Entry> rename_source(Playlist& playlist, const std::string& name);
    [[nodiscard]] Result<void> remove_source(const Source& source);
    void drop_draft(Playlist& playlist);
    void tell(unsigned volume, Key folder, Entry entry, std::optional<Key> old);

    // stick_playlists_commit.cpp
    [[nodiscard]] static std::string ending_for(const std::optional<PlayerDescription>& player);
    [[nodiscard]] Result<Entry> commit(Playlist& playlist);
    [[nodiscard]] Result<std::string> track_in(const std::string& line, bool known, ServedVolume& on);
    [[nodiscard]] Result<std::string> with_tracks(const Playlist& playlist, const std::string& text, ServedVolume& on);
    [[nodiscard]] Result<Source> place_for(const Playlist& playlist, const ServedVolume& on);
    [[nodiscard]] Result<std::string> stored_text(const Source& source, const std::string& rooted) const;
    [[nodiscard]] Result<Key> folder_on(const ServedVolume& volume, std::string& path);
    [[nodiscard]] Result<Entry> replace_file(const ServedVolume& volume, Key folder, const Source& source,
                                             const std::string& text);

    Host& host_;
    Access access_;
    std::map<Key, Playlist> playlists_;
    std::uint64_t last_ = 0;
    std::uint64_t listing_ = 0;
    // Of the listing, or the commit, under way.
    std::vector<Candidate> candidates_;
    std::map<unsigned, PathFinder> finders_;
};

}  // namespace plugfs::storage
