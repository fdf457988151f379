// Playlists as files on a player's own volume, M3U and PLS, and the paths in them; and the same as playlists/ has them
// (library/playlist.h).
//
// On the volume a path is relative to the playlist's folder, or begins at the root ("/Music/a.mp3", "\Music\a.mp3",
// "E:\Music\a.mp3"). In between it is one from the root of the volume, with '/' between the names: "Music/a.mp3".
#pragma once

#include <plugfs/result.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace plugfs::library {

enum class PlaylistFormat : std::uint8_t { m3u, pls };

// By the name's ending (m3u, m3u8, pls). Nothing: it is no playlist.
[[nodiscard]] std::optional<PlaylistFormat> playlist_format(std::string_view filename);
// "Road" of "Road.m3u".
[[nodiscard]] std::string_view playlist_stem(std::string_view filename);

// What becomes of a path: another one, or nothing (it is left out).
using PathMap = std::function<Result<std::optional<std::string>>(const std::string& path)>;

// A playlist's text with other paths, in UTF-8 (what is none is taken as ISO 8859-1), lines ending in a newline.
// Everything else in an M3U stays as it is: comments have titles and lengths. EINVAL as read_playlist(), and the
// map's errors.
[[nodiscard]] Result<std::string> map_playlist(std::string_view text, const PathMap& map);

// The same for PLS, which has nothing but paths here: as M3U, and back.
[[nodiscard]] Result<std::string> m3u_of_pls(std::string_view text);
[[nodiscard]] Result<std::string> pls_of_m3u(std::string_view text);

// A path in a playlist that lies in `folder`, from the root of the volume. Nothing: it leads elsewhere (a URL, or out
// of the volume).
[[nodiscard]] std::optional<std::string> path_on_volume(std::string_view folder, std::string_view path);
// The other way round: "../Music/a.mp3" of "Music/a.mp3" for "Playlists".
[[nodiscard]] std::string path_from_folder(std::string_view folder, std::string_view path);

}  // namespace plugfs::library
