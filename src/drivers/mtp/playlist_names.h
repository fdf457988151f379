// Names of playlists: the file's, NAME.m3u8, and the object's on the device, NAME.pla.
#pragma once

#include <string>

namespace plugfs::mtp {

// Whether a file with that name is a playlist; if not it is a program's temporary one.
[[nodiscard]] bool is_playlist_name(const std::string& name);
// The object's name for a file whose name is a playlist's.
[[nodiscard]] std::string playlist_object_name(const std::string& name);
// The file's name for an object: "Road.m3u8" for "Road.pla", and for one without an ending.
[[nodiscard]] std::string playlist_file_name(const std::string& object);

}  // namespace plugfs::mtp
