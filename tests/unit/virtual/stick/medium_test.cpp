// The medium of a virtual stick: an image, and a cache that forgets.
#include "virtual/stick/medium.h"

#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace plugfs;
using namespace plugfs::virtual_usb;

namespace {

using Bytes = std::vector<std::byte>;

struct Fixture {
    plugfs::test::TemporaryFolder folder;
    std::string path;
    Fixture() : path((folder.path() / "image").string()) { folder.file("image", Bytes(64 * 512, std::byte{1})); }
    std::unique_ptr<StickMedium> open(bool cache, std::uint32_t block_size = 512) {
        auto medium = StickMedium::open(path, block_size, cache);
        REQUIRE(medium);
        return std::move(*medium);
    }
    // The file's byte at the head of a block.
    [[nodiscard]] int stored(std::uint64_t block) const {
        std::ifstream stream(path, std::ios::binary);
        stream.seekg(static_cast<std::streamoff>(block * 512));
        return stream.get();
    }
};

int first_of(StickMedium& medium, std::uint64_t block) {
    Bytes out(medium.block_size());
    REQUIRE(medium.read(block, out));
    return std::to_integer<int>(out[0]);
}

}  // namespace

TEST_CASE("what an image is") {
    Fixture it;
    CHECK(it.open(false)->block_count() == 64);
    CHECK(it.open(false, 4096)->block_count() == 8);
    for (const std::uint32_t size : {0U, 256U, 513U, 8192U}) {
        CHECK(StickMedium::open(it.path, size, false).error().code == EINVAL);
    }
    CHECK(StickMedium::open(it.path + "-missing", 512, false).error().code == ENOENT);
    CHECK_FALSE(StickMedium::open(it.folder.path().string(), 512, false));
    it.folder.file("small", Bytes(511));
    CHECK(StickMedium::open((it.folder.path() / "small").string(), 512, false).error().code == EINVAL);
}

TEST_CASE("without a cache, writes are in the file at once") {
    Fixture it;
    const auto medium = it.open(false);
    CHECK_FALSE(medium->has_cache());
    CHECK(medium->write(3, Bytes(2 * 512, std::byte{7})));
    CHECK(it.stored(3) == 7);
    CHECK(it.stored(5) == 1);
    CHECK(medium->unflushed() == 0);
}

TEST_CASE("with one, they are read back at once, and in the file after flush()") {
    Fixture it;
    const auto medium = it.open(true);
    CHECK(medium->write(3, Bytes(2 * 512, std::byte{7})));
    CHECK(medium->write(4, Bytes(512, std::byte{8})));
    CHECK(medium->write(9, Bytes(512, std::byte{9})));
    CHECK(medium->unflushed() == 3);
    CHECK(first_of(*medium, 3) == 7);
    CHECK(first_of(*medium, 4) == 8);
    CHECK(first_of(*medium, 5) == 1);
    CHECK(it.stored(3) == 1);
    CHECK(medium->flush());
    CHECK(medium->unflushed() == 0);
    CHECK(it.stored(3) == 7);
    CHECK(it.stored(4) == 8);
    CHECK(it.stored(5) == 1);
    CHECK(it.stored(9) == 9);
}

TEST_CASE("the power goes: all of it is lost, or a part that the seed chooses") {
    Fixture it;
    {
        const auto medium = it.open(true);
        CHECK(medium->write(0, Bytes(64 * 512, std::byte{7})));
        CHECK(medium->power_cut(std::nullopt));
        CHECK(first_of(*medium, 0) == 1);
    }
    const auto survivors = [&](std::uint64_t seed) {
        it.folder.file("image", Bytes(64 * 512, std::byte{1}));
        const auto medium = it.open(true);
        CHECK(medium->write(0, Bytes(64 * 512, std::byte{7})));
        CHECK(medium->power_cut(seed));
        std::vector<std::uint64_t> blocks;
        for (std::uint64_t block = 0; block < 64; ++block) {
            if (it.stored(block) == 7) {
                blocks.push_back(block);
            }
        }
        return blocks;
    };
    const auto some = survivors(1);
    CHECK(some.size() > 10);
    CHECK(some.size() < 54);
    CHECK(survivors(1) == some);
    CHECK(survivors(2) != some);
}

TEST_CASE("unmapped blocks are zeroes, also where they were in the cache") {
    Fixture it;
    const auto medium = it.open(true);
    CHECK(medium->write(8, Bytes(512, std::byte{7})));
    CHECK(medium->unmap(8, 8));
    CHECK(first_of(*medium, 7) == 1);
    CHECK(first_of(*medium, 8) == 0);
    CHECK(first_of(*medium, 15) == 0);
    CHECK(first_of(*medium, 16) == 1);
    CHECK(medium->unflushed() == 0);
}
