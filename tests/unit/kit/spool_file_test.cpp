#include "kit/spool_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <string>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}
std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The file as the supervisor keeps it, and the spool in it as process after process has it.
struct Fixture {
    UniqueFd kept{::memfd_create("spool", MFD_CLOEXEC)};
    std::unique_ptr<SpoolFile> spool = next_process();

    [[nodiscard]] std::unique_ptr<SpoolFile> next_process() const {
        auto made = SpoolFile::create(UniqueFd(::dup(kept.get())));
        REQUIRE(made.ok());
        return std::move(*made);
    }
    void die() { spool = next_process(); }
    Spool::Id make(std::string_view note) {
        const auto id = spool->create(bytes(note));
        REQUIRE(id.ok());
        return *id;
    }
    [[nodiscard]] std::string content(Spool::Id id, std::uint64_t offset = 0, std::size_t size = 1000) const {
        std::vector<std::byte> out(size);
        const auto count = spool->read(id, offset, out);
        REQUIRE(count.ok());
        return text(std::span(out).first(*count));
    }
};

}  // namespace

TEST_CASE("files, their bytes and notes are there for the next process") {
    Fixture fixture;
    CHECK(fixture.spool->files().empty());
    const auto one = fixture.make("one");
    const auto two = fixture.make("two");
    CHECK(fixture.spool->write(one, 0, bytes("hello")).ok());
    CHECK(fixture.spool->write(one, 3, bytes("p me")).ok());
    CHECK(fixture.spool->write(two, 4, bytes("x")).ok());
    CHECK(fixture.spool->set_note(two, bytes("another note")).ok());
    fixture.die();
    CHECK(fixture.spool->files() == std::vector<Spool::Id>{one, two});
    CHECK(fixture.content(one) == "help me");
    CHECK(fixture.content(one, 5, 1) == "m");
    CHECK(fixture.content(one, 99).empty());
    CHECK(fixture.content(two) == std::string("\0\0\0\0x", 5));
    CHECK(text(*fixture.spool->note(one)) == "one");
    CHECK(text(*fixture.spool->note(two)) == "another note");
    CHECK(*fixture.spool->size(one) == 7);
}

TEST_CASE("what was cut off does not come back") {
    Fixture fixture;
    const auto id = fixture.make("");
    CHECK(fixture.spool->write(id, 0, bytes(std::string(10'000, 'x'))).ok());
    CHECK(fixture.spool->resize(id, 5).ok());
    CHECK(fixture.content(id) == "xxxxx");
    CHECK(fixture.spool->resize(id, 8).ok());
    CHECK(fixture.content(id) == std::string("xxxxx\0\0\0", 8));
    CHECK(fixture.spool->resize(id, 0).ok());
    CHECK(fixture.spool->write(id, 9000, bytes("y")).ok());
    CHECK(fixture.content(id, 8999) == std::string("\0y", 2));

    fixture.spool->remove(id);
    CHECK(fixture.spool->files().empty());
    CHECK(fixture.spool->read(id, 0, {}).error().code == ENOENT);
    CHECK(fixture.spool->write(id, 0, bytes("x")).error().code == ENOENT);
    CHECK(fixture.spool->set_note(id, {}).error().code == ENOENT);
    fixture.die();
    CHECK(fixture.spool->files().empty());
    REQUIRE(fixture.make("new") == id);
    CHECK(fixture.spool->resize(id, 3).ok());
    CHECK(fixture.content(id) == std::string("\0\0\0", 3));
}

TEST_CASE("a header that is half written does not count: the one before does") {
    Fixture fixture;
    const auto id = fixture.make("first");
    CHECK(fixture.spool->write(id, 0, bytes("hello")).ok());
    CHECK(fixture.spool->set_note(id, bytes("second")).ok());
    // Each byte of the newer one in turn. Three commits so far: the odd place has the newest.
    for (off_t at = SpoolFile::header_size; at < static_cast<off_t>(SpoolFile::header_size) + 36 + 6; ++at) {
        INFO("byte ", at);
        char good = 0;
        REQUIRE(::pread(fixture.kept.get(), &good, 1, at) == 1);
        const char bad = static_cast<char>(good ^ 0x20);
        REQUIRE(::pwrite(fixture.kept.get(), &bad, 1, at) == 1);
        const auto successor = fixture.next_process();
        const auto note = successor->note(id);
        REQUIRE(note.ok());
        CHECK(text(*note) == "first");
        CHECK(*successor->size(id) == 5);
        REQUIRE(::pwrite(fixture.kept.get(), &good, 1, at) == 1);
    }
    CHECK(text(*fixture.next_process()->note(id)) == "second");
}

TEST_CASE("there is an end to everything") {
    Fixture fixture;
    CHECK(fixture.spool->create(std::vector<std::byte>(Spool::note_limit + 1)).error().code == EMSGSIZE);
    for (std::size_t i = 0; i < Spool::file_limit; ++i) {
        fixture.make(std::string(Spool::note_limit, 'n'));
    }
    CHECK(fixture.spool->create(bytes("")).error().code == ENFILE);
    CHECK(fixture.spool->write(0, Spool::size_limit, bytes("x")).error().code == EFBIG);
    CHECK(fixture.spool->write(0, UINT64_MAX, bytes("x")).error().code == EFBIG);
    CHECK(fixture.spool->resize(0, Spool::size_limit + 1).error().code == EFBIG);
    CHECK(fixture.spool->set_note(0, std::vector<std::byte>(Spool::note_limit + 1)).error().code == EMSGSIZE);
    CHECK(fixture.spool->note(Spool::file_limit).error().code == ENOENT);
    // The last byte of one is not the first of the next.
    CHECK(fixture.spool->write(3, Spool::size_limit - 1, bytes("z")).ok());
    CHECK(fixture.content(3, Spool::size_limit - 1) == "z");
    CHECK(fixture.content(4).empty());
}
