// What tags said, remembered in a spool, for this process and for the next.
#include "library/tag_memory.h"

#include "kit/spool_file.h"
#include "library/tag_attributes.h"

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

using namespace plugfs;
using namespace plugfs::library;

namespace {

struct Processes {
    UniqueFd kept{::memfd_create("spool", MFD_CLOEXEC)};
    std::unique_ptr<kit::SpoolFile> spool;
    std::unique_ptr<TagMemory> memory;

    Processes() { next(); }
    void next() {
        memory.reset();
        auto made = kit::SpoolFile::create(UniqueFd(::dup(kept.get())));
        REQUIRE(made);
        spool = std::move(*made);
        memory = std::make_unique<TagMemory>(*spool);
    }
    [[nodiscard]] Spool::Id file() const {
        REQUIRE(spool->files().size() == 1);
        return spool->files().front();
    }
};

FileIdentity file(std::uint64_t place, const std::string& name = "a.mp3") {
    return {.volume = 7, .place = place, .name = name, .size = 1000 + place, .modified = 5};
}
std::vector<Attribute> song(const std::string& title) {
    return {{"media.title", title}, {"media.cover", "", 1234}};
}
std::string title(TagMemory& memory, const FileIdentity& of) {
    const auto found = memory.find(of);
    if (!found) {
        return "unknown";
    }
    if (found->empty()) {
        return "none";
    }
    CHECK(found->back().size == 1234);
    return found->front().value;
}

}  // namespace

TEST_CASE("what was kept is found, by this process and by the next") {
    Processes processes;
    CHECK(title(*processes.memory, file(1)) == "unknown");
    for (Key key = 1; key <= 500; ++key) {
        REQUIRE(processes.memory->begin(file(key)));
        processes.memory->keep(file(key), key == 3 ? std::vector<Attribute>() : song("song " + std::to_string(key)));
    }
    for (int process = 0; process < 3; ++process) {
        CHECK(processes.memory->size() == 500);
        CHECK(title(*processes.memory, file(1)) == "song 1");
        CHECK(title(*processes.memory, file(500)) == "song 500");
        CHECK(title(*processes.memory, file(3)) == "none");
        CHECK_FALSE(processes.memory->music());
        processes.next();
    }
}

TEST_CASE("a file that is not the same any more is not known") {
    Processes processes;
    processes.memory->keep(file(1), song("one"));
    auto other = file(1);
    SUBCASE("name") {
        other.name = "b.mp3";
    }
    SUBCASE("size") {
        ++other.size;
    }
    SUBCASE("time") {
        other.modified = 6;
    }
    SUBCASE("no time") {
        other.modified.reset();
    }
    SUBCASE("volume") {
        ++other.volume;
    }
    CHECK(title(*processes.memory, other) == "unknown");
    processes.memory->keep(other, song("two"));
    CHECK(title(*processes.memory, other) == "two");
    processes.next();
    CHECK(title(*processes.memory, other) == "two");
}

TEST_CASE("what was forgotten stays so") {
    Processes processes;
    processes.memory->keep(file(1), song("one"));
    processes.memory->keep(file(2), song("two"));
    processes.memory->set_music();
    processes.memory->forget(7, 1);
    processes.memory->forget(7, 9);
    CHECK(title(*processes.memory, file(1)) == "unknown");
    processes.next();
    CHECK(title(*processes.memory, file(1)) == "unknown");
    CHECK(title(*processes.memory, file(2)) == "two");
    processes.memory->forget_all();
    CHECK(title(*processes.memory, file(2)) == "unknown");
    processes.next();
    CHECK(title(*processes.memory, file(2)) == "unknown");
    CHECK(processes.memory->music());
}

TEST_CASE("a file that processes die of is given up, and the others are not") {
    Processes processes;
    for (unsigned i = 0; i < TagMemory::tries_limit; ++i) {
        REQUIRE(processes.memory->begin(file(1)));
        processes.next();
    }
    CHECK_FALSE(processes.memory->begin(file(1)));
    CHECK(processes.memory->begin(file(2)));
    auto changed = file(1);
    changed.size = 5;
    CHECK(processes.memory->begin(changed));
}

TEST_CASE("an attribute list is read once, an error is no answer") {
    Processes processes;
    int reads = 0;
    std::optional<Error> error = fail(EIO, "read");
    std::vector<std::string> lines;
    const auto access = [&]() -> TagAttributes::Access {
        return {[&](Key key) -> Result<TagAttributes::File> {
                    return TagAttributes::File{{"a.mp3", 10,
                                                [&](std::uint64_t, std::span<std::byte>) -> Result<std::size_t> {
                                                    ++reads;
                                                    return error ? Result<std::size_t>(*error) : std::size_t{0};
                                                }},
                                               file(key)};
                },
                [] { return true; }, [&](LogLevel, const std::string& line) { lines.push_back(line); }};
    };
    TagAttributes attributes(*processes.memory, access());
    for (unsigned i = 0; i < TagMemory::tries_limit + 2; ++i) {
        CHECK(attributes.list(1).error().code == EIO);
    }
    error.reset();
    REQUIRE(attributes.list(1));
    const int before = reads;
    REQUIRE(attributes.list(1));
    CHECK(reads == before);
    CHECK(lines.empty());
    // Processes that die.
    for (unsigned i = 0; i < TagMemory::tries_limit; ++i) {
        REQUIRE(processes.memory->begin(file(2)));
        processes.next();
    }
    TagAttributes next(*processes.memory, access());
    const auto given_up = next.list(2);
    REQUIRE(given_up);
    CHECK(given_up->empty());
    CHECK(reads == before);
    REQUIRE(next.list(2));
    CHECK(lines.size() == 1);
}

TEST_CASE("a record that was not written to its end ends the log") {
    Processes processes;
    processes.memory->keep(file(1), song("one"));
    processes.memory->keep(file(2), song("two"));
    const auto id = processes.file();
    std::vector<std::byte> log(1000);
    REQUIRE(processes.spool->read(id, 0, log));
    std::uint32_t first = 0;
    std::memcpy(&first, log.data(), sizeof first);
    const std::byte wrong{0x5a};
    REQUIRE(processes.spool->write(id, 8 + first + 8 + 20, std::span(&wrong, 1)));
    processes.next();
    CHECK(title(*processes.memory, file(1)) == "one");
    CHECK(title(*processes.memory, file(2)) == "unknown");
    // And what is written from then on is whole.
    processes.memory->keep(file(3), song("three"));
    processes.next();
    CHECK(title(*processes.memory, file(1)) == "one");
    CHECK(title(*processes.memory, file(2)) == "unknown");
    CHECK(title(*processes.memory, file(3)) == "three");
}

TEST_CASE("a log that is full begins anew, and is never larger than its limit") {
    Processes processes;
    processes.memory->set_music();
    const std::string long_title(20'000, 'x');
    bool began_anew = false;
    for (Key key = 1; key <= 1000; ++key) {
        const std::size_t before = processes.memory->size();
        processes.memory->keep(file(key), song(long_title));
        began_anew |= processes.memory->size() <= before;
        CHECK(title(*processes.memory, file(key)) == long_title);
        CHECK(*processes.spool->size(processes.file()) <= TagMemory::size_limit);
    }
    CHECK(began_anew);
    processes.next();
    CHECK(title(*processes.memory, file(1000)) == long_title);
    CHECK(processes.memory->music());
    // What is too long for a record is not kept.
    processes.memory->keep(file(5), song(std::string(TagMemory::record_limit, 'y')));
    CHECK(title(*processes.memory, file(5)) == "unknown");
}

TEST_CASE("without a spool everything is read again, and nothing breaks") {
    Processes processes;
    for (std::size_t i = 0; i < Spool::file_limit; ++i) {
        REQUIRE(processes.spool->create(std::span<const std::byte>()));
    }
    CHECK(processes.memory->begin(file(1)));
    processes.memory->keep(file(1), song("one"));
    CHECK(title(*processes.memory, file(1)) == "unknown");
    processes.memory->set_music();
    CHECK(processes.memory->music());
    processes.memory->forget_all();
}
