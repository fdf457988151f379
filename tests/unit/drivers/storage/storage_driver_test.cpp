#include <fstream>
// The storage driver as a whole: what it shows of a stick, media that come and go, images, and processes that follow
// each other.
#include "driver_fixture.h"

using namespace plugfs;
using namespace plugfs::storage;
using namespace plugfs::storage::test;

namespace {

std::string random_text(std::size_t size, unsigned seed) {
    return plugfs::test::pattern(size, seed);
}
// How often the stick has executed a command.
unsigned long count(DriverFixture& stick, const std::string& operation) {
    const auto text = stick.tell("count");
    const auto at = text.find('"' + operation + "\":");
    return at == std::string::npos ? 0 : std::stoul(text.substr(at + operation.size() + 3));
}
std::string bytes_of(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}
// What fsck finds.
std::string judge(const std::string& image, const std::string& type) {
    return plugfs::test::fsck(image, type == "fat" ? "FAT16" : "exFAT");
}
std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
}

}  // namespace

TEST_CASE("volumes, images and what is said of them") {
    DriverFixture stick;
    const auto first = stick.volume("FIRST");
    const auto second = stick.volume("SECOND", "exfat");
    SUBCASE("Bulk-Only Transport") {}
    SUBCASE("UAS") {
        stick.options.transport = virtual_usb::StickTransport::uas;
    }
    stick.plug_in();
    CHECK(stick.names("") == Names{"disk.img", "disk2.img", "storage"});
    CHECK(stick.names("storage") == Names{"FIRST", "SECOND"});
    CHECK(stick.content("disk.img") == bytes_of(first));
    CHECK(stick.content("disk2.img") == bytes_of(second));
    const auto file = stick.make("storage/SECOND", "a.txt", "text");
    CHECK(stick.content("storage/SECOND/a.txt") == "text");
    CHECK(stick.names("storage/FIRST").empty());
    const auto space = stick.driver->space();
    REQUIRE(space);
    CHECK(space->total > (std::uint64_t{24} << 20U));
    CHECK(space->available < space->total);
    CHECK(stick.host->description.find("\"SECOND\"") != std::string::npos);
    CHECK(stick.host->noted.empty());

    CHECK(stick.writer().rename(file.key, stick.get("storage/FIRST").key, "b.txt", std::nullopt).error().code == EXDEV);
    CHECK(stick.writer().remove(stick.get("storage/FIRST").key).error().code == EPERM);
    CHECK(stick.writer()
              .rename(stick.get("storage/FIRST").key, stick.get("storage/SECOND").key, "x", std::nullopt)
              .error()
              .code == EPERM);
    CHECK(stick.writer().create(storage_folder, "x", Kind::directory).error().code == EPERM);
    CHECK(stick.writer().create(root_key, "x", Kind::file).error().code == EPERM);
    CHECK(stick.writer().remove(stick.get("disk.img").key).error().code == EPERM);
    CHECK(stick.writer().set_modified(storage_folder, 5).error().code == ENOTSUP);
    CHECK(stick.writer().set_modified(stick.get("storage/FIRST").key, 5).error().code == ENOTSUP);
    CHECK(stick.driver->list(whole_key(77, root_key), 0).error().code == ENOENT);
    std::array<std::byte, 16> out{};
    CHECK(stick.driver->read(image_key(5, 0), 0, out).error().code == ENOENT);
    CHECK(*stick.driver->read(image_key(0, 0), std::uint64_t{16} << 20U, out) == 0);
}

TEST_CASE("a file is written, and is there for the next process and on the medium") {
    DriverFixture stick;
    const auto image = stick.volume("STICK");
    stick.options.volatile_cache = true;
    stick.plug_in();
    const auto text = random_text(300'000, 1);
    const auto made = stick.writer().create(stick.get("storage/STICK").key, "file", Kind::file);
    REQUIRE(made);
    REQUIRE(stick.writer().write(made->key, 0, bytes(text)));
    // Nothing of it need be on the medium yet: the next process goes on.
    stick.next_process();
    CHECK(stick.content("storage/STICK/file") == text);
    REQUIRE(stick.writer().resize(stick.get("storage/STICK/file").key, 1000));
    REQUIRE(stick.writer().set_modified(stick.get("storage/STICK/file").key, 1'700'000'000));
    stick.driver->stop();
    CHECK(judge(image, "fat") == "");
    CHECK(plugfs::test::must_run("mcopy -n -i " + image + " ::file -") == text.substr(0, 1000));
}

TEST_CASE("images are written to only if that is wanted, and while nothing on them is in use") {
    DriverFixture stick;
    const auto image = stick.volume("STICK");
    const auto other = stick.volume("OTHER", "exfat");
    stick.options.images.pop_back();
    SUBCASE("not wanted") {
        stick.plug_in();
        const auto disk = stick.get("disk.img");
        CHECK(stick.writer().write(disk.key, 0, bytes("x")).error().code == EROFS);
        CHECK(stick.writer().resize(disk.key, 0).error().code == EROFS);
        CHECK(bytes_of(image) == stick.content("disk.img"));
        return;
    }
    stick.driver_options = {"raw_write"};
    stick.plug_in();
    const auto disk = stick.get("disk.img");
    CHECK(stick.writer().write(disk.key, disk.size, bytes("x")).error().code == ENOSPC);
    CHECK(stick.writer().resize(disk.key, 5).error().code == EPERM);
    CHECK(stick.writer().resize(disk.key, 0));
    const auto content = bytes_of(other);
    SUBCASE("in use") {
        stick.make("storage/STICK", "file", "text");
        CHECK(stick.writer().write(disk.key, 0, bytes(content)).error().code == EBUSY);
    }
    SUBCASE("not in use") {
        const auto before = stick.list(storage_folder).front().key;
        REQUIRE(stick.writer().write(disk.key, 0, bytes(content)));
        CHECK(stick.names("storage").empty());
        CHECK(std::count(stick.host->removals.begin(), stick.host->removals.end(), before) == 1);
        REQUIRE(stick.writer().flush(disk.key));
        CHECK(stick.names("storage") == Names{"OTHER"});
        CHECK(bytes_of(image) == content);
        CHECK(stick.host->listed_again.count(storage_folder) == 1);
        // Keys of the volume that was there are nobody's now.
        CHECK(stick.driver->list(before, 0).error().code == ENOENT);
    }
}

TEST_CASE("a medium is taken out, and another one is put in") {
    DriverFixture stick;
    stick.volume("ONE");
    const auto two = stick.volume("TWO", "exfat");
    stick.options.images.pop_back();
    stick.plug_in();
    const auto file = stick.make("storage/ONE", "file", "text");
    REQUIRE(stick.tell("remove 0") == "ok");
    std::array<std::byte, 4096> out{};
    // Whoever comes next finds out.
    const auto disk = stick.get("disk.img");
    CHECK(stick.driver->read(disk.key, std::uint64_t{8} << 20U, out).error().code == ENOMEDIUM);
    CHECK(stick.names("") == Names{"storage"});
    CHECK(stick.names("storage").empty());
    CHECK(stick.driver->read(file.key, 0, out).error().code == ENOENT);
    CHECK(stick.writer().write(file.key, 0, bytes("x")).error().code == ENOENT);
    CHECK(stick.driver->space().error().code == ENOTSUP);
    CHECK(stick.host->removals.size() == 2);
    REQUIRE(stick.tell("insert 0 " + two) == "ok");
    // It is looked for every two seconds.
    stick.next_process();
    CHECK(stick.names("storage") == Names{"TWO"});
    CHECK(stick.content("disk.img") == bytes_of(two));
}

TEST_CASE("write-protected: told from the start") {
    DriverFixture stick;
    stick.volume("STICK");
    stick.options.faults = {"write-protect"};
    stick.plug_in();
    CHECK(stick.host->noted.find("write-protected") != std::string::npos);
    CHECK(stick.writer().create(stick.get("storage/STICK").key, "x", Kind::file).error().code == EROFS);
    CHECK(stick.driver->eject());
}

TEST_CASE("what was written and cannot be brought to the medium is told, and an eject is refused") {
    DriverFixture stick;
    stick.volume("STICK");
    stick.plug_in();
    stick.make("storage/STICK", "good", "text");
    REQUIRE(stick.tell("fault hidden-write-protect") == "ok");
    const auto made = stick.writer().create(stick.get("storage/STICK").key, "bad", Kind::file);
    REQUIRE(made);
    REQUIRE(stick.writer().write(made->key, 0, bytes("lost")));
    CHECK_FALSE(stick.writer().flush(made->key));
    CHECK(stick.host->noted.find("read-only") != std::string::npos);
    CHECK_FALSE(stick.driver->eject());
    CHECK(stick.content("storage/STICK/good") == "text");
    CHECK(stick.writer().create(stick.get("storage/STICK").key, "more", Kind::file).error().code == EROFS);
}

TEST_CASE("ejected: all is on it; and the next process has the medium in again") {
    for (const bool removable : {true, false}) {
        INFO(removable);
        DriverFixture stick;
        const auto image = stick.volume("STICK");
        stick.options.removable = removable;
        stick.options.volatile_cache = true;
        stick.plug_in();
        stick.make("storage/STICK", "file", "text");
        REQUIRE(stick.driver->eject());
        CHECK(judge(image, "fat") == "");
        CHECK((stick.stick->unit(0).medium() == nullptr) == removable);
        stick.next_process();
        CHECK(stick.content("storage/STICK/file") == "text");
        // Taken out by somebody's hand: then it cannot come in by itself.
        if (removable) {
            REQUIRE(stick.driver->eject());
            REQUIRE(stick.tell("remove 0") == "no medium");
            REQUIRE(stick.tell("insert 0 " + image) == "ok");
            REQUIRE(stick.tell("remove 0") == "ok");
            stick.next_process();
            CHECK(stick.names("") == Names{"storage"});
        }
    }
}

TEST_CASE("clusters that are free again are unmapped, and only those") {
    for (const std::string type : {"fat", "exfat"}) {
        INFO(type);
        DriverFixture stick;
        const auto image = stick.volume("STICK", type);
        stick.plug_in();
        const auto kept = random_text(200'000, 1);
        const auto gone = random_text(2'000'000, 2);
        stick.make("storage/STICK", "kept", kept);
        const auto file = stick.make("storage/STICK", "gone", gone);
        const auto cut = stick.make("storage/STICK", "cut", gone);
        CHECK(count(stick, "42") == 0);
        const auto marker = gone.substr(1'000'000, 1000);
        CHECK(bytes_of(image).find(marker) != std::string::npos);
        REQUIRE(stick.writer().remove(file.key));
        REQUIRE(stick.writer().resize(cut.key, 5000));
        stick.driver->stop();
        CHECK(count(stick, "42") > 0);
        CHECK(bytes_of(image).find(marker) == std::string::npos);
        CHECK(judge(image, type) == "");
        // What is written there next is what is there.
        stick.next_process();
        stick.make("storage/STICK", "new", gone);
        CHECK(stick.content("storage/STICK/kept") == kept);
        CHECK(stick.content("storage/STICK/cut") == gone.substr(0, 5000));
        stick.driver->stop();
        stick.next_process();
        CHECK(stick.content("storage/STICK/new") == gone);
    }
}

// Folders and large files cannot move to another sector at once: for one barrier their entry is in both.
TEST_CASE("the power goes while something moves: plugged in again, it is in one place") {
    for (const std::string type : {"fat", "exfat"}) {
        std::size_t cuts = 0;
        for (unsigned at = 1; at < 60; ++at) {
            CAPTURE(type);
            CAPTURE(at);
            DriverFixture stick;
            const auto image = stick.volume("STICK", type);
            stick.options.volatile_cache = true;
            stick.plug_in();
            stick.make_folder("storage/STICK", "from");
            stick.make_folder("storage/STICK", "to");
            const auto text = random_text(1'100'000, 3);
            const auto file = stick.make("storage/STICK/from", "large", text);
            const auto folder = stick.make_folder("storage/STICK/from", "folder");
            stick.make("storage/STICK/from/folder", "inside", "text");
            REQUIRE(stick.tell("cut-seed " + std::to_string(at)) == "ok");
            REQUIRE(stick.tell("fault power-cut-after=" + std::to_string(at)) == "ok");
            const auto to = stick.get("storage/STICK/to").key;
            const bool moved = stick.writer().rename(file.key, to, "large", std::nullopt).ok() &&
                               stick.writer().rename(folder.key, to, "folder", std::nullopt).ok();
            CHECK(moved);
            (void)stick.writer().flush(stick.get("storage/STICK/to/large").key);
            if (stick.stick->powered()) {
                break;
            }
            ++cuts;
            // The process that is left finds its device gone; the next one has what it remembered.
            stick.bus->unplug();
            stick.driver.reset();
            REQUIRE(stick.tell("plug") == "ok");
            stick.next_process();
            CHECK(stick.names("storage/STICK/from").empty());
            CHECK(stick.names("storage/STICK/to") == Names{"folder", "large"});
            CHECK(stick.content("storage/STICK/to/large") == text);
            CHECK(stick.content("storage/STICK/to/folder/inside") == "text");
            stick.driver->stop();
            CHECK(judge(image, type) == "");
        }
        CHECK(cuts > 2);
    }
}

TEST_CASE_FIXTURE(DriverFixture, "NTFS is left to another program, and without it to whoever installs it") {
    const auto image = volume("FIRST");
    std::fstream(image, std::ios::in | std::ios::out | std::ios::binary).seekp(3).write("NTFS    ", 8);
    SUBCASE("it is installed") {
        alternatives = {"ntfs"};
        plug_in();
        CHECK(host->went_on_as == std::vector<std::string>{"ntfs"});
        CHECK(host->noted == "");
        CHECK(host->lines.empty());
    }
    SUBCASE("it is not") {
        plug_in();
        CHECK(host->went_on_as.empty());
        CHECK(host->noted == "the medium has NTFS, which needs plugfs-storage-ntfs to be installed");
        CHECK(host->lines.size() == 1);
    }
}
