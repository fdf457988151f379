// A note of RedoNotes as it is on the medium. Numbers are little-endian, sizes in bytes:
//
//   0 magic   16 checksum of all from 24 on   24 sequence   32 length of the note   40 block size
//   44 blocks   48 ranges   56 checksum of the file data, block by block in the order of the ranges
//
// and behind that, for each block its offset and the checksum of what was there before, for each range of file data its
// offset and its length, then the new content of the blocks.
#pragma once

#include <cstddef>
#include <string_view>

namespace plugfs::storage::ntfs::redo_note {

inline constexpr std::string_view magic = "plugfs NTFS redo";
inline constexpr std::size_t header_size = 64;
inline constexpr std::size_t checksum_at = 16;
inline constexpr std::size_t checked_from = 24;
inline constexpr std::size_t entry_size = 16;

}  // namespace plugfs::storage::ntfs::redo_note
