// media-player-info's descriptions of players: files like
//
//   [Device]
//   AccessProtocol=storage
//   DeviceMatch=usb:0781:7433;
//   [Playlist]
//   Formats=audio/x-mpegurl
//   FolderSeparator=DOS
//   [storage]
//   AudioFolders=MUSIC/;PODCAST/
//   PlaylistPath=Playlists/
//
// of which one is found by the device's USB numbers. A driver in its sandbox cannot open them, so the supervisor looks
// when a device is plugged in. What is not understood in them is left out.
#pragma once

#include "common/identity.h"

#include <plugfs/player.h>

#include <optional>
#include <string>
#include <string_view>

namespace plugfs {

inline constexpr const char* player_description_directory = "/usr/share/media-player-info";

// The description in a file's text, if that is for the device, and it is mass storage.
[[nodiscard]] std::optional<PlayerDescription> parse_player_description(std::string_view text, std::uint16_t vendor_id,
                                                                        std::uint16_t product_id);

// Looks into all files *.mpi there. Nothing: the device is in none, or there is no such directory.
[[nodiscard]] std::optional<PlayerDescription> find_player_description(const std::string& directory,
                                                                       const DeviceIdentity& identity);

}  // namespace plugfs
