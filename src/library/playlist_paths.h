// Playlists as files on a player's own volume, M3U and PLS, and the paths in them; and the same as playlists/ has them
// (library/playlist.h).
//
// On the volume a path is relative to the playlist's folder, or begins at the root ("/Music/a.mp3", "\Music\a.mp3",
// "E:\Music\a.mp3"). In between it is one from the root of the volume, with '/' between the names: "Music/a.mp3".
#pragma once

#include <plugfs/result.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs::library {

enum class PlaylistFormat : std::uint8_t { m3u, pls };

// By the name's ending (m3u, m3u8, pls). Nothing: it is no playlist.
[[nodiscard]] std::optional<PlaylistFormat> playlist_format(std::string_view filename);
// "Road" of "Road.m3u".
[[nodiscard]] std::string_view playlist_stem(std::string_view filename);

// The paths in a file's text as they stand there, in UTF-8 (what is none is taken as ISO 8859-1). EINVAL: as
// read_playlist().
[[nodiscard]] Result<std::vector<std::string>> read_device_playlist(PlaylistFormat format, std::string_view text);
// The text with such paths.
[[nodiscard]] std::string write_device_playlist(PlaylistFormat format, const std::vector<std::string>& paths);

// A path in a playlist that lies in `folder`, from the root of the volume. Nothing: it leads elsewhere (a URL, or out
// of the volume).
[[nodiscard]] std::optional<std::string> path_on_volume(std::string_view folder, std::string_view path);
// The other way round: "../Music/a.mp3" of "Music/a.mp3" for "Playlists".
[[nodiscard]] std::string path_from_folder(std::string_view folder, std::string_view path);

}  // namespace plugfs::library
