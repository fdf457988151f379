// Writing through the driver on the virtual player: what is on the player afterwards.
#include "driver_fixture.h"

#include <fstream>
#include <iterator>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

struct WritingFixture : DriverFixture {
    Writer& writer() {
        REQUIRE(driver.writer() != nullptr);
        return *driver.writer();
    }
    Bytes on_player(const std::string& name) const {
        std::ifstream stream(folder.path() / name, std::ios::binary);
        REQUIRE(stream.good());
        const std::string text{std::istreambuf_iterator<char>(stream), {}};
        const auto bytes = std::as_bytes(std::span(text));
        return {bytes.begin(), bytes.end()};
    }
    bool there(const std::string& name) const { return std::filesystem::exists(folder.path() / name); }
    std::size_t asked(std::uint16_t operation) const {
        const auto found = responder->transactions().find(operation);
        return found == responder->transactions().end() ? 0 : found->second;
    }
};

const Bytes large = pattern(7, 3'000'000);
const Bytes small = pattern(9, 1000);

}  // namespace

TEST_CASE("a new file is on the device when it is flushed") {
    WritingFixture it;
    it.start();
    const auto made = it.writer().create(it.root(), "new.bin", Kind::file);
    REQUIRE(made);
    CHECK_FALSE(it.there("new.bin"));
    REQUIRE(it.writer().write(made->key, 500, small));
    const auto flushed = it.writer().flush(made->key);
    REQUIRE(flushed);
    CHECK(flushed->size == 1500);
    auto expected = Bytes(500);
    expected.insert(expected.end(), small.begin(), small.end());
    CHECK(it.on_player("new.bin") == expected);
}

TEST_CASE("containers that fill their last packet exactly, and those beside them") {
    WritingFixture it;
    it.start();
    for (const std::size_t size : {0, 1, 499, 500, 501, 1011, 1012, 1013, 262'131, 262'132, 262'133, 524'276}) {
        CAPTURE(size);
        const auto name = "size " + std::to_string(size);
        const auto made = it.writer().create(it.root(), name, Kind::file);
        REQUIRE(made);
        const auto content = pattern(static_cast<unsigned>(size), size);
        REQUIRE((size == 0 || it.writer().write(made->key, 0, content).ok()));
        REQUIRE(it.writer().flush(made->key));
        CHECK(it.on_player(name) == content);
    }
}

TEST_CASE("a large file is changed in place, a small one and one that was emptied come whole") {
    WritingFixture it;
    it.folder.file("large.bin", large);
    it.folder.file("small.bin", small);
    it.start();
    const auto big = it.entry(it.root(), "large.bin").key;
    auto expected = large;
    REQUIRE(it.writer().write(big, 1'000'000, small));
    std::copy(small.begin(), small.end(), expected.begin() + 1'000'000);
    CHECK(it.on_player("large.bin") == expected);  // at once
    CHECK(it.reads(big, expected));
    REQUIRE(it.writer().write(big, 3'000'100, small));
    expected.resize(3'000'100);
    expected.insert(expected.end(), small.begin(), small.end());
    REQUIRE(it.writer().resize(big, 3'000'500));
    expected.resize(3'000'500);
    const auto flushed = it.writer().flush(big);
    REQUIRE(flushed);
    CHECK(flushed->size == 3'000'500);
    CHECK(it.on_player("large.bin") == expected);
    CHECK(it.reads(big, expected));
    CHECK(it.asked(operation::send_object) == 0);
    CHECK(it.asked(operation::begin_edit_object) == 1);
    CHECK(it.asked(operation::end_edit_object) == 1);

    const auto little = it.entry(it.root(), "small.bin").key;
    REQUIRE(it.writer().write(little, 0, pattern(1, 10)));
    CHECK(it.on_player("small.bin") == small);
    REQUIRE(it.writer().flush(little));
    CHECK(it.asked(operation::send_object) == 1);
    REQUIRE(it.writer().resize(big, 0));
    REQUIRE(it.writer().write(big, 0, small));
    CHECK(it.on_player("large.bin") == expected);
    REQUIRE(it.writer().flush(big));
    CHECK(it.on_player("large.bin") == small);
    CHECK(it.asked(operation::send_object) == 2);
}

TEST_CASE("after a write that failed, the old file stays") {
    WritingFixture it;
    it.folder.file("old.bin", small);
    REQUIRE(it.faults.set("free=2000"));
    it.start();
    const auto key = it.entry(it.root(), "old.bin").key;
    REQUIRE(it.writer().resize(key, 0));
    const auto refused = it.writer().write(key, 0, pattern(1, 5000));
    REQUIRE(!refused);
    CHECK(refused.error().code == ENOSPC);
    const auto closed = it.writer().flush(key);
    REQUIRE(!closed);
    CHECK(closed.error().code == ENOSPC);
    CHECK(it.on_player("old.bin") == small);
    CHECK(it.writer().flush(key));  // there is nothing more to say
    // Cut back to what fits, it is fine; and room that has come meanwhile is seen.
    REQUIRE(it.writer().resize(key, 0));
    REQUIRE_FALSE(it.writer().write(key, 0, pattern(1, 5000)));
    REQUIRE(it.writer().resize(key, 0));
    REQUIRE(it.writer().write(key, 0, pattern(1, 50)));
    REQUIRE(it.writer().flush(key));
    CHECK(it.on_player("old.bin") == pattern(1, 50));
    it.faults.clear();
    CHECK(it.writer().write(key, 0, pattern(1, 5000)));
    CHECK(it.writer().flush(key));
}

TEST_CASE("moved and renamed at once, also where both names are taken on the way") {
    WritingFixture it;
    it.folder.file("one/x", small);
    it.folder.file("one/y", pattern(1, 10));
    it.folder.file("two/x", pattern(2, 20));
    it.start();
    const auto one = it.entry(it.root(), "one").key;
    const auto two = it.entry(it.root(), "two").key;
    const auto moved = it.writer().rename(it.entry(one, "x").key, two, "y", {});
    REQUIRE(moved);
    CHECK(moved->name == "y");
    CHECK(it.on_player("two/y") == small);
    CHECK_FALSE(it.there("one/x"));
    CHECK(it.on_player("one/y") == pattern(1, 10));
    CHECK(it.on_player("two/x") == pattern(2, 20));
    const auto replaced = it.writer().rename(it.entry(one, "y").key, two, "x", it.entry(two, "x").key);
    REQUIRE(replaced);
    CHECK(it.on_player("two/x") == pattern(1, 10));
    CHECK(it.host.spool().files().empty());
}
