#include "drivers/storage/cache/block_cache.h"

#include "memory_unit.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

constexpr auto metadata = BlockDevice::Use::metadata;
constexpr auto data = BlockDevice::Use::data;

struct Fixture {
    test::MemoryUnit unit{512, 8192};
    test::LogMemory memory{std::size_t{1} << 20U};
    std::string lost;
    BlockCache::Limits limits;
    std::unique_ptr<BlockCache> cache = open();

    [[nodiscard]] std::unique_ptr<BlockCache> open() {
        auto opened = BlockCache::create(unit, unit.medium(), memory.bytes(), limits, lost);
        REQUIRE(opened.ok());
        return std::move(*opened);
    }
    void die_and_open() {
        cache.reset();
        cache = open();
    }
    void write(std::uint64_t offset, const std::string& text, BlockDevice::Use use = data) const {
        REQUIRE(cache->write(offset, std::as_bytes(std::span(text)), use).ok());
    }
    [[nodiscard]] std::string read(std::uint64_t offset, std::size_t length, BlockDevice::Use use = data) const {
        std::string text(length, '\0');
        REQUIRE(cache->read(offset, std::as_writable_bytes(std::span(text)), use).ok());
        return text;
    }
    [[nodiscard]] std::string medium(std::uint64_t offset, std::size_t length) const {
        return {reinterpret_cast<const char*>(unit.bytes.data()) + offset, length};
    }
};

}  // namespace

TEST_CASE("what is written is read at once, and is on the medium after flush()") {
    Fixture fixture;
    fixture.write(1000, "across two blocks");
    CHECK(fixture.read(1000, 17) == "across two blocks");
    CHECK(fixture.read(998, 4, metadata) == std::string("\0\0ac", 4));
    CHECK(fixture.medium(1000, 6) != "across");
    REQUIRE(fixture.cache->flush().ok());
    CHECK(fixture.medium(1000, 17) == "across two blocks");
    CHECK(fixture.unit.synchronized == 1);
    CHECK(fixture.cache->dirty_bytes() == 0);
}

TEST_CASE("a successor sees what was committed") {
    Fixture fixture;
    fixture.write(0, "committed");
    REQUIRE(fixture.cache->commit().ok());
    fixture.write(0, "forgotten");
    fixture.die_and_open();
    CHECK(fixture.lost.empty());
    CHECK(fixture.read(0, 9) == "committed");
    CHECK(fixture.read(0, 9, metadata) == "committed");
    REQUIRE(fixture.cache->flush().ok());
    CHECK(fixture.medium(0, 9) == "committed");
}

TEST_CASE("another medium in its place gets nothing of it, and that is told") {
    Fixture fixture;
    fixture.write(5000, "for the first one");
    REQUIRE(fixture.cache->commit().ok());
    SUBCASE("with another block 0") {
        fixture.unit.bytes[100] = std::byte{1};
        fixture.die_and_open();
        CHECK(fixture.lost.find("another medium") != std::string::npos);
    }
    SUBCASE("of another kind") {
        fixture.unit.identity().serial_number = "2";
        fixture.die_and_open();
        CHECK(fixture.lost.find("another medium") != std::string::npos);
    }
    SUBCASE("write-protected meanwhile") {
        fixture.unit.medium().write_protected = true;
        fixture.die_and_open();
        CHECK(fixture.lost.find("write-protected") != std::string::npos);
    }
    CHECK(fixture.read(5000, 3) == std::string(3, '\0'));
    CHECK(fixture.cache->flush().ok());
    CHECK(fixture.medium(5000, 3) == std::string(3, '\0'));
}

TEST_CASE("remarks are kept for a successor, not for another medium") {
    Fixture fixture;
    CHECK(fixture.cache->remarks() == 0);
    fixture.cache->set_remarks(5);
    fixture.write(0, "another block 0");
    REQUIRE(fixture.cache->flush().ok());
    fixture.die_and_open();
    CHECK(fixture.cache->remarks() == 5);
    fixture.unit.bytes[100] = std::byte{1};
    fixture.die_and_open();
    CHECK(fixture.lost.empty());
    CHECK(fixture.cache->remarks() == 0);
}

TEST_CASE("metadata is read once, and in sequence in growing pieces; data passes through") {
    Fixture fixture;
    fixture.unit.reads = 0;
    (void)fixture.read(40000, 100, metadata);
    (void)fixture.read(40100, 100, metadata);
    CHECK(fixture.unit.reads == 1);
    fixture.unit.reads = 0;
    for (std::uint64_t page = 100; page < 200; ++page) {
        (void)fixture.read(page * 4096, 4096, metadata);
    }
    CHECK(fixture.unit.reads < 15);
    fixture.unit.reads = 0;
    (void)fixture.read(1 << 20, 1 << 20);
    (void)fixture.read(1 << 20, 1 << 20);
    CHECK(fixture.unit.reads == 2);
    fixture.unit.reads = 0;
    (void)fixture.read((1 << 20) + 3, 1000000);
    CHECK(fixture.unit.reads == 3);  // both ends, and what is between
}

TEST_CASE("what lies in the log is not asked of the device") {
    Fixture fixture;
    fixture.write(8192, std::string(4096, 'x'));
    fixture.unit.reads = 0;
    CHECK(fixture.read(8192, 4096) == std::string(4096, 'x'));
    CHECK(fixture.unit.reads == 0);
    CHECK(fixture.read(8192 - 512, 4096 + 1024).substr(512, 4096) == std::string(4096, 'x'));
    CHECK(fixture.unit.reads == 1);
}

TEST_CASE("a writer who is quicker than the device waits for it") {
    Fixture fixture;
    const std::string piece(200000, 'p');
    for (int i = 0; i < 18; ++i) {
        fixture.write(static_cast<std::uint64_t>(i) * 200000, piece);
        REQUIRE(fixture.cache->commit().ok());
        CHECK(fixture.cache->dirty_bytes() <= (1U << 20U));
    }
    CHECK(fixture.unit.writes > 0);
    CHECK(fixture.read(0, 18 * 200000) == std::string(std::size_t{18} * 200000, 'p'));
}

TEST_CASE("a transaction that does not fit is an error") {
    Fixture fixture;
    const std::string piece(100000, 'p');
    Result<void> written;
    for (int i = 0; i < 12 && written; ++i) {
        written = fixture.cache->write(static_cast<std::uint64_t>(i) * 100000, std::as_bytes(std::span(piece)), data);
    }
    CHECK(written.error().code == EFBIG);
    CHECK(fixture.unit.writes == 0);
}

TEST_CASE("what is outside of the medium, and a write-protected one") {
    Fixture fixture;
    std::vector<std::byte> bytes(600);
    CHECK(fixture.cache->read(fixture.cache->size() - 599, bytes, data).error().code == EINVAL);
    CHECK(fixture.cache->write(fixture.cache->size() - 599, bytes, metadata).error().code == EINVAL);
    CHECK(fixture.cache->read(~std::uint64_t{0} - 10, bytes, metadata).error().code == EINVAL);
    CHECK(fixture.cache->read(fixture.cache->size() - 600, bytes, metadata).ok());
    CHECK(fixture.cache->read(fixture.cache->size(), {}, data).ok());
    fixture.unit.medium().write_protected = true;
    fixture.die_and_open();
    CHECK_FALSE(fixture.cache->writable());
    CHECK(fixture.cache->write(0, bytes, data).error().code == EROFS);
}

TEST_CASE("tend() writes back what is old, and says when to come again") {
    Fixture fixture;
    CHECK(fixture.cache->tend().value() > std::chrono::seconds(10));
    fixture.write(3000, "soon");
    REQUIRE(fixture.cache->commit().ok());
    const auto wait = fixture.cache->tend().value();
    CHECK(wait > std::chrono::milliseconds(0));
    CHECK(wait <= fixture.limits.old_age);
    CHECK(fixture.unit.writes == 0);
    fixture.limits.old_age = std::chrono::milliseconds(0);
    fixture.die_and_open();
    while (fixture.cache->tend().value() == std::chrono::milliseconds(0)) {
    }
    CHECK(fixture.medium(3000, 4) == "soon");
    CHECK(fixture.unit.synchronized == 1);
    CHECK(fixture.cache->dirty_bytes() == 0);
}

TEST_CASE("tend() writes back much at once, old or not, and then leaves off") {
    Fixture fixture;
    fixture.limits.much = 100'000;
    fixture.die_and_open();
    const std::string piece(40'000, 'p');
    for (std::uint64_t at = 0; at < 80'000; at += piece.size()) {
        fixture.write(at, piece);
        REQUIRE(fixture.cache->commit().ok());
        CHECK(fixture.cache->tend().value() > std::chrono::milliseconds(0));
    }
    CHECK(fixture.unit.writes == 0);
    fixture.write(80'000, piece);
    REQUIRE(fixture.cache->commit().ok());
    while (fixture.cache->tend().value() == std::chrono::milliseconds(0)) {
    }
    CHECK(fixture.medium(80'000, piece.size()) == piece);
    CHECK(fixture.cache->dirty_bytes() == 0);
    fixture.write(0, piece);
    REQUIRE(fixture.cache->commit().ok());
    CHECK(fixture.cache->tend().value() > std::chrono::milliseconds(0));
}

TEST_CASE("a while after it has been written back the memory is given back") {
    Fixture fixture;
    fixture.limits.quiet = std::chrono::milliseconds(50);
    fixture.die_and_open();
    fixture.write(3000, "soon");
    REQUIRE(fixture.cache->flush().ok());
    const auto wait = fixture.cache->tend().value();
    // Or it has been quiet that long already.
    CHECK((wait <= fixture.limits.quiet || wait > std::chrono::seconds(10)));
    const auto soon = Deadline::after(std::chrono::seconds(10));
    while (fixture.cache->tend().value() <= fixture.limits.quiet && !soon.expired()) {
    }
    CHECK(fixture.cache->tend().value() > std::chrono::seconds(10));
    fixture.write(3000, "more");
    CHECK(fixture.read(3000, 4) == "more");
    REQUIRE(fixture.cache->flush().ok());
    CHECK(fixture.medium(3000, 4) == "more");
}

TEST_CASE("a device that fails to take it three times is not written to any more; readers still see it") {
    Fixture fixture;
    fixture.write(3000, "never");
    REQUIRE(fixture.cache->commit().ok());
    fixture.unit.before = [](const char* call) {
        return std::string(call) == "write" ? Result<void>(fail(EIO, "WRITE(10)", "medium error")) : Result<void>();
    };
    for (int i = 0; i < 3; ++i) {
        CHECK(fixture.cache->writable());
        CHECK(fixture.cache->flush().error().code == EIO);
    }
    CHECK_FALSE(fixture.cache->writable());
    REQUIRE(fixture.cache->failure());
    CHECK(fixture.cache->failure()->detail == "medium error");
    const std::string text = "no";
    CHECK(fixture.cache->write(0, std::as_bytes(std::span(text)), data).error().code == EROFS);
    CHECK(fixture.cache->flush().error().code == EIO);
    CHECK(fixture.read(3000, 5) == "never");
}

TEST_CASE("a device that fails once is written to again") {
    Fixture fixture;
    fixture.write(3000, "again");
    int failures = 1;
    fixture.unit.before = [&failures](const char* call) {
        return std::string(call) == "write" && failures-- > 0 ? Result<void>(fail(EIO, call)) : Result<void>();
    };
    CHECK(fixture.cache->flush().error().code == EIO);
    CHECK(fixture.cache->flush().ok());
    CHECK(fixture.medium(3000, 5) == "again");
}

TEST_CASE("discard: only where the device has it, only whole blocks") {
    Fixture fixture;
    fixture.cache->discard(0, 4096);
    REQUIRE(fixture.cache->flush().ok());
    CHECK(fixture.unit.unmapped.empty());
    fixture.unit.medium().can_unmap = true;
    fixture.die_and_open();
    fixture.cache->discard(100, 4096);
    fixture.cache->discard(fixture.cache->size(), 4096);
    REQUIRE(fixture.cache->flush().ok());
    CHECK(fixture.unit.unmapped == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 7}});
}
