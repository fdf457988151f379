// The mark that a volume is being changed, times, labels, read-only media.

#include "drivers/storage/text/times.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

struct FileSystem {
    const char* type;
    const char* make;
};

constexpr FileSystem kinds[] = {{"FAT12", "mkfs.fat -F 12"},
                                {"FAT16", "mkfs.fat -F 16"},
                                {"FAT32", "mkfs.fat -F 32 -s 1"},
                                {"exFAT", "mkfs.exfat"}};

std::filesystem::path make(const TemporaryFolder& folder, const FileSystem& kind) {
    const auto image = make_image(folder.path() / "image", std::string(kind.type) == "FAT12" ? 2U << 20U : 40U << 20U);
    must_run(std::string(kind.make) + " " + image.string());
    return image;
}

bool marked(const std::filesystem::path& image, const std::string& type) {
    const auto text = run((type == "exFAT" ? "fsck.exfat -n " : "fsck.fat -n ") + image.string()).text;
    return text.find("Dirty bit is set") != std::string::npos || text.find(": dirty.") != std::string::npos;
}

}  // namespace

TEST_CASE("a volume is marked while it changes, and not when it has settled") {
    for (const auto& kind : kinds) {
        CAPTURE(kind.type);
        TemporaryFolder folder;
        const auto image = make(folder, kind);
        ImageDevice device(image);
        auto volume = open_image(device);
        (void)read_tree(*volume);
        REQUIRE(volume->settle().ok());
        CHECK(device.writes() == 0);  // who only reads changes nothing
        REQUIRE(volume->create(root_key, "a", Kind::file).ok());
        std::vector<std::string> lines;
        (void)open_image(device, &lines);
        CHECK(lines.size() == 1);  // the warning
        REQUIRE(volume->settle().ok());
        lines.clear();
        (void)open_image(device, &lines);
        CHECK(lines.empty());
        CHECK(fsck(image, kind.type) == "");
    }
}

TEST_CASE("a mark that was there before stays, and does not keep anybody from writing") {
    for (const auto& kind : kinds) {
        CAPTURE(kind.type);
        TemporaryFolder folder;
        const auto image = make(folder, kind);
        ImageDevice device(image);
        {
            auto volume = open_image(device);
            REQUIRE(volume->create(root_key, "a", Kind::file).ok());
        }
        std::vector<std::string> lines;
        auto volume = open_image(device, &lines);
        CHECK(lines.size() == 1);
        CHECK(volume->read_only_because().empty());
        REQUIRE(volume->create(root_key, "b", Kind::file).ok());
        REQUIRE(volume->settle().ok());
        lines.clear();
        CHECK(read_tree(*open_image(device, &lines)).size() == 2);
        CHECK(lines.size() == 1);
        if (std::string(kind.type) != "exFAT") {
            CHECK(marked(image, kind.type));
        }
        CHECK(fsck_after_cut(image, kind.type) == "");
    }
}

TEST_CASE("times are kept as each file system can, whatever the zone") {
    constexpr std::int64_t summer = 1'785'000'001;  // an odd second
    for (const auto& kind : kinds) {
        CAPTURE(kind.type);
        const bool exfat = std::string(kind.type) == "exFAT";
        for (const int offset : {0, 120, -570}) {
            CAPTURE(offset);
            TemporaryFolder folder;
            const auto image = make(folder, kind);
            ImageDevice device(image);
            VolumeOptions options;
            options.utc_offset = offset;
            options.now = [] { return summer - 1000; };
            auto volume = open_image(device, nullptr, options);
            const auto made = volume->create(root_key, "a", Kind::file);
            CHECK(*made->modified == (exfat ? summer - 1000 : (summer - 1000) / 2 * 2));
            const auto set = volume->set_modified(made->key, summer);
            REQUIRE(set.ok());
            CHECK(*set->modified == (exfat ? summer : summer - 1));
            // exFAT says which zone it is; FAT's times mean what the reader believes.
            auto other = open_image(device);
            CHECK(*list_folder(*other, root_key)[0].modified == (exfat ? summer : summer - 1 + offset * 60));
            CHECK(*volume->set_modified(made->key, 0)->modified == 315'532'800 - offset * 60);  // 1980
        }
    }
    CHECK(!from_dos_time({0, 0, false}, 0));
    CHECK(!from_dos_time({0x21, 0xffff, false}, 0));
    CHECK((to_dos_time(INT64_MAX, 0).date >> 9U) == 127);
    CHECK(to_dos_time(INT64_MIN, 0) == DosTime{0x21, 0, false});
}

TEST_CASE("a medium that cannot be written to is served and says why") {
    TemporaryFolder folder;
    const auto image = make(folder, kinds[1]);
    ImageDevice device(image);
    device.set_writable(false);
    auto volume = open_image(device);
    CHECK(volume->read_only_because().find("write-protected") != std::string::npos);
    CHECK(volume->create(root_key, "a", Kind::file).error().code == EROFS);
    CHECK(volume->space().ok());
    CHECK(volume->settle().ok());
}

TEST_CASE("a write that fails leaves a volume that goes on") {
    for (const auto& kind : kinds) {
        CAPTURE(kind.type);
        TemporaryFolder folder;
        const auto image = make(folder, kind);
        const std::string text = pattern(5000, 1);
        for (std::size_t good = 0; good < 30; ++good) {
            ImageDevice device(image);
            auto volume = open_image(device);
            device.fail_writes_after(good);
            const auto made = volume->create(root_key, "Some long name " + std::to_string(good), Kind::directory);
            const auto inner = made ? volume->create(made->key, "x", Kind::file) : made;
            if (inner) {
                (void)volume->write(inner->key, 0, std::as_bytes(std::span(text)));
                (void)volume->rename(inner->key, root_key, "moved here " + std::to_string(good), std::nullopt);
            }
            device.fail_writes_after(SIZE_MAX);
            CHECK(volume->read_only_because().empty());
            CHECK(volume->create(root_key, "after " + std::to_string(good), Kind::file).ok());
            (void)read_tree(*volume);
            REQUIRE(volume->settle().ok());
            CHECK(fsck_after_cut(image, kind.type) == "");
        }
    }
}
