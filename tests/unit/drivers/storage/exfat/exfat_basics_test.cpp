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
        Tree written;
        {
            ImageDevice device(image);
            std::vector<std::string> lines;
            auto volume = open_image(device, &lines);
            CHECK(lines.empty());
            CHECK(volume->info().type == "exFAT");
            CHECK(volume->info().label == "Über");
            CHECK(volume->read_only_because().empty());
            written = write_small_tree(*volume);
        }
        CHECK(fsck(image, "exFAT") == "");
        ImageDevice device(image);
        auto volume = open_image(device);
        CHECK(read_tree(*volume) == written);
    }
}
