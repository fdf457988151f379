// Names on FAT: short and long ones, case, code pages, and what mtools makes of ours and we of theirs.

#include "drivers/storage/fat/short_names.h"
#include "drivers/storage/text/utf16.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>
#include <set>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

struct Stick {
    TemporaryFolder folder;
    std::filesystem::path image = make_image(folder.path() / "image", 16U << 20U);
    Stick() { must_run("mkfs.fat -F 16 " + image.string()); }
    [[nodiscard]] std::string mdir() const { return must_run("mdir -a -i " + image.string() + " ::/"); }
};

std::string short_form(const std::string& name, const std::set<std::string>& taken = {}) {
    const auto found =
        fat::short_name_for(*utf8_to_utf16(name), *CodePage::find(437), [&](const fat::ShortName& candidate) {
            return taken.count(std::string(candidate.begin(), candidate.end())) != 0;
        });
    REQUIRE(found);
    return {found->begin(), found->end()};
}

}  // namespace

TEST_CASE("short names for long ones") {
    CHECK(short_form("A long name.text") == "ALONGN~1TEX");
    CHECK(short_form("x.tar.gz") == "XTAR~1  GZ ");
    CHECK(short_form(".profile") == "PROFIL~1   ");
    CHECK(short_form("a+b=c.d") == "A_B_C~1 D  ");
    CHECK(short_form("日本語.txt") == "___~1   TXT");
    CHECK(short_form("über.txt") ==
          "\x9a"
          "BER~1  TXT");  // Ü in code page 437
    CHECK(short_form("Longer name", {"LONGER~1   "}) == "LONGER~2   ");
    const std::string fifth = short_form("Longer name", {"LONGER~1   ", "LONGER~2   ", "LONGER~3   ", "LONGER~4   "});
    CHECK(fifth.substr(0, 2) == "LO");
    CHECK(fifth.substr(6) == "~1   ");
}

TEST_CASE("names that need no long one keep their case by two bits") {
    const Stick stick;
    {
        ImageDevice device(stick.image);
        auto volume = open_image(device);
        for (const char* name : {"UPPER.TXT", "lower.txt", "UPPER.low", "low.UP", "Mixed.txt", "no_ext"}) {
            REQUIRE(volume->create(root_key, name, Kind::file).ok());
        }
        CHECK(volume->create(root_key, "upper.txt", Kind::file).error().code == EEXIST);
        CHECK(volume->create(root_key, "MIXED~1.TXT", Kind::file).error().code == EEXIST);
        REQUIRE(volume->settle().ok());
    }
    CHECK(fsck(stick.image, "FAT16") == "");
    ImageDevice device(stick.image);
    auto volume = open_image(device);
    CHECK(read_tree(*volume) == Tree{{"UPPER.TXT", ""},
                                     {"lower.txt", ""},
                                     {"UPPER.low", ""},
                                     {"low.UP", ""},
                                     {"Mixed.txt", ""},
                                     {"no_ext", ""}});
    // One slot each but for the mixed one: what mtools shows as a long name is beside the short one.
    CHECK(stick.mdir().find("Mixed.txt") != std::string::npos);
    CHECK(stick.mdir().find("UPPER    TXT") != std::string::npos);
}

TEST_CASE("what mtools writes is read as it is") {
    const Stick stick;
    std::ofstream(stick.folder.path() / "a") << "content";
    const std::string at = " -i " + stick.image.string() + " ";
    must_run("mcopy" + at + (stick.folder.path() / "a").string() + " '::/Ein Lied von Müller.ogg'");
    must_run("mmd" + at + "::/SUB '::/SUB/tief unten'");
    must_run("mcopy" + at + (stick.folder.path() / "a").string() + " '::/SUB/tief unten/B.BIN'");
    ImageDevice device(stick.image);
    auto volume = open_image(device);
    CHECK(read_tree(*volume) == Tree{{"Ein Lied von Müller.ogg", "content"},
                                     {"SUB/", ""},
                                     {"SUB/tief unten/", ""},
                                     {"SUB/tief unten/B.BIN", "content"}});
}

TEST_CASE("names that cannot be are refused") {
    const Stick stick;
    ImageDevice device(stick.image);
    auto volume = open_image(device);
    for (const char* name :
         {"a:b", "a?b", "a*", "\"", "<", ">", "|", "back\\slash", "dot.", "space ", "tab\t", ".", ".."}) {
        CAPTURE(name);
        CHECK(volume->create(root_key, name, Kind::file).error().code == EINVAL);
    }
    CHECK(volume->create(root_key, "\xff", Kind::file).error().code == EINVAL);
    CHECK(volume->create(root_key, std::string(256, 'a'), Kind::file).error().code == ENAMETOOLONG);
    std::string longest;
    for (int i = 0; i < 255; ++i) {
        longest += "日";  // 765 bytes of UTF-8, 255 units
    }
    REQUIRE(volume->create(root_key, longest, Kind::file).ok());
    CHECK(find_entry(*volume, root_key, longest).has_value());
    REQUIRE(volume->settle().ok());
    CHECK(fsck(stick.image, "FAT16") == "");
}

TEST_CASE("a change of case is a rename; a long name goes beside and comes back") {
    const Stick stick;
    ImageDevice device(stick.image);
    auto volume = open_image(device);
    auto made = volume->create(root_key, "readme.txt", Kind::file);
    write_file(*volume, made->key, 0, "text");
    for (const char* name : {"README.TXT", "ReadMe.txt", "A much longer name than it had before.text", "x"}) {
        const auto renamed = volume->rename(made->key, root_key, name, std::nullopt);
        REQUIRE_MESSAGE(renamed.ok(), (renamed ? "" : renamed.error().text()));
        made = renamed;
        CHECK(read_tree(*volume) == Tree{{name, "text"}});
    }
    REQUIRE(volume->settle().ok());
    CHECK(fsck(stick.image, "FAT16") == "");
}

TEST_CASE("long names whose short one has gone are not seen, and their slots are used again") {
    const Stick stick;
    {
        ImageDevice device(stick.image);
        auto volume = open_image(device);
        REQUIRE(volume->create(root_key, "Long Name One", Kind::file).ok());
        REQUIRE(volume->create(root_key, "SHORT", Kind::file).ok());
        REQUIRE(volume->settle().ok());
    }
    // As a DOS would remove it: the short entry only, behind two parts of the long one.
    const auto fat = must_run("minfo -i " + stick.image.string() + " ::");
    ImageDevice device(stick.image);
    std::array<std::byte, 32> slot{};
    std::uint64_t offset = 0;
    for (std::uint64_t at = 0; at < 1U << 20U && offset == 0; at += 32) {
        REQUIRE(device.read(at, slot, BlockDevice::Use::metadata).ok());
        const std::string name(reinterpret_cast<const char*>(slot.data()), 8);
        offset = name == "LONGNA~1" ? at : 0;
    }
    REQUIRE(offset != 0);
    const auto gone = std::byte{0xe5};
    REQUIRE(device.write(offset, {&gone, 1}, BlockDevice::Use::metadata).ok());
    auto volume = open_image(device);
    CHECK(read_tree(*volume) == Tree{{"SHORT", ""}});
    CHECK(volume->read_only_because().empty());
    REQUIRE(volume->create(root_key, "Long Name Two", Kind::file).ok());
    REQUIRE(volume->settle().ok());
    CHECK(read_tree(*volume) == Tree{{"SHORT", ""}, {"Long Name Two", ""}});
    CHECK(fsck(stick.image, "FAT16") == "");
}
