// Thousands of random operations on each file system, against a model, with fsck as a judge on the way.

#include "drivers/storage/model.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;

namespace {

struct Shape {
    const char* type;
    const char* make;  // the command that makes the file system
    std::uint64_t size;
    std::uint32_t block_size;
    unsigned operations;
};

constexpr std::uint64_t mib = 1U << 20U;

constexpr Shape shapes[] = {
    {"FAT12", "mkfs.fat -F 12", 1440 * 1024, 512, 3000},  // full most of the time
    {"FAT16", "mkfs.fat -F 16 -s 1", 12 * mib, 512, 5000},
    {"FAT32", "mkfs.fat -F 32 -s 1", 40 * mib, 512, 5000},
    {"FAT32", "mkfs.fat -F 32 -S 4096 -s 1", 300 * mib, 4096, 1500},
    {"exFAT", "mkfs.exfat -c 512", 8 * mib, 512, 5000},
    {"exFAT", "mkfs.exfat -b 64K -c 4K", 2 * mib, 512, 3000},  // full most of the time
    {"exFAT", "mkfs.exfat -c 32K", 64 * mib, 512, 3000},
    {"ext2", "mkfs.ext2 -q -b 1024", 12 * mib, 512, 4000},
    {"ext2", "mkfs.ext2 -q -b 4096 -I 128", 3 * mib, 512, 3000},  // full most of the time
    {"ext3", "mkfs.ext3 -q -b 1024 -g 1024", 16 * mib, 512, 3000},
    {"ext4", "mkfs.ext4 -q", 40 * mib, 512, 4000},
    {"ext4", "mkfs.ext4 -q -b 1024 -O ^has_journal -m 0 -g 2048", 5 * mib, 512, 4000},
    {"ext4", "mkfs.ext4 -q -b 4096 -O ^metadata_csum,^has_journal,uninit_bg", 30 * mib, 4096, 3000},
};

void run_shape(const Shape& shape, unsigned seed) {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", shape.size);
    must_run(std::string(shape.make) + " " + image.string());
    ImageDevice device(image, shape.block_size);
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    ModelRun run(*volume, seed, {.case_matters = std::string_view(shape.type).substr(0, 3) == "ext"});
    for (unsigned i = 1; i <= shape.operations; ++i) {
        CAPTURE(i);
        run.step();
        if (i % 500 == 0) {
            const auto space = volume->space();
            REQUIRE(space.ok());
            REQUIRE(volume->settle().ok());
            REQUIRE(fsck(image, shape.type) == "");
            run.compare(*volume);
            auto again = open_image(device, &lines);
            run.compare(*again);
            CHECK(again->space()->available == space->available);
        }
    }
    CHECK(lines.empty());
    CHECK(volume->read_only_because().empty());
}

}  // namespace

TEST_CASE("random operations agree with a model, and fsck finds nothing") {
    for (const auto& shape : shapes) {
        CAPTURE(shape.type);
        CAPTURE(shape.make);
        run_shape(shape, 20261125);
    }
}
