// FAT12, FAT16 and FAT32 of all cluster and sector sizes: what we write, others read, and the other way round.

#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;

namespace {

struct Shape {
    const char* type;
    const char* options;  // of mkfs.fat
    std::uint64_t size;
    std::uint32_t block_size;
};

constexpr std::uint64_t mib = 1U << 20U;

constexpr Shape shapes[] = {
    {"FAT12", "-F 12", 1440 * 1024, 512},
    {"FAT12", "-F 12 -s 8", 8 * mib, 512},
    {"FAT12", "-F 12 -S 4096 -s 1", 12 * mib, 4096},
    {"FAT16", "-F 16 -s 1", 12 * mib, 512},
    {"FAT16", "-F 16 -s 4", 32 * mib, 512},
    {"FAT16", "-F 16 -S 2048 -s 2", 64 * mib, 2048},
    {"FAT32", "-F 32 -s 1", 40 * mib, 512},
    {"FAT32", "-F 32 -s 8", 300 * mib, 512},
    {"FAT32", "-F 32 -s 64", 2304 * mib, 512},
    {"FAT32", "-F 32 -S 1024 -s 1", 80 * mib, 1024},
    {"FAT32", "-F 32 -S 4096 -s 1", 300 * mib, 4096},
};

}  // namespace

TEST_CASE("FAT of each kind: files and folders made by us are whole for fsck.fat and mtools") {
    for (const auto& shape : shapes) {
        CAPTURE(shape.type);
        CAPTURE(shape.options);
        TemporaryFolder folder;
        const auto image = make_image(folder.path() / "image", shape.size);
        must_run(std::string("mkfs.fat ") + shape.options + " -n 'MY STICK' -i 1234ABCD " + image.string());
        Tree written;
        {
            ImageDevice device(image, shape.block_size);
            std::vector<std::string> lines;
            auto volume = open_image(device, &lines);
            CHECK(lines.empty());
            CHECK(volume->info().type == shape.type);
            CHECK(volume->info().label == "MY STICK");
            CHECK(volume->info().serial == "1234-ABCD");
            CHECK(volume->read_only_because().empty());
            written = write_small_tree(*volume);
        }
        CHECK(fsck(image, shape.type) == "");
        // mtools gives sector sizes other than 512 up; fsck.fat is the judge of those.
        if (shape.block_size == 512) {
            must_run("mcopy -n -i " + image.string() + " ::/Music/track.mp3 " + (folder.path() / "copy").string());
            CHECK(load_file(folder.path() / "copy") == written.at("Music/track.mp3"));
            CHECK(must_run("mdir -b -i " + image.string() + " ::/").find("Ein langer Name mit Ümlaut.txt") !=
                  std::string::npos);
        }
        ImageDevice device(image, shape.block_size);
        auto volume = open_image(device);
        CHECK(read_tree(*volume) == written);
    }
}
