// Playlists as M3U8 files: UTF-8, a path a line, relative to the playlist's folder, comments behind '#'.
#pragma once

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::library {

inline constexpr std::size_t playlist_size_limit = std::size_t{4} << 20U;  // bytes of text
inline constexpr std::size_t playlist_track_limit = 50'000;

struct PlaylistTrack {
    std::string path;
    std::string title = {};  // as people read it: "Artist - Title"; "": it is not known
    std::optional<std::uint64_t> seconds = {};
};
// With a line "#EXTINF:SECONDS,TITLE" above each track of which one of both is known; with none where it would be more
// than can be read back.
[[nodiscard]] std::string write_playlist(const std::vector<PlaylistTrack>& tracks);

// The paths in it, as they stand there. EINVAL: it is too long, or no text.
[[nodiscard]] Result<std::vector<std::string>> read_playlist(std::string_view text);

// A path in a playlist that lies in a folder beside storage/, made plain: "../storage/Card/a.mp3" of
// "..//storage/./Card/x/../a.mp3" and of "/mnt/devices/walkman/storage/Card/a.mp3". Nothing: it leads elsewhere.
[[nodiscard]] std::optional<std::string> storage_path(std::string_view path);

}  // namespace plugfs::library
