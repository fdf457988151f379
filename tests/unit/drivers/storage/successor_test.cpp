// A process that dies at any moment: its successor finds all operations that were answered, and the one under way done
// or not done.

#include "drivers/storage/model.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;

namespace {

struct Moment {
    std::size_t end;  // the event after the operation's last
    Tree tree;        // after it
};

void run_type(const std::string& type, const std::string& make) {
    constexpr std::uint64_t size = 5U << 20U;
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", size);
    must_run(make + " " + image.string());
    ImageDevice device(image);
    auto volume = open_image(device);
    const bool ext = type.rfind("ext", 0) == 0;
    ModelRun run(*volume, 3, {.file_size = 20'000, .entries = 40, .case_matters = ext});
    device.record();
    std::vector<Moment> moments = {{0, {}}};
    for (unsigned i = 0; i < 300; ++i) {
        run.step();
        moments.push_back({device.events().size(), run.tree()});
    }
    std::mt19937 random(3);
    const auto died = folder.path() / "died";
    for (unsigned i = 0; i < 60; ++i) {
        const std::size_t which = 1 + random() % (moments.size() - 1);
        const auto& before = moments[which - 1];
        const auto& after = moments[which];
        if (after.end == before.end) {
            continue;
        }
        const std::size_t at = before.end + random() % (after.end - before.end) + 1;
        CAPTURE(which);
        device.write_committed_image(died, at);
        CHECK(fsck_after_cut(died, type) == "");
        ImageDevice medium(died);
        auto successor = open_image(medium, nullptr, {.mark_is_ours = true});
        CHECK(successor->read_only_because().empty());
        const Tree found = read_tree(*successor);
        CHECK((found == before.tree || found == after.tree));
        REQUIRE(successor->settle().ok());
        if (ext) {
            CHECK(fsck(died, type) == "");
        }
    }
}

}  // namespace

TEST_CASE("a successor finds every operation whole") {
    run_type("FAT16", "mkfs.fat -F 16 -s 1");
    run_type("exFAT", "mkfs.exfat -b 64K -c 1K");
    run_type("ext2", "mkfs.ext2 -q -b 1024");
    run_type("ext4", "mkfs.ext4 -q -b 1024 -J size=1");
}
