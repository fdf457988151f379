// Where $LogFile lies: NTFS's journal, of which we use the middle for notes of our own (redo_notes.h).
//
// Found without libntfs-3g: what the notes are there to mend may be what the library needs to open the volume.
#pragma once

#include "drivers/storage/ntfs/boot_sector.h"

#include <vector>

namespace plugfs::storage::ntfs {

// A part of the medium, in bytes.
struct Range {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

// The file in the order of its content. EUCLEAN: its record in the MFT (number 2) is damaged, or is not as Windows and
// everybody else makes it.
[[nodiscard]] Result<std::vector<Range>> find_log_file(BlockDevice& device, const BootSector& boot);

// `offset` and `length` in a file that lies in `parts`, as parts of the medium; what is past its end is left out.
[[nodiscard]] std::vector<Range> part_of_file(const std::vector<Range>& parts, std::uint64_t offset,
                                              std::uint64_t length);

}  // namespace plugfs::storage::ntfs
