// Keys of the storage driver: the upper 8 bits are the number of a volume, the rest is the volume's own. Volume 0 is
// the driver itself: its folders, the images, the playlists.
#pragma once

#include "drivers/storage/volume.h"

namespace plugfs::storage {

inline constexpr unsigned volume_shift = 56;
inline constexpr Key storage_folder = 1;
inline constexpr Key playlists_folder = 2;
// Of an image: 1 << 32, the unit in bits 16 and up, the image's number below.
[[nodiscard]] constexpr Key image_key(unsigned unit, unsigned image) {
    return (Key{1} << 32U) | (Key{unit} << 16U) | image;
}
// Of a playlist: 1 << 40, and a number.
inline constexpr unsigned playlist_shift = 40;
[[nodiscard]] constexpr bool is_playlist(Key key) {
    return key >> playlist_shift == 1;
}

[[nodiscard]] constexpr unsigned volume_of(Key key) {
    return static_cast<unsigned>(key >> volume_shift);
}
[[nodiscard]] constexpr Key within_volume(Key key) {
    return key & (volume_key_limit - 1);
}
[[nodiscard]] constexpr Key whole_key(unsigned volume, Key key) {
    return (Key{volume} << volume_shift) | key;
}

// What foreign_type() calls it, and the name of the program that serves it, in the manifest.
inline constexpr const char* ntfs_type = "NTFS";
inline constexpr const char* ntfs_alternative = "ntfs";

}  // namespace plugfs::storage
