// What stands in the spool, and the names that objects have on their way: read back as it was written, and refused when
// it is none.
#include "drivers/mtp/moves.h"
#include "drivers/mtp/uploads.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;

TEST_CASE("an upload's note") {
    UploadNote note;
    note.storage = 0x00010001;
    note.folders = {"Music", "Ä/b", ""};
    note.name = "a.mp3";
    note.modified = -5;
    note.failure = ENOSPC;
    note.filling = true;
    note.copied_as = "b.mp3";
    note.copied_size = std::uint64_t{5} << 32U;
    const auto bytes = encode_note(note);
    CHECK_FALSE(is_move_note(bytes));
    const auto read = decode_note(bytes);
    REQUIRE(read);
    CHECK(read->storage == note.storage);
    CHECK(read->folders == note.folders);
    CHECK(read->name == note.name);
    CHECK(read->modified == note.modified);
    CHECK(read->failure == ENOSPC);
    CHECK(read->filling);
    CHECK(read->copied_as == "b.mp3");
    CHECK(read->copied_size == note.copied_size);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CAPTURE(length);
        CHECK_FALSE(decode_note(std::span(bytes).first(length)));
    }
    auto longer = bytes;
    longer.push_back(std::byte{0});
    CHECK_FALSE(decode_note(longer));
    CHECK_FALSE(decode_move_note(bytes));
}

TEST_CASE("a move's note") {
    MoveNote note;
    note.from = {1, {"Music"}, "a.mp3"};
    note.to = {2, {"Music", "new"}, "b.mp3"};
    note.replaces = true;
    const auto bytes = encode_move_note(note);
    CHECK(is_move_note(bytes));
    const auto read = decode_move_note(bytes);
    REQUIRE(read);
    CHECK(read->from.storage == 1);
    CHECK(read->from.folders == note.from.folders);
    CHECK(read->from.name == "a.mp3");
    CHECK(read->to.storage == 2);
    CHECK(read->to.folders == note.to.folders);
    CHECK(read->to.name == "b.mp3");
    CHECK(read->replaces);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CAPTURE(length);
        CHECK_FALSE(decode_move_note(std::span(bytes).first(length)));
    }
    CHECK_FALSE(decode_note(bytes));
}

TEST_CASE("names of our own say what they are for, and no others do") {
    CHECK(parse_temporary_name(temporary_name(0x1234, "a-b.mp3"))->size == 0x1234);
    CHECK(parse_temporary_name(temporary_name(0x1234, "a-b.mp3"))->name == "a-b.mp3");
    CHECK(parse_moving_name(moving_name("x")) == "x");
    for (const char* name :
         {"", "a", "~plugfs-", "~plugfs--a", "~plugfs-12", "~plugfs-12-", "~plugfs-zz-a", "~plugfs="}) {
        CAPTURE(name);
        CHECK_FALSE(parse_temporary_name(name));
        CHECK_FALSE(parse_moving_name(name));
    }
    CHECK_FALSE(parse_temporary_name(moving_name("12-a")));
    CHECK_FALSE(parse_moving_name(temporary_name(1, "a")));
}
