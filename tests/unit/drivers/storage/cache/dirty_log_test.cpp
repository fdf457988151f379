#include "drivers/storage/cache/dirty_log.h"

#include "memory_unit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

constexpr DirtyLog::Medium medium{77, 512, 100000};

struct Fixture {
    test::LogMemory memory{DirtyLog::smallest};
    std::unique_ptr<DirtyLog> log = open();

    [[nodiscard]] std::unique_ptr<DirtyLog> open(const DirtyLog::Medium& of = medium) {
        auto opened = DirtyLog::open(memory.bytes(), of);
        REQUIRE(opened.ok());
        return std::move(*opened);
    }
    void reopen(const DirtyLog::Medium& of = medium) {
        log.reset();
        log = open(of);
    }
    void append(std::uint64_t block, std::size_t blocks = 1, std::uint64_t epoch = 1) const {
        const std::vector<std::byte> bytes(blocks * 512, static_cast<std::byte>(block));
        REQUIRE(log->fits(bytes.size()));
        (void)log->append(epoch, block, bytes);
    }
    [[nodiscard]] std::vector<std::uint64_t> blocks() const {
        std::vector<std::uint64_t> list;
        for (const auto& record : log->records()) {
            list.push_back(record.block);
            if (record.bytes != nullptr) {
                CHECK(record.bytes[0] == static_cast<std::byte>(record.block));
                CHECK(record.bytes[(record.count * 512) - 1] == static_cast<std::byte>(record.block));
            }
        }
        return list;
    }
};
using Blocks = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("a successor finds what was committed, and nothing after it") {
    Fixture fixture;
    fixture.append(1);
    fixture.append(2, 3, 2);
    (void)fixture.log->append_discard(2, 50, 7);
    fixture.log->commit();
    fixture.append(4, 1, 3);
    CHECK(fixture.log->committed_count() == 3);
    CHECK(fixture.log->has_uncommitted());
    fixture.reopen();
    CHECK(fixture.log->found().damage.empty());
    CHECK(fixture.log->found().records == 3);
    CHECK(fixture.blocks() == Blocks{1, 2, 50});
    CHECK(fixture.log->records()[1].epoch == 2);
    CHECK(fixture.log->records()[2].count == 7);
    CHECK_FALSE(fixture.log->has_uncommitted());
    SUBCASE("and goes on behind it") {
        fixture.append(9, 1, 4);
        fixture.log->commit();
        fixture.reopen();
        CHECK(fixture.blocks() == Blocks{1, 2, 50, 9});
    }
    SUBCASE("what is released is gone") {
        fixture.log->release(1);
        fixture.reopen();
        CHECK(fixture.blocks() == Blocks{2, 50});
        fixture.log->release(2);
        fixture.reopen();
        CHECK(fixture.blocks().empty());
        CHECK(fixture.log->used() == 0);
    }
    SUBCASE("clear") {
        fixture.log->clear();
        fixture.reopen();
        CHECK(fixture.blocks().empty());
        CHECK(fixture.log->found().damage.empty());
    }
}

TEST_CASE("round and round, with records of all lengths") {
    Fixture fixture;
    std::mt19937 random(5);  // NOLINT(cert-msc51-cpp): the same every time
    std::deque<std::uint64_t> model;
    std::uint64_t next = 1;
    for (int i = 0; i < 5000; ++i) {
        const std::size_t length = 1 + (random() % 60);
        if (fixture.log->fits(length * 512)) {
            fixture.append(next, length, next);
            fixture.log->commit();
            model.push_back(next++);
        } else {
            REQUIRE_FALSE(model.empty());
        }
        if (random() % 3 == 0 || !fixture.log->fits(60 * 512)) {
            const std::size_t count = random() % (model.size() + 1);
            fixture.log->release(count);
            model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
        }
        if (random() % 20 == 0) {
            fixture.reopen();
            REQUIRE(fixture.log->found().damage.empty());
        }
        REQUIRE(fixture.blocks() == Blocks(model.begin(), model.end()));
    }
    CHECK(next > 1000);
}

TEST_CASE("damage: what comes before it counts, and it is told") {
    Fixture fixture;
    for (std::uint64_t i = 1; i <= 3; ++i) {
        fixture.append(i);
        fixture.log->commit();
    }
    const auto bytes = fixture.memory.bytes();
    const std::size_t each = DirtyLog::record_header_size + 512 + DirtyLog::record_header_size;
    SUBCASE("in a record's header") {
        bytes[DirtyLog::header_size + each + 16] ^= std::byte{1};
    }
    SUBCASE("in its content") {
        bytes[DirtyLog::header_size + each + 64 + 511] ^= std::byte{0x80};
    }
    SUBCASE("in the end of its transaction") {
        bytes[DirtyLog::header_size + (2 * each) - 64] ^= std::byte{1};
    }
    fixture.reopen();
    CHECK(fixture.blocks() == Blocks{1});
    CHECK_FALSE(fixture.log->found().damage.empty());
    fixture.reopen();
    CHECK(fixture.blocks() == Blocks{1});
    CHECK(fixture.log->found().damage.empty());
}

TEST_CASE("another medium's log is not used") {
    Fixture fixture;
    fixture.append(1);
    fixture.log->commit();
    DirtyLog::Medium other = medium;
    SUBCASE("identity") {
        other.identity = 78;
    }
    SUBCASE("block size") {
        other.block_size = 4096;
    }
    SUBCASE("size") {
        other.block_count = 99999;
    }
    fixture.reopen(other);
    CHECK(fixture.log->records().empty());
    CHECK(fixture.log->found().damage.find("another medium") != std::string::npos);
}

TEST_CASE("memory that is too small, and a header of nonsense") {
    test::LogMemory little(DirtyLog::smallest - 64);
    CHECK(DirtyLog::open(little.bytes(), medium).error().code == EINVAL);
    Fixture fixture;
    std::memset(fixture.memory.bytes().data(), 0x5a, 64);
    fixture.reopen();
    CHECK(fixture.log->records().empty());
    CHECK_FALSE(fixture.log->found().damage.empty());
}

TEST_CASE("the fingerprint is kept") {
    Fixture fixture;
    fixture.log->set_fingerprint({3, 4});
    fixture.append(1);
    fixture.log->commit();
    fixture.reopen();
    CHECK(fixture.log->fingerprint().before == 3);
    CHECK(fixture.log->fingerprint().after == 4);
}

TEST_CASE("the checksum sees every byte, and the length") {
    std::vector<std::byte> bytes(100);
    const auto sum = checksum64(bytes);
    for (auto& byte : bytes) {
        byte ^= std::byte{4};
        CHECK(checksum64(bytes) != sum);
        byte ^= std::byte{4};
    }
    CHECK(checksum64(std::span(bytes).first(99)) != sum);
    CHECK(checksum64(bytes, 1) != sum);
}
