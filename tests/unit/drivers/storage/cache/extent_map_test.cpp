#include "drivers/storage/cache/extent_map.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using namespace plugfs::storage;

TEST_CASE("random writes: each block is the newest write's, with its bytes") {
    constexpr std::uint32_t block_size = 4;
    constexpr std::uint64_t blocks = 64;
    std::mt19937 random(3);  // NOLINT(cert-msc51-cpp): the same every time
    for (int round = 0; round < 50; ++round) {
        ExtentMap map(block_size);
        std::vector<std::uint64_t> model(blocks, 0);  // sequence of the write that counts
        std::vector<ExtentMap::Extent> writes = {{}};
        std::vector<std::vector<std::byte>> contents(1);
        for (std::uint64_t sequence = 1; sequence <= 60; ++sequence) {
            const std::uint64_t block = random() % blocks;
            const std::uint64_t count = 1 + (random() % std::min<std::uint64_t>(12, blocks - block));
            contents.emplace_back(count * block_size);
            writes.push_back({block, count, contents.back().data(), sequence});
            map.put(writes.back());
            std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(block), count, sequence);
            if (random() % 4 == 0) {
                const std::uint64_t gone = 1 + (random() % sequence);
                map.remove(writes[gone].block, writes[gone].count, gone);
                std::replace(model.begin(), model.end(), gone, std::uint64_t{0});
            }
            std::vector<std::uint64_t> seen(blocks, 0);
            std::uint64_t last = 0;
            const std::uint64_t from = random() % blocks;
            const std::uint64_t length = random() % (blocks - from + 1);
            map.each(from, length, [&](const ExtentMap::Extent& extent) {
                CHECK(extent.block >= last);
                CHECK(extent.block >= from);
                CHECK(extent.block + extent.count <= from + length);
                CHECK(extent.count > 0);
                const auto& write = writes[extent.sequence];
                CHECK(extent.bytes == write.bytes + ((extent.block - write.block) * block_size));
                std::fill_n(seen.begin() + static_cast<std::ptrdiff_t>(extent.block), extent.count, extent.sequence);
                last = extent.block + extent.count;
            });
            for (std::uint64_t block_now = from; block_now < from + length; ++block_now) {
                REQUIRE(seen[block_now] == model[block_now]);
            }
        }
    }
}

TEST_CASE("what is discarded has no bytes, and covers what was written before") {
    ExtentMap map(512);
    const std::vector<std::byte> bytes(4 * 512);
    map.put({10, 4, bytes.data(), 1});
    map.put({11, 2, nullptr, 2});
    std::vector<std::pair<std::uint64_t, bool>> parts;
    map.each(0, 100,
             [&](const ExtentMap::Extent& extent) { parts.emplace_back(extent.block, extent.bytes != nullptr); });
    CHECK(parts == std::vector<std::pair<std::uint64_t, bool>>{{10, true}, {11, false}, {13, true}});
    map.clear();
    CHECK(map.empty());
}
