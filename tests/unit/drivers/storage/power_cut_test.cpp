// The power is cut at hundreds of moments during random operations: what the medium may hold then is whole but for
// clusters that belong to nobody, and every file that was flushed is as it was.
//
// A folder that moves between two sectors is in both places for a moment; of that there is a note, where the volume has
// room for one (FAT12 and FAT16: a second reserved sector), and who opens it with plugfs does not see it. ext has no
// room for a note: there e2fsck decides which place is the right one.

#include "drivers/storage/cut_workload.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::test;

namespace {

struct Shape {
    const char* type;
    const char* make;
    std::uint64_t size;
    unsigned cuts;
};

constexpr std::uint64_t mib = 1U << 20U;

constexpr Shape shapes[] = {
    {"FAT12", "mkfs.fat -F 12 -R 2", 1440 * 1024, 100},
    {"FAT16", "mkfs.fat -F 16 -s 1 -R 2", 4 * mib, 150},
    {"FAT32", "mkfs.fat -F 32 -s 1", 34 * mib, 60},
    {"exFAT", "mkfs.exfat -b 64K -c 512", 2 * mib, 200},
    {"exFAT", "mkfs.exfat -b 64K -c 4K", 4 * mib, 100},
    {"ext2", "mkfs.ext2 -q -b 1024", 4 * mib, 100},
    {"ext3", "mkfs.ext3 -q -b 1024", 8 * mib, 60},
    {"ext4", "mkfs.ext4 -q -O ^metadata_csum", 24 * mib, 60},
    {"ext4", "mkfs.ext4 -q -b 1024 -O ^has_journal,^metadata_csum -m 0", 4 * mib, 100},
    {"ext4", "mkfs.ext4 -q", 24 * mib, 60},
};

// Whether an operation that had written something since the barrier moved a folder.
bool folder_moves_between(std::span<const Moment> moments, std::size_t barrier, std::size_t at) {
    for (std::size_t i = 0; i < moments.size() && moments[i].event < at; ++i) {
        const bool done_before = i + 1 < moments.size() && moments[i + 1].event <= barrier;
        if (!done_before && moments[i].touched.size() == 2 && moments[i].touched[0].back() == '/') {
            return true;
        }
    }
    return false;
}

// The volume may have had a folder in two places, without a note that says so; and it is only read until e2fsck has
// looked at it.
void check_ext(const std::filesystem::path& cut, const Shape& shape, std::span<const Moment> moments,
               bool folder_moves) {
    if (!folder_moves) {
        CHECK(fsck_after_cut(cut, shape.type) == "");
        ImageDevice medium(cut);
        auto volume = open_image(medium);
        check_flushed(*volume, moments);
        const auto& why = volume->read_only_because();
        CHECK((why.empty() || why.find("not closed properly") != std::string::npos));
    }
    CHECK(repair_ext(cut) == "");
    CHECK(fsck(cut, shape.type) == "");
    ImageDevice medium(cut);
    auto volume = open_image(medium);
    check_flushed(*volume, moments);
    CHECK(volume->read_only_because().empty());
}

void run_shape(const Shape& shape, unsigned seed) {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", shape.size);
    must_run(std::string(shape.make) + " " + image.string());
    ImageDevice device(image);
    auto worked_on = open_image(device);
    const auto moments = work(device, *worked_on, seed, 400);
    worked_on.reset();
    std::mt19937 random(seed);
    const auto cut = folder.path() / "cut";
    for (unsigned i = 0; i < shape.cuts; ++i) {
        const std::size_t at = random() % device.events().size() + 1;
        CAPTURE(at);
        device.write_cut_image(cut, at, random);
        const auto after =
            std::find_if(moments.begin(), moments.end(), [&](const Moment& moment) { return moment.event >= at; });
        const bool folder_moves = folder_moves_between(moments, device.barrier(at), at);
        if (std::string_view(shape.type).substr(0, 3) == "ext") {
            check_ext(cut, shape, {moments.begin(), after}, folder_moves);
            continue;
        }
        if (!folder_moves) {
            CHECK(fsck_after_cut(cut, shape.type) == "");
        }
        ImageDevice medium(cut);
        auto volume = open_image(medium);
        check_flushed(*volume, {moments.begin(), after});
        CHECK(volume->read_only_because().empty());
        if (folder_moves) {  // may have been in both places until just now
            CHECK(fsck_after_cut(cut, shape.type) == "");
        }
    }
}

}  // namespace

TEST_CASE("a power cut costs clusters at worst, and no flushed file") {
    for (const auto& shape : shapes) {
        CAPTURE(shape.type);
        CAPTURE(shape.make);
        run_shape(shape, 7);
    }
}
