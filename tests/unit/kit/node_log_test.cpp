#include "kit/node_log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

struct Fixture {
    UniqueFd fd;
    VaultMapping vault = [this] {
        auto made = VaultMapping::create(fd);
        REQUIRE(made.ok());
        return std::move(*made);
    }();
    NodeLog log{vault};

    [[nodiscard]] std::vector<NodeNote> read() const {
        auto notes = NodeLog(vault).read();
        REQUIRE(notes.ok());
        std::sort(notes->begin(), notes->end(), [](const auto& a, const auto& b) { return a.inode < b.inode; });
        return std::move(*notes);
    }
    [[nodiscard]] Error error() const {
        const auto notes = NodeLog(vault).read();
        REQUIRE_FALSE(notes.ok());
        return notes.error();
    }
    [[nodiscard]] std::uint64_t used() const { return vault.header().node_area_used[vault.header().node_area]; }
};

NodeNote note(std::uint64_t inode, std::string name) {
    return {inode, 1, std::move(name), "device's \xff name", std::string("id\0entity", 9), Kind::file, 1ULL << 40U, -5};
}

}  // namespace

TEST_CASE("notes are read back as they were, the last one of each inode, without those taken back") {
    Fixture fixture;
    CHECK(fixture.read().empty());
    fixture.log.note(note(20, "first"));
    fixture.log.note(note(21, "gone"));
    auto changed = note(20, "renamed");
    changed.modified.reset();
    changed.kind = Kind::directory;
    fixture.log.note(changed);
    fixture.log.note(note(22, ""));
    fixture.log.take_back(21);
    const auto notes = fixture.read();
    REQUIRE(notes.size() == 2);
    CHECK(notes[0].name == "renamed");
    CHECK(notes[0].kind == Kind::directory);
    CHECK_FALSE(notes[0].modified.has_value());
    CHECK(notes[1].parent == 1);
    CHECK(notes[1].device_name == "device's \xff name");
    CHECK(notes[1].identity.size() == 9);
    CHECK(notes[1].size == 1ULL << 40U);
    CHECK(notes[1].modified == -5);
}

TEST_CASE("a note that was being written when the worker died does not count") {
    Fixture fixture;
    fixture.log.note(note(20, "whole"));
    // All of it but the last step.
    std::memset(fixture.vault.node_area(0).data() + fixture.used(), 0xab, 100);
    CHECK(fixture.read().size() == 1);
}

TEST_CASE("damaged notes are refused, whatever byte it is") {
    Fixture fixture;
    fixture.log.note(note(20, "some name"));
    fixture.log.note(note(21, "another"));
    auto bytes = fixture.vault.node_area(0);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < fixture.used(); ++at) {
        bytes[at] ^= std::byte{0x41};
        refused += NodeLog(fixture.vault).read().ok() ? 0 : 1;
        bytes[at] ^= std::byte{0x41};
    }
    CHECK(refused == fixture.used());
    CHECK(fixture.read().size() == 2);
}

TEST_CASE("a header that does not add up is refused") {
    Fixture fixture;
    fixture.log.note(note(20, "a"));
    auto& header = fixture.vault.header();
    header.node_area = 2;
    CHECK(fixture.error().text().find("node_area is 2") != std::string::npos);
    header.node_area = 0;
    header.node_area_used[0] = node_area_size + 1;
    CHECK(fixture.error().text().find("node_area_used") != std::string::npos);
    header.node_area_used[0] = 60;
    CHECK(fixture.error().text().find("length") != std::string::npos);
}

TEST_CASE("a full area moves to the other one, with what still counts") {
    Fixture fixture;
    std::vector<NodeNote> living;
    fixture.log.all = [&living](const auto& give) { std::for_each(living.begin(), living.end(), give); };
    living.push_back(note(20, "stays"));
    fixture.log.note(living.front());
    const auto length = fixture.used();
    std::uint64_t inode = 100;
    while (fixture.vault.header().node_area == 0) {
        fixture.log.note(note(inode, "comes and goes"));
        fixture.log.take_back(inode);
        ++inode;
        REQUIRE(inode < 100 + (node_area_size / length));
    }
    fixture.log.note(note(21, "after"));
    const auto notes = fixture.read();
    REQUIRE(notes.size() >= 2);
    CHECK(notes[0].name == "stays");
    CHECK(notes[1].name == "after");
    CHECK(fixture.used() < 1000);
}

TEST_CASE("more than can be noted is said, and never half of it is taken for all") {
    Fixture fixture;
    std::vector<NodeNote> living;
    fixture.log.all = [&living](const auto& give) { std::for_each(living.begin(), living.end(), give); };
    const std::string long_name(4000, 'n');
    for (std::uint64_t inode = 100; fixture.vault.header().node_area_overflowed == 0; ++inode) {
        REQUIRE(inode < 100'000);
        living.push_back(note(inode, long_name));
        fixture.log.note(living.back());
    }
    CHECK(fixture.error().code == EOVERFLOW);
}
