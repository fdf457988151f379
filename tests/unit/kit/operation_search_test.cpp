#include "kit/operation_search.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <map>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

// A device with folders and files, of which it gives one at a time.
class Device : public Driver {
  public:
    std::map<Key, std::vector<Entry>> folders;
    unsigned stale = 0;    // how many listings it answers with ESTALE first
    bool endless = false;  // folders have no end

    Result<void> start() override { return {}; }
    Result<Listing> list(Key folder, std::uint64_t cursor) override {
        if (stale > 0) {
            --stale;
            return fail(ESTALE, "list");
        }
        if (endless) {
            return Listing{{}, cursor + 1};
        }
        const auto& entries = folders[folder];
        if (cursor >= entries.size()) {
            return Listing{};
        }
        return Listing{{entries[cursor]}, cursor + 1};
    }
    Result<std::size_t> read(Key /*file*/, std::uint64_t /*offset*/, std::span<std::byte> /*out*/) override {
        return fail(EIO, "read");
    }
};

Entry folder(Key key, std::string name) {
    return {.key = key, .name = std::move(name), .kind = Kind::directory};
}
Entry file(Key key, std::string name) {
    return {.key = key, .name = std::move(name)};
}

OperationTrace trace(Device& device, const Operation& operation) {
    auto found = search_for(device, operation);
    REQUIRE(found.ok());
    return std::move(*found);
}

// The folders a and b, and in a the file x.
struct Fixture {
    Device device;
    Fixture() {
        device.folders[root_key] = {folder(1, "a"), folder(2, "b")};
        device.folders[1] = {file(3, "x")};
    }
};

}  // namespace

TEST_CASE("made: it has happened when it is there") {
    Fixture fixture;
    const auto there = trace(fixture.device, {1, Operation::What::create_file, 0, 0, {"a", "x"}, {}});
    CHECK(there.took_effect);
    REQUIRE(there.entry.has_value());
    CHECK(there.entry->key == 3);
    CHECK_FALSE(trace(fixture.device, {1, Operation::What::create_file, 0, 0, {"a", "y"}, {}}).took_effect);
    CHECK_FALSE(trace(fixture.device, {1, Operation::What::create_folder, 0, 0, {"a", "x", "y"}, {}}).took_effect);
}

TEST_CASE("removed: it has happened when it is not there") {
    Fixture fixture;
    CHECK_FALSE(trace(fixture.device, {1, Operation::What::remove, 9, 0, {"a", "x"}, {}}).took_effect);
    CHECK(trace(fixture.device, {1, Operation::What::remove, 9, 0, {"b", "x"}, {}}).took_effect);
}

TEST_CASE("renamed: it has happened when it is not at its old place and at its new one") {
    Fixture fixture;
    const Operation move{1, Operation::What::rename, 9, 8, {"a", "x"}, {"b", "y"}};
    CHECK_FALSE(trace(fixture.device, move).took_effect);
    // What it was to replace does not count.
    fixture.device.folders[2] = {file(4, "y")};
    CHECK_FALSE(trace(fixture.device, move).took_effect);
    fixture.device.folders[1].clear();
    const auto moved = trace(fixture.device, move);
    CHECK(moved.took_effect);
    REQUIRE(moved.entry.has_value());
    CHECK(moved.entry->key == 4);
    fixture.device.folders[2].clear();
    CHECK_FALSE(trace(fixture.device, move).took_effect);
}

TEST_CASE("a new session in the middle is begun with again, not for ever") {
    Fixture fixture;
    fixture.device.stale = 2;
    CHECK(trace(fixture.device, {1, Operation::What::create_file, 0, 0, {"a", "x"}, {}}).took_effect);
    fixture.device.stale = 100;
    const auto found = search_for(fixture.device, {1, Operation::What::create_file, 0, 0, {"a", "x"}, {}});
    REQUIRE_FALSE(found.ok());
    CHECK(found.error().code == ESTALE);
}

TEST_CASE("a folder without an end is given up") {
    Fixture fixture;
    fixture.device.endless = true;
    const auto found = search_for(fixture.device, {1, Operation::What::remove, 9, 0, {"a"}, {}});
    REQUIRE_FALSE(found.ok());
    CHECK(found.error().code == EIO);
}
