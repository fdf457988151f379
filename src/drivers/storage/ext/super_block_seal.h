// The superblock's checksum lies in another sector than what changes in it. A cable that is pulled between the two
// would leave a volume that nobody opens: so the checksum is kept, and some bytes that mean nothing are chosen so that
// it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs::storage::ext {

// Changes the last four bytes of s_last_mounted, behind the end of its text, so that the checksum of these 1024 bytes
// is the one that is in them. False: the text is too long for that, and nothing is changed.
[[nodiscard]] bool keep_checksum(std::span<std::byte> super_block);

}  // namespace plugfs::storage::ext
