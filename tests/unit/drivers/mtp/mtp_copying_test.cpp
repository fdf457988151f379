// Files that the virtual player copies by itself, and what becomes of it when it cannot, or says what is not true.
#include "driver_fixture.h"

#include <fstream>
#include <iterator>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

const Bytes song = pattern(7, 300'000);
const Bytes other = pattern(8, 1000);

struct CopyingFixture : DriverFixture {
    CopyingFixture() {
        folder.file("Music/song.mp3", song);
        folder.file("Music/other.mp3", other);
        std::filesystem::create_directory(folder.path() / "Copies");
    }
    void start() {
        DriverFixture::start();
        music = entry(root(), "Music").key;
        copies = entry(root(), "Copies").key;
        original = entry(music, "song.mp3").key;
    }
    Writer& writer() { return *driver.writer(); }
    Key made(Key parent, const std::string& name) {
        const auto file = writer().create(parent, name, Kind::file);
        REQUIRE_MESSAGE(file.ok(), (file ? "" : file.error().text()));
        return file->key;
    }
    int error_of_copy(Key file) {
        const auto copied = writer().copy(original, file);
        return copied ? 0 : copied.error().code;
    }
    // As the kernel does when it cannot be copied: that the file is then as it should be.
    bool comes_by_writing(Key file, const std::string& name) {
        return writer().write(file, 0, song).ok() && writer().flush(file).ok() && holds(name, song);
    }
    [[nodiscard]] bool holds(const std::string& name, const Bytes& content) const {
        std::ifstream stream(folder.path() / name, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(stream), {}};
        return stream.good() && std::ranges::equal(std::as_bytes(std::span(text)), content);
    }
    [[nodiscard]] std::size_t files(const std::string& name) const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path() / name),
                                                      std::filesystem::directory_iterator{}));
    }
    [[nodiscard]] std::size_t asked(std::uint16_t operation) const {
        const auto found = responder->transactions().find(operation);
        return found == responder->transactions().end() ? 0 : found->second;
    }
    Key music = 0;
    Key copies = 0;
    Key original = 0;
};

}  // namespace

TEST_CASE("into another folder, under its own name: the device copies, and nothing is sent") {
    CopyingFixture it;
    it.start();
    const Key file = it.made(it.copies, "song.mp3");
    const auto copied = it.writer().copy(it.original, file);
    REQUIRE_MESSAGE(copied.ok(), (copied ? "" : copied.error().text()));
    CHECK(copied->key == file);
    CHECK(copied->name == "song.mp3");
    CHECK(copied->size == song.size());
    CHECK(it.holds("Copies/song.mp3", song));
    CHECK(it.holds("Music/song.mp3", song));
    CHECK(it.asked(operation::copy_object) == 1);
    CHECK(it.asked(operation::send_object_info) == 0);
    CHECK(it.asked(operation::get_object) + it.asked(operation::get_partial_object_64) == 0);
    CHECK(it.host.spool().files().empty());
    // It is a file like any other, and there once.
    REQUIRE(it.writer().flush(file));
    CHECK(it.list(it.copies).size() == 1);
    CHECK(it.entry(it.copies, "song.mp3").key == file);
    CHECK(it.reads(file, song));
    it.events();
    CHECK(it.list(it.copies).size() == 1);
}

TEST_CASE("under another name, and into the root of the storage") {
    CopyingFixture it;
    it.start();
    const Key file = it.made(it.root(), "again.mp3");
    const auto copied = it.writer().copy(it.original, file);
    REQUIRE(copied);
    CHECK(copied->name == "again.mp3");
    CHECK(it.holds("again.mp3", song));
    CHECK(it.files("") == 3);
    CHECK(it.entry(it.root(), "again.mp3").key == file);
}

TEST_CASE("the copy has the time at which it was made; one that is set afterwards stays") {
    CopyingFixture it;
    std::filesystem::last_write_time(it.folder.path() / "Music/song.mp3",
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(1000));
    it.start();
    const auto before = std::time(nullptr);
    const Key file = it.made(it.copies, "song.mp3");
    const auto copied = it.writer().copy(it.original, file);
    REQUIRE(copied);
    REQUIRE(copied->modified);
    CHECK(*copied->modified >= before);
    const auto dated = it.writer().set_modified(file, 1'000'000'000);
    REQUIRE(dated);
    CHECK(dated->modified == 1'000'000'000);
}

TEST_CASE("what cannot be copied like that is refused, and can be written") {
    CopyingFixture it;
    SUBCASE("in the same folder") {
        it.start();
        const Key file = it.made(it.music, "again.mp3");
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.comes_by_writing(file, "Music/again.mp3"));
    }
    SUBCASE("where the original's name is taken") {
        it.folder.file("Copies/song.mp3", other);
        it.start();
        const Key file = it.made(it.copies, "again.mp3");
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.comes_by_writing(file, "Copies/again.mp3"));
        CHECK(it.holds("Copies/song.mp3", other));
    }
    SUBCASE("or is for a device that does not tell the cases of letters apart") {
        it.folder.file("Copies/SONG.MP3", other);
        it.start();
        const Key file = it.made(it.copies, "again.mp3");
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.comes_by_writing(file, "Copies/again.mp3"));
        CHECK(it.holds("Copies/SONG.MP3", other));
    }
    SUBCASE("under another name, where nothing can be renamed") {
        REQUIRE(it.faults.set("no-rename"));
        it.start();
        const Key file = it.made(it.copies, "again.mp3");
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.comes_by_writing(file, "Copies/again.mp3"));
        CHECK(it.error_of_copy(it.made(it.copies, "song.mp3")) == 0);
    }
    SUBCASE("what the device refuses") {
        REQUIRE(it.faults.set("refuse-copy"));
        it.start();
        const Key file = it.made(it.copies, "song.mp3");
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.comes_by_writing(file, "Copies/song.mp3"));
        CHECK(it.asked(operation::copy_object) == 1);
    }
    SUBCASE("what has been written to") {
        it.start();
        const Key file = it.made(it.copies, "song.mp3");
        REQUIRE(it.writer().write(file, 0, other));
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.comes_by_writing(file, "Copies/song.mp3"));
        // And what there was before.
        REQUIRE(it.writer().resize(file, 0));
        CHECK(it.error_of_copy(file) == ENOTSUP);
    }
    SUBCASE("an original that is being written to") {
        it.start();
        REQUIRE(it.writer().resize(it.original, 0));
        REQUIRE(it.writer().write(it.original, 0, other));
        const Key file = it.made(it.copies, "song.mp3");
        CHECK(it.error_of_copy(file) == ENOTSUP);
    }
    CHECK(it.files("Copies") <= 2);
}

TEST_CASE("a device without CopyObject is never asked for it") {
    for (const bool offered : {false, true}) {
        CopyingFixture it;
        if (offered) {
            it.host.quirks["no_copy"] = 1;
        } else {
            REQUIRE(it.faults.set("no-copy"));
        }
        it.start();
        const Key file = it.made(it.copies, "song.mp3");
        CHECK(it.error_of_copy(file) == ENOSYS);
        CHECK(it.asked(operation::copy_object) == 0);
        CHECK(it.comes_by_writing(file, "Copies/song.mp3"));
    }
}

TEST_CASE("a device that lies about the copy is not believed, nothing of it is left, and it is not asked again") {
    for (const std::string lie : {"short-copy", "no-such-copy"}) {
        for (const std::string name : {"song.mp3", "again.mp3"}) {
            CAPTURE(lie);
            CAPTURE(name);
            CopyingFixture it;
            REQUIRE(it.faults.set(lie));
            it.start();
            const Key file = it.made(it.copies, name);
            CHECK(it.error_of_copy(file) == ENOTSUP);
            CHECK(it.files("Copies") == 0);
            CHECK(it.holds("Music/song.mp3", song));
            CHECK(it.error_of_copy(file) == ENOSYS);
            CHECK(it.asked(operation::copy_object) == 1);
            CHECK(it.comes_by_writing(file, "Copies/" + name));
            CHECK(it.files("Copies") == 1);
            CHECK(it.host.logged("copies are read and written from now on"));
        }
    }
}

TEST_CASE("a device that calls the copy something else: it gets its name, or goes") {
    for (const std::string name : {"song.mp3", "again.mp3"}) {
        for (const bool renames : {true, false}) {
            CAPTURE(name);
            CAPTURE(renames);
            CopyingFixture it;
            REQUIRE(it.faults.set("renamed-copy"));
            if (!renames) {
                REQUIRE(it.faults.set("no-rename"));
            }
            it.start();
            const Key file = it.made(it.copies, name);
            CHECK(it.error_of_copy(file) == (renames ? 0 : ENOTSUP));
            CHECK(it.files("Copies") == (renames ? 1 : 0));
            CHECK(it.holds("Copies/" + name, song) == renames);
            CHECK(it.holds("Music/song.mp3", song));
        }
    }
}

TEST_CASE("what has come there unnoticed stays") {
    for (const std::string name : {"song.mp3", "again.mp3"}) {
        CAPTURE(name);
        CopyingFixture it;
        it.start();
        CHECK(it.list(it.copies).empty());
        const Key file = it.made(it.copies, name);
        it.folder.file("Copies/song.mp3", other);
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.holds("Copies/song.mp3", other));
        CHECK(it.files("Copies") == 1);
    }
}

TEST_CASE("a device that moves the original: it is told, and what there is stays") {
    for (const std::string name : {"song.mp3", "again.mp3"}) {
        CAPTURE(name);
        CopyingFixture it;
        REQUIRE(it.faults.set("copy-moves"));
        it.start();
        const Key file = it.made(it.copies, name);
        CHECK(it.error_of_copy(file) == EIO);
        CHECK(it.holds("Copies/song.mp3", song));
        // The empty file does not take its place.
        const auto closed = it.writer().flush(file);
        REQUIRE_FALSE(closed);
        CHECK(closed.error().code == EIO);
        CHECK(it.holds("Copies/song.mp3", song));
        CHECK(it.files("Copies") == 1);
    }
}

TEST_CASE("no room: ENOSPC, and the file is not there") {
    CopyingFixture it;
    REQUIRE(it.faults.set("free=2000"));
    it.start();
    const Key file = it.made(it.copies, "song.mp3");
    CHECK(it.error_of_copy(file) == ENOSPC);
    const auto closed = it.writer().flush(file);
    REQUIRE_FALSE(closed);
    CHECK(closed.error().code == ENOSPC);
    CHECK(it.files("Copies") == 0);
}

TEST_CASE("a copy may take longer than any other answer") {
    CopyingFixture it;
    REQUIRE(it.faults.set("slow-copy=55000"));
    it.start();
    CHECK(it.error_of_copy(it.made(it.copies, "song.mp3")) == 0);
    CHECK(it.holds("Copies/song.mp3", song));
}

TEST_CASE("but not for ever: what the device has copied is removed then, and it is not asked again") {
    for (const std::string name : {"song.mp3", "again.mp3"}) {
        CAPTURE(name);
        CopyingFixture it;
        REQUIRE(it.faults.set("slow-copy=70000"));
        it.start();
        const Key file = it.made(it.copies, name);
        CHECK(it.error_of_copy(file) == ENOTSUP);
        CHECK(it.files("Copies") == 0);
        CHECK(it.holds("Music/song.mp3", song));
        CHECK(it.error_of_copy(file) == ENOSYS);
        CHECK(it.comes_by_writing(file, "Copies/" + name));
        CHECK(it.files("Copies") == 1);
    }
}
