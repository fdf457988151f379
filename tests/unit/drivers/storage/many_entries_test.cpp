// Folders of 65,000 entries; what they cost is counted in reads and writes of the device, not in time.

#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct Shape {
    const char* type;
    const char* make;
    unsigned entries;
    const char* prefix;  // of names
};

// On FAT, a folder has 65,536 slots: 65,000 entries have room with short names, with long ones half of that.
constexpr Shape shapes[] = {
    {"FAT32", "mkfs.fat -F 32 -s 8", 65'000, "F"},
    {"FAT32", "mkfs.fat -F 32 -s 8", 8'000, "ein laengerer Name "},
    {"exFAT", "mkfs.exfat -c 4K", 65'000, "ein laengerer Name "},
    {"ext2", "mkfs.ext2 -q -N 70000", 65'000, "ein laengerer Name "},
    {"ext4", "mkfs.ext4 -q -N 70000", 65'000, "ein laengerer Name "},
};

std::size_t io(const ImageDevice& device) {
    return device.reads() + device.writes();
}

void run_shape(const Shape& shape) {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 400 * mib);
    must_run(std::string(shape.make) + " " + image.string());
    ImageDevice device(image);
    auto volume = open_image(device);
    const auto dir = volume->create(root_key, "many", Kind::directory);
    REQUIRE(dir.ok());
    const auto make = [&](unsigned from, unsigned to) {
        const std::size_t before = io(device);
        for (unsigned i = from; i < to; ++i) {
            const auto made = volume->create(dir->key, shape.prefix + std::to_string(i), Kind::file);
            REQUIRE_MESSAGE(made.ok(), (made ? "" : made.error().text()));
        }
        return io(device) - before;
    };
    const std::size_t first = make(0, 2000);
    (void)make(2000, shape.entries - 2000);
    const std::size_t last = make(shape.entries - 2000, shape.entries);
    CHECK(last < 2 * first);
    const auto entries = list_folder(*volume, dir->key);
    CHECK(entries.size() == shape.entries);
    CHECK(volume->create(dir->key, shape.prefix + std::to_string(17), Kind::file).error().code == EEXIST);
    // Removing them, in another order than they were made in, and using the room again.
    const std::size_t before = io(device);
    for (unsigned i = 0; i < 2000; ++i) {
        REQUIRE(volume->remove(entries[i * 3].key).ok());
    }
    CHECK(io(device) - before < 2 * first);
    (void)make(100'000, 102'000);
    REQUIRE(volume->settle().ok());
    CHECK(list_folder(*volume, dir->key).size() == shape.entries);
    if (shape.type == std::string("FAT32") && shape.entries > 10'000) {
        // fsck.fat compares each name with all others; mtools is quicker.
        const auto names = must_run("mdir -b -i " + image.string() + " ::/many | wc -l");
        CHECK(std::stoul(names) == shape.entries);
    } else {
        CHECK(fsck(image, shape.type) == "");
    }
}

}  // namespace

TEST_CASE("a folder of 65,000 entries: the last ones cost what the first ones did") {
    for (const auto& shape : shapes) {
        CAPTURE(shape.make);
        CAPTURE(shape.entries);
        run_shape(shape);
    }
}

TEST_CASE("a FAT folder that can have no more says so") {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 8 * mib);
    must_run("mkfs.fat -F 16 -s 1 -r 112 " + image.string());
    ImageDevice device(image);
    auto volume = open_image(device);
    for (unsigned i = 0; i < 112; ++i) {
        REQUIRE(volume->create(root_key, "F" + std::to_string(i), Kind::file).ok());
    }
    CHECK(volume->create(root_key, "ONE_MORE", Kind::file).error().code == ENOSPC);
    CHECK(volume->create(root_key, "DIR", Kind::directory).error().code == ENOSPC);
    REQUIRE(volume->settle().ok());
    CHECK(fsck(image, "FAT16") == "");
}
