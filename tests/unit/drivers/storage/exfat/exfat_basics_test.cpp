// exFAT of all cluster and sector sizes: what we write, fsck.exfat finds whole, and we read back.

#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;

TEST_CASE("exFAT: files and folders made by us are whole for fsck.exfat") {
    constexpr std::uint64_t mib = 1U << 20U;
    for (const char* cluster : {"512", "4K", "32K", "1M"}) {
        CAPTURE(cluster);
        TemporaryFolder folder;
        const auto image = make_image(folder.path() / "image", 64 * mib);
        must_run(std::string("mkfs.exfat -L 'Über' -c ") + cluster + " " + image.string());
        const std::string big = pattern(300'000, 1);
        {
            ImageDevice device(image);
            std::vector<std::string> lines;
            auto volume = open_image(device, &lines);
            CHECK(lines.empty());
            CHECK(volume->info().type == "exFAT");
            CHECK(volume->info().label == "Über");
            CHECK(volume->read_only_because().empty());
            auto made = volume->create(root_key, "Ein langer Name mit Ümlaut.txt", Kind::file);
            REQUIRE(made.ok());
            write_file(*volume, made->key, 0, "hello\n");
            auto dir = volume->create(root_key, "Music", Kind::directory);
            REQUIRE(dir.ok());
            auto inner = volume->create(dir->key, "track.mp3", Kind::file);
            REQUIRE(inner.ok());
            write_file(*volume, inner->key, 0, big);
            REQUIRE(volume->flush(inner->key).ok());
            REQUIRE(volume->settle().ok());
        }
        CHECK(fsck(image, "exFAT") == "");
        ImageDevice device(image);
        auto volume = open_image(device);
        const auto tree = read_tree(*volume);
        CHECK(tree == Tree{{"Ein langer Name mit Ümlaut.txt", "hello\n"}, {"Music/", ""}, {"Music/track.mp3", big}});
    }
}
