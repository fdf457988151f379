// Files at and beyond 4 GiB, in sparse images; files in many pieces.

#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;

namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t gib = 1U << 30U;

}  // namespace

TEST_CASE("exFAT: a file of more than 4 GiB, in one piece, most of it never written") {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 8 * gib);
    must_run("mkfs.exfat " + image.string());
    ImageDevice device(image);
    auto volume = open_image(device);
    const auto made = volume->create(root_key, "film", Kind::file);
    REQUIRE(made.ok());
    write_file(*volume, made->key, 0, "begin");
    REQUIRE(volume->resize(made->key, 5 * gib + 3).ok());
    CHECK(device.writes() < 100);  // nothing was filled with zeroes
    auto now = volume->flush(made->key);
    REQUIRE(now.ok());
    CHECK(now->size == 5 * gib + 3);
    std::string out(16, '?');
    auto got = volume->read(made->key, 5 * gib - 5, std::as_writable_bytes(std::span(out)));
    REQUIRE(got.ok());
    CHECK(*got == 8);
    CHECK(out.substr(0, 8) == std::string(8, '\0'));
    REQUIRE(volume->settle().ok());
    CHECK(fsck(image, "exFAT") == "");
    CHECK(volume->resize(made->key, 9 * gib).error().code == ENOSPC);
    CHECK(volume->resize(made->key, UINT64_MAX).error().code == EFBIG);
    REQUIRE(volume->resize(made->key, 5).ok());
    CHECK(read_tree(*volume).at("film") == "begin");
    CHECK(volume->space()->available > 7 * gib);
    REQUIRE(volume->settle().ok());
    CHECK(fsck(image, "exFAT") == "");
}

TEST_CASE("FAT32: a file ends at 4 GiB - 1") {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 6 * gib);
    must_run("mkfs.fat -F 32 " + image.string());
    ImageDevice device(image);
    auto volume = open_image(device);
    const auto made = volume->create(root_key, "film", Kind::file);
    REQUIRE(made.ok());
    const std::string byte = "x";
    CHECK(volume->write(made->key, 4 * gib - 1, std::as_bytes(std::span(byte))).error().code == EFBIG);
    CHECK(volume->resize(made->key, 4 * gib).error().code == EFBIG);
    CHECK(volume->flush(made->key)->size == 0);
    // Zeroes on FAT are written; a part of them is enough to see that the end is where it is said to be.
    REQUIRE(volume->resize(made->key, 64 * mib).ok());
    write_file(*volume, made->key, 64 * mib, "end");
    std::string out(8, '?');
    REQUIRE(volume->read(made->key, 64 * mib - 2, std::as_writable_bytes(std::span(out))).ok());
    CHECK(out.substr(0, 5) == std::string("\0\0end", 5));
    REQUIRE(volume->settle().ok());
    CHECK(fsck(image, "FAT32") == "");
}

TEST_CASE("files that are written in turns are whole, on exFAT also when one piece becomes many") {
    for (const auto& [type, make] : {std::pair{"FAT16", "mkfs.fat -F 16 -s 1"}, {"exFAT", "mkfs.exfat -c 512"}}) {
        const std::string kind = type;  // clang 14 captures no structured binding
        CAPTURE(kind);
        TemporaryFolder folder;
        const auto image = make_image(folder.path() / "image", 12 * mib);
        must_run(std::string(make) + " " + image.string());
        ImageDevice device(image);
        auto volume = open_image(device);
        std::vector<Key> keys;
        std::vector<std::string> contents(6);
        for (std::size_t i = 0; i < contents.size(); ++i) {
            keys.push_back(volume->create(root_key, "file" + std::to_string(i), Kind::file)->key);
        }
        for (unsigned round = 0; round < 300; ++round) {
            for (std::size_t i = 0; i < contents.size(); ++i) {
                const std::string piece = pattern(700 + 13 * i, round);
                write_file(*volume, keys[i], contents[i].size(), piece);
                contents[i] += piece;
            }
        }
        REQUIRE(volume->settle().ok());
        CHECK(fsck(image, type) == "");
        // Back from the end, which has to go along the chain each time.
        for (std::size_t i = 0; i < contents.size(); ++i) {
            for (std::size_t at = contents[i].size() - 1000; at > 5000; at -= 5000) {
                std::string out(1000, '?');
                REQUIRE(volume->read(keys[i], at, std::as_writable_bytes(std::span(out))).ok());
                CHECK((out == contents[i].substr(at, 1000)));
            }
            REQUIRE(volume->resize(keys[i], 100'000).ok());
            CHECK((read_tree(*volume).at("file" + std::to_string(i)) == contents[i].substr(0, 100'000)));
        }
        REQUIRE(volume->settle().ok());
        CHECK(fsck(image, type) == "");
    }
}

TEST_CASE("a file that is written in one go lies in one piece") {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 64 * mib);
    must_run("mkfs.exfat -c 4K " + image.string());
    ImageDevice device(image);
    auto volume = open_image(device);
    const auto made = volume->create(root_key, "track", Kind::file);
    const std::size_t before = device.writes();
    for (unsigned i = 0; i < 64; ++i) {
        write_file(*volume, made->key, i * 128U * 1024, pattern(128 * 1024, i));
    }
    // Of each piece: the data, the bitmap, the entry. No chain has been written.
    CHECK(device.writes() - before <= 64 * 3 + 2);
    REQUIRE(volume->settle().ok());
    CHECK(fsck(image, "exFAT") == "");
}
