#include "drivers/mtp/moves.h"

#include "drivers/mtp/spool_notes.h"

#include <cerrno>

namespace plugfs::mtp {

namespace {

constexpr std::string_view moving_prefix = "~plugfs=";

void put_place(ByteWriter& writer, const MoveNote::Place& place) {
    writer.u32le(place.storage);
    put_texts(writer, place.folders);
    put_text(writer, place.name);
}

MoveNote::Place take_place(ByteReader& reader) {
    MoveNote::Place place;
    place.storage = reader.u32le();
    place.folders = take_texts(reader);
    place.name = take_text(reader);
    return place;
}

}  // namespace

std::vector<std::byte> encode_move_note(const MoveNote& note) {
    ByteWriter writer;
    writer.u8(move_note);
    writer.u8(note.replaces ? 1 : 0);
    put_place(writer, note.from);
    put_place(writer, note.to);
    return std::move(writer).take();
}

bool is_move_note(std::span<const std::byte> bytes) {
    return !bytes.empty() && bytes.front() == std::byte{move_note};
}

Result<MoveNote> decode_move_note(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    MoveNote note;
    if (const auto kind = reader.u8(); kind != move_note) {
        return fail(EPROTO, "spool", "kind of the note is " + std::to_string(kind));
    }
    note.replaces = reader.u8() == 1;
    note.from = take_place(reader);
    note.to = take_place(reader);
    if (!reader.ok() || reader.remaining() > 0 || note.from.name.empty() || note.to.name.empty()) {
        return fail(EPROTO, "spool", "the move's names do not add up");
    }
    return note;
}

std::string moving_name(const std::string& name) {
    return std::string(moving_prefix) + name;
}

std::optional<std::string> parse_moving_name(const std::string& filename) {
    if (!filename.starts_with(moving_prefix) || filename.size() == moving_prefix.size()) {
        return std::nullopt;
    }
    return filename.substr(moving_prefix.size());
}

}  // namespace plugfs::mtp
