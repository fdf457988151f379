#include "drivers/storage/cache/page_cache.h"

#include <doctest/doctest.h>

using namespace plugfs::storage;

namespace {
std::vector<std::byte> page_of(int value, std::size_t length = PageCache::page_size) {
    return std::vector<std::byte>(length, static_cast<std::byte>(value));
}
}  // namespace

TEST_CASE("pages are kept, the least recently used goes first") {
    PageCache cache(3);
    for (int i = 0; i < 3; ++i) {
        cache.put(static_cast<std::uint64_t>(i), page_of(i));
    }
    CHECK(cache.find(0).front() == std::byte{0});
    cache.put(3, page_of(3));
    CHECK(cache.find(1).empty());
    CHECK(cache.contains(0));
    CHECK(cache.size() == 3);
    cache.put(0, page_of(9));
    CHECK(cache.find(0).front() == std::byte{9});
    CHECK(cache.size() == 3);
}

TEST_CASE("what changes across pages changes in those that are there") {
    PageCache cache(4);
    cache.put(0, page_of(0));
    cache.put(2, page_of(0, 1000));  // the end of the medium
    const auto news = page_of(7, (2 * PageCache::page_size) + 10);
    cache.changed(PageCache::page_size - 1, news);
    CHECK(cache.find(0)[PageCache::page_size - 2] == std::byte{0});
    CHECK(cache.find(0)[PageCache::page_size - 1] == std::byte{7});
    CHECK_FALSE(cache.contains(1));
    CHECK(cache.find(2)[0] == std::byte{0});  // more than it has: it is not touched
    cache.changed(2 * PageCache::page_size, page_of(8, 9));
    CHECK(cache.find(2)[8] == std::byte{8});
    CHECK(cache.find(2)[9] == std::byte{0});
}

TEST_CASE("forgetting, by the range or by what is there") {
    PageCache cache(10);
    for (std::uint64_t i = 0; i < 10; ++i) {
        cache.put(i, page_of(1));
    }
    cache.forget(PageCache::page_size + 5, PageCache::page_size);
    CHECK(cache.contains(0));
    CHECK_FALSE(cache.contains(1));
    CHECK_FALSE(cache.contains(2));
    CHECK(cache.contains(3));
    cache.forget(4 * PageCache::page_size, std::uint64_t{1} << 40U);
    CHECK(cache.size() == 2);
    cache.forget(0, 0);
    CHECK(cache.size() == 2);
}
