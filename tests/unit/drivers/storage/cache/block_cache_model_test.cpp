// Random work on a BlockCache, whose process dies at any moment, even in the middle of a call of the device, and whose
// device loses its power; against models.

#include "drivers/storage/cache/block_cache.h"

#include "memory_unit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

constexpr auto metadata = BlockDevice::Use::metadata;
constexpr auto data = BlockDevice::Use::data;

struct Death {};

// REQUIRE() would catch a Death.
template <class Value>
void require(const Result<Value>& result) {
    REQUIRE(result.ok());
}

class Stage {
  public:
    explicit Stage(unsigned seed, std::uint32_t block_size, std::uint64_t blocks)
        : random(seed), unit(block_size, blocks), memory(DirtyLog::smallest) {
        unit.before = [this](const char*) {
            if (calls_to_live == 0) {
                throw Death();
            }
            --calls_to_live;
            return Result<void>();
        };
        open();
    }
    // Who goes now dies of nothing more: what is under way is waited for.
    ~Stage() { calls_to_live = never; }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;
    // What is committed must be found whole.
    void open() {
        calls_to_live = never;
        cache.reset();
        unit.looks = random() % 3;
        BlockCache::Limits limits;
        limits.pages = 8;
        limits.old_age = std::chrono::milliseconds(0);
        std::string lost;
        auto opened = BlockCache::create(unit, unit.medium(), memory.bytes(), limits, lost);
        REQUIRE(opened.ok());
        REQUIRE(lost == "");
        cache = std::move(*opened);
        if (random() % 2 == 0) {
            calls_to_live = random() % 40;
        }
    }
    std::uint64_t number(std::uint64_t limit) { return random() % limit; }

    static constexpr unsigned never = ~0U;
    std::mt19937 random;
    test::MemoryUnit unit;
    test::LogMemory memory;
    std::unique_ptr<BlockCache> cache;
    unsigned calls_to_live = never;
};

// Bytes at any offset: what is seen, and what was committed.
class ByteModel {
  public:
    explicit ByteModel(unsigned seed, std::uint32_t block_size)
        : stage_(seed, block_size, (std::size_t{192} << 10U) / block_size),
          seen_(stage_.unit.bytes.size()),
          committed_(seen_) {}

    void work() {
        try {
            step();
        } catch (const Death&) {
            die();
        }
    }
    unsigned deaths = 0;

  private:
    void die() {
        ++deaths;
        // With the commit that was under way, if it had come so far.
        if (stage_.number(2) == 0) {
            stage_.unit.power_cut(stage_.random);
        }
        seen_ = committed_;
        stage_.open();
    }
    void step() {
        const std::uint64_t offset = stage_.number(seen_.size());
        const std::uint64_t limit = stage_.number(20) == 0 ? 60000 : 3000;
        const std::size_t length = stage_.number(std::min<std::uint64_t>(limit, seen_.size() - offset) + 1);
        const auto use = stage_.number(2) == 0 ? metadata : data;
        switch (stage_.number(12)) {
            case 0:
                require(stage_.cache->commit());
                committed_ = seen_;
                break;
            case 1:
                require(stage_.cache->commit());
                committed_ = seen_;
                require(stage_.cache->flush());
                CHECK(stage_.unit.bytes == seen_);
                break;
            case 2:
                stage_.cache->order();
                break;
            case 3:
                require(stage_.cache->tend());
                break;
            case 4:
                if (stage_.number(10) == 0) {
                    die();
                }
                break;
            case 5:
            case 6:
            case 7:
            case 8:
                read(offset, length, use);
                break;
            default:
                write(offset, length, use);
        }
    }
    void read(std::uint64_t offset, std::size_t length, BlockDevice::Use use) {
        std::vector<std::byte> out(length);
        require(stage_.cache->read(offset, out, use));
        REQUIRE(std::equal(out.begin(), out.end(), seen_.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
    void write(std::uint64_t offset, std::size_t length, BlockDevice::Use use) {
        std::vector<std::byte> bytes(length);
        std::generate(bytes.begin(), bytes.end(), [this] { return static_cast<std::byte>(stage_.random()); });
        const auto written = stage_.cache->write(offset, bytes, use);
        if (!written) {
            // Too much without a commit: begin again, as after a failed operation of a file system.
            REQUIRE(written.error().code == EFBIG);
            die();
            return;
        }
        std::copy(bytes.begin(), bytes.end(), seen_.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    Stage stage_;
    std::vector<std::byte> seen_;
    std::vector<std::byte> committed_;
};

// Blocks that hold the number of the write: what is on the medium when the power goes.
class OrderModel {
  public:
    explicit OrderModel(unsigned seed) : stage_(seed, 512, blocks), history_(blocks, {{0}}) {}

    void work() {
        try {
            step();
        } catch (const Death&) {
            forget_uncommitted();
            stage_.open();
        }
        if (stage_.number(40) == 0) {
            cut();
        }
    }
    unsigned cuts = 0;

  private:
    static constexpr std::size_t blocks = 48;
    // What must be on the medium before it: all that was written before its epoch, and in its epoch before it in a
    // lower rank.
    struct Version {
        std::uint64_t number = 0;
        std::uint64_t epoch = 0;  // the number of the first write in it
        BlockDevice::Rank rank = BlockDevice::Rank::content;
        bool committed = true;
        bool flushed = true;
    };
    void forget_uncommitted() {
        for (auto& versions : history_) {
            std::erase_if(versions, [](const Version& version) { return !version.committed; });
        }
        epoch_ = last_ + 1;
    }
    void mark(bool Version::*what) {
        for (auto& versions : history_) {
            for (auto& version : versions) {
                version.*what = true;
            }
        }
    }
    void step() {
        switch (stage_.number(8)) {
            case 0:
                require(stage_.cache->commit());
                mark(&Version::committed);
                break;
            case 1:
                if (stage_.number(4) == 0) {
                    require(stage_.cache->commit());
                    mark(&Version::committed);
                    require(stage_.cache->flush());
                    mark(&Version::flushed);
                }
                break;
            case 2:
                stage_.cache->order();
                epoch_ = last_ + 1;
                break;
            case 3:
                require(stage_.cache->tend());
                break;
            default:
                write();
        }
    }
    void write() {
        const std::uint64_t block = stage_.number(blocks);
        const std::uint64_t count = 1 + stage_.number(std::min<std::uint64_t>(6, blocks - block));
        std::vector<std::byte> bytes(count * 512);
        ++last_;
        for (std::uint64_t i = 0; i < count; ++i) {
            std::memcpy(bytes.data() + (i * 512), &last_, sizeof last_);
        }
        const auto rank = static_cast<BlockDevice::Rank>(stage_.number(2) == 0 ? 0 : stage_.number(3));
        require(stage_.cache->write_ranked(block * 512, bytes, data, rank));
        for (std::uint64_t i = 0; i < count; ++i) {
            history_[block + i].push_back({last_, epoch_, rank, false, false});
        }
    }
    // The device loses its power, and with it the process and the log go.
    void cut() {
        ++cuts;
        stage_.unit.power_cut(stage_.random);
        forget_uncommitted();
        std::vector<std::size_t> found(blocks);
        std::uint64_t furthest = 0;
        std::array<std::uint64_t, 3> furthest_of_rank{};
        for (std::size_t block = 0; block < blocks; ++block) {
            std::uint64_t number = 0;
            std::memcpy(&number, stage_.unit.bytes.data() + (block * 512), sizeof number);
            const auto& versions = history_[block];
            const auto version = std::find_if(versions.begin(), versions.end(),
                                              [number](const Version& item) { return item.number == number; });
            REQUIRE(version != versions.end());  // nothing that was not committed
            found[block] = static_cast<std::size_t>(version - versions.begin());
            furthest = std::max(furthest, version->epoch);
            auto& of_rank = furthest_of_rank.at(static_cast<std::size_t>(version->rank));
            of_rank = std::max(of_rank, version->number);
        }
        for (std::size_t block = 0; block < blocks; ++block) {
            for (std::size_t later = found[block] + 1; later < history_[block].size(); ++later) {
                REQUIRE(history_[block][later].number >= furthest);
                for (auto rank = static_cast<std::size_t>(history_[block][later].rank) + 1; rank < 3; ++rank) {
                    REQUIRE(history_[block][later].number >= furthest_of_rank.at(rank));
                }
                REQUIRE_FALSE(history_[block][later].flushed);
            }
            history_[block] = {{history_[block][found[block]].number}};
        }
        std::memset(stage_.memory.bytes().data(), 0, DirtyLog::header_size);
        stage_.open();
    }

    Stage stage_;
    std::vector<std::vector<Version>> history_;
    std::uint64_t last_ = 0;
    std::uint64_t epoch_ = 1;
};

}  // namespace

TEST_CASE("whatever a process dies of, its successor sees what was committed, and only that") {
    unsigned deaths = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        ByteModel model(seed, seed % 3 == 0 ? 4096 : 512U << (seed % 3));
        for (int i = 0; i < 2500; ++i) {
            model.work();
        }
        deaths += model.deaths;
    }
    CHECK(deaths > 500);
}

TEST_CASE("whenever the power goes, nothing has passed a barrier, and what was flushed is there") {
    unsigned cuts = 0;
    for (unsigned seed = 1; seed <= 20; ++seed) {
        OrderModel model(seed);
        for (int i = 0; i < 4000; ++i) {
            model.work();
        }
        cuts += model.cuts;
    }
    CHECK(cuts > 500);
}
