// Many small writes: how many of them reach the medium, through the cache, and that a volume is whole then.

#include "drivers/storage/cache/block_cache.h"
#include "drivers/storage/cache/memory_unit.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::size_t block_size = 512;

// A new volume in memory, behind a cache that is written back when it is told to.
struct Fixture {
    TemporaryFolder folder;
    std::filesystem::path image;
    storage::test::MemoryUnit unit;
    storage::test::LogMemory memory{std::size_t{8} << 20U};
    std::string lost;
    std::unique_ptr<BlockCache> cache;
    std::unique_ptr<Volume> volume;

    Fixture(const std::string& make, std::size_t size)
        : image(make_image(folder.path() / "image", size)), unit(block_size, size / block_size) {
        must_run(make + " " + image.string());
        std::ifstream(image, std::ios::binary)
            .read(reinterpret_cast<char*>(unit.bytes.data()), static_cast<std::streamsize>(size));
        auto opened = BlockCache::create(unit, unit.medium(), memory.bytes(), {}, lost);
        REQUIRE(opened.ok());
        cache = std::move(*opened);
        volume = open_image(*cache);
    }
    [[nodiscard]] Key create(Key parent, const std::string& name, Kind kind = Kind::file) const {
        const auto made = volume->create(parent, name, kind);
        REQUIRE(made.ok());
        return made->key;
    }
    void check_whole() {
        REQUIRE(volume->settle().ok());
        std::ofstream(image, std::ios::binary)
            .write(reinterpret_cast<const char*>(unit.bytes.data()), static_cast<std::streamsize>(unit.bytes.size()));
        CHECK(fsck(image, volume->info().type) == "");
    }
};

const std::pair<const char*, std::size_t> volumes[] = {{"mkfs.fat -F 32 -s 4", std::size_t{144} << 20U},
                                                       {"mkfs.exfat -c 4K", std::size_t{16} << 20U}};

}  // namespace

TEST_CASE("a file that grows by 512 bytes at a time is written in a few pieces") {
    for (const auto& [make, size] : volumes) {
        const std::string made_by = make;
        CAPTURE(made_by);
        Fixture fixture(make, size);
        const Key file = fixture.create(root_key, "file");
        REQUIRE(fixture.cache->flush().ok());
        fixture.unit.writes = fixture.unit.synchronized = 0;
        for (unsigned i = 0; i < 256; ++i) {
            write_file(*fixture.volume, file, i * std::uint64_t{512}, pattern(512, i));
        }
        REQUIRE(fixture.volume->flush(file).ok());
        CHECK(fixture.unit.writes <= 12);
        CHECK(fixture.unit.synchronized <= 3);
        fixture.check_whole();
    }
}

TEST_CASE("hundreds of small files are written together") {
    for (const auto& [make, size] : volumes) {
        const std::string made_by = make;
        CAPTURE(made_by);
        Fixture fixture(make, size);
        const Key folder = fixture.create(root_key, "folder", Kind::directory);
        REQUIRE(fixture.cache->flush().ok());
        fixture.unit.writes = 0;
        for (unsigned i = 0; i < 300; ++i) {
            const Key file = fixture.create(folder, "f" + std::to_string(i));
            write_file(*fixture.volume, file, 0, pattern(4096, i));
            REQUIRE(fixture.volume->set_modified(file, 1'700'000'000).ok());
        }
        REQUIRE(fixture.cache->flush().ok());
        CHECK(fixture.unit.writes <= 300);
        fixture.check_whole();
    }
}
