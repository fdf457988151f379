// MoveNote: what is on the medium while an entry moves between two units of it, which cannot be written at once: for
// one barrier both places refer to its clusters. If the power is cut just then, whoever opens the volume next with
// plugfs finds the note and takes the old place away; others see both.
//
// The note lies where the specifications leave room: in the FSInfo sector of FAT32, in a reserved sector of FAT12 and
// FAT16, in the FAT alignment area of exFAT. It may stay when the move is complete: it says nothing any more then.
#pragma once

#include "drivers/storage/block_device.h"

#include <optional>
#include <vector>

namespace plugfs::storage {

struct MoveNote {
    static constexpr std::size_t size_limit = 448;  // bytes on the medium
    static constexpr std::size_t slot_limit = 32;

    std::uint32_t cluster = 0;             // the first one of what moves
    std::uint64_t new_slot = 0;            // on the device: the slot that says so in the new place
    std::vector<std::uint64_t> old_slots;  // all of the old place, the key slot first
    // A folder's ".." on FAT, and what it says when the folder is in its new place; 0: there is none.
    std::uint64_t parent_slot = 0;
    std::uint32_t parent_cluster = 0;
};

// Whether notes can be at `offset`: there is nothing, or an old note.
[[nodiscard]] Result<bool> can_hold_notes(BlockDevice& device, std::uint64_t offset);
// Nothing: there is none that is whole.
[[nodiscard]] Result<std::optional<MoveNote>> read_note(BlockDevice& device, std::uint64_t offset);
// At most slot_limit old slots.
[[nodiscard]] Result<void> write_note(BlockDevice& device, std::uint64_t offset, const MoveNote& note);
[[nodiscard]] Result<void> clear_note(BlockDevice& device, std::uint64_t offset);

}  // namespace plugfs::storage
