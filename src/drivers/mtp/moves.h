// Moves: an object that gets another folder and another name at once, on devices that can only do one after the other.
//
//   named apart -> moved -> named as it shall be
//
// In between it has a name of our own, which no other object in either folder has, and under which it is not shown.
// What is under way stands in the spool, so a successor goes on where it was interrupted: what has reached its folder
// gets its new name, what has not gets its old one back. Where the note is lost too (the cable was pulled), the name
// says what the object was called.
#pragma once

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::mtp {

struct MoveNote {
    struct Place {
        std::uint32_t storage = 0;
        std::vector<std::string> folders;  // from the storage's root down
        std::string name;
    };
    Place from;
    Place to;
    bool replaces = false;  // what has the name there has to go
};

// For the spool; its first byte tells it from an upload's note.
[[nodiscard]] std::vector<std::byte> encode_move_note(const MoveNote& note);
[[nodiscard]] bool is_move_note(std::span<const std::byte> bytes);
// EPROTO: it is none; the detail names the field.
[[nodiscard]] Result<MoveNote> decode_move_note(std::span<const std::byte> bytes);

// What an object is called on its way.
[[nodiscard]] std::string moving_name(const std::string& name);
// What it was called before; nothing if it is not on its way.
[[nodiscard]] std::optional<std::string> parse_moving_name(const std::string& filename);

}  // namespace plugfs::mtp
