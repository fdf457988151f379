// NTFS while a process dies, the power is cut, and the device does not take what is written.
//
// What the next one finds is a volume as it was after an operation, whole to the last cluster.

#include "drivers/storage/cut_workload.h"
#include "drivers/storage/ntfs/ntfs_image.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::test;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct Shape {
    const char* make;
    std::uint64_t size;
    std::uint32_t block_size;
};

constexpr Shape shapes[] = {
    {"", 8 * mib, 512},
    {"-c 512", 6 * mib, 512},
    {"-c 1024", 3 * mib, 512},
    {"-c 65536", 20 * mib, 512},
    {"-s 4096 -c 4096", 16 * mib, 4096},
};

}  // namespace

TEST_CASE("NTFS: random operations agree with a model, and the volume is whole") {
    for (const auto& shape : shapes) {
        CAPTURE(shape.make);
        TemporaryFolder folder;
        const auto image = make_image(folder.path() / "image", shape.size);
        make_ntfs(image, shape.make);
        ImageDevice device(image, shape.block_size);
        std::vector<std::string> lines;
        auto volume = open_ntfs_image(device, &lines);
        ModelRun run(*volume, 20261126, {});
        for (unsigned i = 1; i <= 2500; ++i) {
            CAPTURE(i);
            run.step();
            if (i % 500 == 0) {
                const auto space = volume->space();
                REQUIRE(volume->settle().ok());
                REQUIRE(check_ntfs(image) == "");
                run.compare(*volume);
                auto again = open_ntfs_image(device, &lines);
                run.compare(*again);
                CHECK(again->space()->available == space->available);
            }
        }
        CHECK(lines.empty());
        CHECK(volume->read_only_because().empty());
    }
}

TEST_CASE("NTFS: a power cut leaves a volume that is whole when it is opened again, and every flushed file") {
    for (const auto& shape : shapes) {
        CAPTURE(shape.make);
        TemporaryFolder folder;
        const auto image = make_image(folder.path() / "image", shape.size);
        make_ntfs(image, shape.make);
        ImageDevice device(image, shape.block_size);
        auto volume = open_ntfs_image(device);
        const auto moments = work(device, *volume, 11, 400);
        volume.reset();
        std::mt19937 random(11);
        const auto cut = folder.path() / "cut";
        const unsigned cuts = shape.size > 10 * mib ? 25 : 60;
        for (unsigned i = 0; i < cuts; ++i) {
            const std::size_t at = random() % device.events().size() + 1;
            CAPTURE(at);
            device.write_cut_image(cut, at, random);
            const auto after =
                std::find_if(moments.begin(), moments.end(), [&](const Moment& moment) { return moment.event >= at; });
            ImageDevice medium(cut, shape.block_size);
            auto again = open_ntfs_image(medium);
            CHECK(again->read_only_because() == "");
            check_flushed(*again, {moments.begin(), after});
            REQUIRE(again->settle().ok());
            CHECK(check_ntfs(cut) == "");
        }
    }
}

TEST_CASE("NTFS: the power goes while a file is written again and again in the same place") {
    for (const std::size_t size : {std::size_t{300}, std::size_t{512}, std::size_t{50'000}}) {
        CAPTURE(size);
        TemporaryFolder folder;
        const auto image = make_image(folder.path() / "image", 8 * mib);
        make_ntfs(image);
        ImageDevice device(image);
        auto volume = open_ntfs_image(device);
        const auto file = volume->create(root_key, "file", Kind::file);
        REQUIRE(file.ok());
        REQUIRE(volume->flush(file->key).ok());
        device.record();
        // Pieces behind each other, then over each other.
        std::string content;
        for (unsigned i = 0; i < 24; ++i) {
            const std::uint64_t at = i < 16 ? content.size() : (i % 4) * size;
            const std::string piece = pattern(size, i);
            write_file(*volume, file->key, at, piece);
            content.replace(std::min<std::size_t>(at, content.size()), size, piece);
        }
        std::mt19937 random(1);
        const auto cut = folder.path() / "cut";
        for (std::size_t at = 1; at <= device.events().size(); ++at) {
            CAPTURE(at);
            device.write_cut_image(cut, at, random);
            ImageDevice medium(cut);
            auto again = open_ntfs_image(medium);
            CHECK(again->read_only_because() == "");
            CHECK(find_entry(*again, root_key, "file")->size % size == 0);
            REQUIRE(again->settle().ok());
            CHECK(check_ntfs(cut) == "");
        }
    }
}

TEST_CASE("NTFS: the power goes again while the volume is mended") {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 16 * mib);
    make_ntfs(image);
    ImageDevice device(image);
    auto volume = open_ntfs_image(device);
    const auto moments = work(device, *volume, 5, 200);
    std::mt19937 random(5);
    const auto first = folder.path() / "first";
    const auto second = folder.path() / "second";
    unsigned mended = 0;
    for (unsigned i = 0; i < 60; ++i) {
        const std::size_t at = random() % device.events().size() + 1;
        device.write_cut_image(first, at, random);
        ImageDevice medium(first);
        medium.record();
        auto again = open_ntfs_image(medium);
        const Tree found = read_tree(*again);
        if (medium.events().empty()) {
            continue;
        }
        ++mended;
        medium.write_cut_image(second, random() % medium.events().size() + 1, random);
        ImageDevice last(second);
        auto once_more = open_ntfs_image(last);
        CHECK((read_tree(*once_more) == found));
        REQUIRE(once_more->settle().ok());
        CHECK(check_ntfs(second) == "");
    }
    CHECK(mended > 0);
}

TEST_CASE("NTFS: a successor finds every operation whole") {
    struct State {
        std::size_t end;  // the event after the operation's last
        Tree tree;        // after it
    };
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 12 * mib);
    make_ntfs(image, "-c 1024");
    ImageDevice device(image);
    auto volume = open_ntfs_image(device);
    ModelRun run(*volume, 3, {.file_size = 20'000, .entries = 40});
    device.record();
    std::vector<State> states = {{0, {}}};
    for (unsigned i = 0; i < 300; ++i) {
        run.step();
        states.push_back({device.events().size(), run.tree()});
    }
    std::mt19937 random(3);
    const auto died = folder.path() / "died";
    for (unsigned i = 0; i < 60; ++i) {
        const std::size_t which = 1 + random() % (states.size() - 1);
        const auto& before = states[which - 1];
        const auto& after = states[which];
        if (after.end == before.end) {
            continue;
        }
        device.write_committed_image(died, before.end + random() % (after.end - before.end) + 1);
        ImageDevice medium(died);
        auto successor = open_ntfs_image(medium, nullptr, {.mark_is_ours = true});
        CHECK(successor->read_only_because() == "");
        const Tree found = read_tree(*successor);
        CHECK((found == before.tree || found == after.tree));
        REQUIRE(successor->settle().ok());
        CHECK(check_ntfs(died) == "");
    }
}

TEST_CASE("NTFS: a device that does not take what is written leaves the volume as it was, or as it was to be") {
    TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 16 * mib);
    make_ntfs(image);
    for (unsigned limit = 0; limit < 12; ++limit) {
        CAPTURE(limit);
        ImageDevice device(image);
        auto volume = open_ntfs_image(device);
        REQUIRE(volume->read_only_because() == "");
        const auto before = read_tree(*volume).size();
        device.fail_writes_after(limit);
        const auto made = volume->create(root_key, "file " + std::to_string(limit), Kind::file);
        CHECK((made.ok() || made.error().code == EIO));
        device.fail_writes_after(SIZE_MAX);
        volume.reset();
        auto again = open_ntfs_image(device);
        CHECK(again->read_only_because() == "");
        const auto after = read_tree(*again).size();
        CHECK((after == before + 1 || (!made && after == before)));
        REQUIRE(again->settle().ok());
        CHECK(check_ntfs(image) == "");
    }
}
