// What is known of a player that shows its memory as a disk: where it looks for music and playlists, and which
// playlists it understands. From media-player-info's descriptions, if they are installed; see Host::player().
#pragma once

#include <string>
#include <vector>

namespace plugfs {

struct PlayerDescription {
    // Folders below the volume's root: with '/' between the names and none at the ends; "" is the root itself.
    std::vector<std::string> audio_folders;
    std::vector<std::string> playlist_folders;
    std::vector<std::string> playlist_formats;  // media types: "audio/x-mpegurl", "audio/x-scpls"
    bool backslashes = false;                   // between the names in its playlists
    bool operator==(const PlayerDescription&) const = default;
};

}  // namespace plugfs
