// The driver on the virtual player: controls, attributes, covers, playlists; and when the player lies.
#include "virtual/player/library.h"
#include "driver_fixture.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <thread>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;
namespace fs = std::filesystem;

namespace {

const std::string track_name = "02 Octave.wav";
const std::string album_path = "Music/Anna Sine/First Harmonics";
const std::string album_in_list = "../storage/Internal/" + album_path + "/";

const std::string octave_words = "#EXTINF:2,Anna Sine - Octave\n";
const std::string fundamental_words = "#EXTINF:2,Anna Sine - Fundamental\n";

struct LibraryFixture : DriverFixture {
    std::string picture = std::string("\xFF\xD8\xFF") + std::string(1000, 'p');

    LibraryFixture() {
        REQUIRE(virtual_usb::generate_library(folder.path(), 4));
        fs::create_directories(folder.path() / "Albums");
        write("Albums/First.jpg", picture);
        write("Albums/First.alb", album_path + "/" + track_name + "\n");
        write("Playlists/One.pla", album_path + "/" + track_name + "\n");
    }
    void write(const fs::path& path, const std::string& text) {
        std::ofstream stream(folder.path() / path, std::ios::binary);
        stream << text;
        REQUIRE(stream.good());
    }
    std::string file(const fs::path& path) {
        std::ifstream stream(folder.path() / path, std::ios::binary);
        return {std::istreambuf_iterator<char>(stream), {}};
    }
    Entry track() {
        Entry at = entry(root(), "Music");
        at = entry(at.key, "Anna Sine");
        at = entry(at.key, "First Harmonics");
        return entry(at.key, track_name);
    }
    std::string attribute(Key key, const std::string& name) {
        const auto list = driver.attributes()->list(key);
        REQUIRE_MESSAGE(list.ok(), (list ? "" : list.error().text()));
        for (const auto& item : *list) {
            if (item.name == name) {
                return item.size ? std::to_string(*item.size) + " bytes" : item.value;
            }
        }
        return "absent";
    }
    std::string control(const std::string& name) {
        const auto value = driver.controls()->get(name);
        return value ? *value : "error " + std::to_string(value.error().code);
    }
    std::string text_of(const Entry& playlist) {
        std::string text(playlist.size, '\0');
        const auto got = driver.read(playlist.key, 0, std::as_writable_bytes(std::span(text)));
        REQUIRE(got);
        CHECK(*got == text.size());
        return text;
    }
    // A file written as cp(1) does it.
    Result<Entry> copy(const std::string& name, const std::string& text) {
        PLUGFS_ASSIGN(const auto made, driver.writer()->create(playlists_key, name, Kind::file));
        PLUGFS_TRY(driver.writer()->write(made.key, 0, std::as_bytes(std::span(text))));
        return driver.writer()->flush(made.key);
    }
};

}  // namespace

TEST_CASE("controls: what the device describes, with what may be written") {
    LibraryFixture it;
    it.start();
    const auto list = it.driver.controls()->list();
    REQUIRE(list.ok());
    CHECK(list->size() == 9);
    for (const auto& control : *list) {
        CHECK(control.value == it.control(control.name));
        CHECK(control.writable == (control.name != "battery-level"));
    }
    const auto volume =
        std::find_if(list->begin(), list->end(), [](const auto& item) { return item.name == "volume"; });
    REQUIRE(volume != list->end());
    CHECK(allowed_values(*volume) == "a number from 0 to 100 in steps of 5");
    CHECK(it.driver.controls()->set("volume", "35"));
    CHECK(it.control("volume") == "35");
    CHECK(it.driver.controls()->set("volume", "37").error().code == EINVAL);  // the device's own word
    CHECK(it.driver.controls()->set("battery-level", "1").error().code == EACCES);
    CHECK(it.driver.controls()->set("date-time", "2026-02-29T00:00:00").error().code == EINVAL);
    CHECK(it.control("no-such") == "error " + std::to_string(ENOENT));
}

TEST_CASE("controls: what is played is a file") {
    LibraryFixture it;
    it.start();
    auto* controls = it.driver.controls();
    CHECK(controls->set("playback-object", album_in_list + track_name));
    CHECK(it.control("playback-object") == album_in_list + track_name);
    CHECK(controls->set("playback-object", album_in_list + "none.wav").error().code == ENOENT);
    CHECK(controls->set("playback-object", "/etc/passwd").error().code == EINVAL);
}

TEST_CASE("attributes: from properties in a list, one by one, or from the tags") {
    LibraryFixture it;
    SUBCASE("a list") {}
    SUBCASE("one by one") {
        REQUIRE(it.faults.set("no-object-prop-list"));
    }
    SUBCASE("tags") {
        REQUIRE(it.faults.set("no-properties"));
    }
    it.start();
    const Key track = it.track().key;
    CHECK(it.attribute(track, "media.artist") == "Anna Sine");
    CHECK(it.attribute(track, "media.album") == "First Harmonics");
    CHECK(it.attribute(track, "media.title") == "Octave");
    CHECK(it.attribute(track, "media.track") == "2");
    CHECK(it.attribute(track, "media.duration_ms") == "2000");
    CHECK(it.attribute(track, "media.year") == "absent");
    // Of a picture, its name is no title.
    const Key image = it.entry(it.entry(it.root(), "Albums").key, "First.jpg").key;
    CHECK(it.attribute(image, "media.title") == "absent");
}

TEST_CASE("attributes: what a listing has brought is not asked for again") {
    LibraryFixture it;
    it.start();
    const Key track = it.track().key;
    (void)it.attribute(track, "media.title");
    const auto before = it.responder->transactions();
    (void)it.attribute(track, "media.title");
    CHECK(it.responder->transactions() == before);
}

TEST_CASE("attributes: set, where the device lets them be") {
    LibraryFixture it;
    it.start();
    const Key track = it.track().key;
    auto* attributes = it.driver.attributes();
    CHECK(attributes->set(track, "media.title", "Jürgen"));
    CHECK(it.attribute(track, "media.title") == "Jürgen");
    CHECK(attributes->set(track, "media.track", "9"));
    CHECK(it.attribute(track, "media.track") == "9");
    CHECK(attributes->set(track, "media.year", "1999"));
    CHECK(it.attribute(track, "media.year") == "1999");
    CHECK(attributes->set(track, "media.year", "soon").error().code == EINVAL);
    CHECK(attributes->set(track, "media.track", "70000").error().code == EINVAL);
    CHECK(attributes->set(track, "media.duration_ms", "5").error().code == EPERM);
    CHECK(attributes->set(track, "media.mood", "sad").error().code == ENOTSUP);
    CHECK(attributes->set(track, "media.genre", std::nullopt));
    CHECK(it.attribute(track, "media.genre") == "absent");
    CHECK(attributes->set(track, "media.track", std::nullopt).error().code == ENOTSUP);
}

TEST_CASE("covers come from albums, thumbnails from the pictures") {
    LibraryFixture it;
    it.start();
    const Key track = it.track().key;
    CHECK(it.attribute(track, "media.cover") == std::to_string(it.picture.size()) + " bytes");
    const auto cover = it.driver.attributes()->get(track, "media.cover");
    REQUIRE(cover);
    CHECK(*cover == it.picture);
    const Key image = it.entry(it.entry(it.root(), "Albums").key, "First.jpg").key;
    CHECK(it.attribute(image, "media.thumbnail") == std::to_string(it.picture.size()) + " bytes");
    const auto thumbnail = it.driver.attributes()->get(image, "media.thumbnail");
    REQUIRE(thumbnail);
    CHECK(*thumbnail == it.picture);
    CHECK(it.driver.attributes()->get(track, "media.thumbnail").error().code == ENODATA);
    CHECK(it.driver.attributes()->get(image, "media.cover").error().code == ENODATA);
}

TEST_CASE("playlists: read, made, changed, renamed, removed") {
    LibraryFixture it;
    it.start();
    CHECK(it.text_of(it.entry(playlists_key, "One.m3u8")) ==
          "#EXTM3U\n" + octave_words + album_in_list + track_name + "\n");
    const auto made = it.copy("Two.m3u8", "# mine\r\n" + album_in_list + "01 Fundamental.wav\r\n");
    REQUIRE_MESSAGE(made.ok(), (made ? "" : made.error().text()));
    CHECK(it.file("Playlists/Two.pla") == album_path + "/01 Fundamental.wav\n");
    CHECK(it.text_of(*made) == "#EXTM3U\n" + fundamental_words + album_in_list + "01 Fundamental.wav\n");
    REQUIRE(it.host.changes.size() == 1);  // what is there now is not what was written
    CHECK(it.host.changes.front().key == made->key);
    // One more at its end.
    const std::string more = album_in_list + track_name + "\n";
    REQUIRE(it.driver.writer()->write(made->key, made->size, std::as_bytes(std::span(more))));
    REQUIRE(it.driver.writer()->flush(made->key));
    CHECK(it.file("Playlists/Two.pla") == album_path + "/01 Fundamental.wav\n" + album_path + "/" + track_name + "\n");
    const auto renamed = it.driver.writer()->rename(made->key, playlists_key, "Three.m3u8", std::nullopt);
    REQUIRE(renamed);
    CHECK(renamed->name == "Three.m3u8");
    CHECK(it.file("Playlists/Two.pla").empty());
    CHECK_FALSE(it.file("Playlists/Three.pla").empty());
    CHECK(it.driver.writer()->remove(made->key));
    CHECK(it.file("Playlists/Three.pla").empty());
    CHECK(it.list(playlists_key).size() == 1);
    CHECK(it.host.spool().files().empty());
}

TEST_CASE("playlists: a temporary file becomes the one that it replaces, and not before") {
    LibraryFixture it;
    it.start();
    const Entry old = it.entry(playlists_key, "One.m3u8");
    const auto draft = it.copy(".One.m3u8.Xy12", album_in_list + "01 Fundamental.wav\n");
    REQUIRE(draft);
    CHECK(it.file("Playlists/One.pla") == album_path + "/" + track_name + "\n");
    CHECK(it.list(playlists_key).size() == 2);
    REQUIRE(it.driver.writer()->rename(draft->key, playlists_key, "One.m3u8", old.key));
    CHECK(it.file("Playlists/One.pla") == album_path + "/01 Fundamental.wav\n");
    CHECK(it.list(playlists_key).size() == 1);
    CHECK(it.host.spool().files().empty());
}

TEST_CASE("playlists: words come from what is known of the tracks, and never from what was written") {
    SUBCASE("a folder that was listed: nothing more is asked") {
        LibraryFixture it;
        it.start();
        (void)it.track();
        const auto asked = it.responder->transactions().at(operation::get_object_prop_list);
        CHECK(it.text_of(it.entry(playlists_key, "One.m3u8")).find(octave_words) != std::string::npos);
        CHECK(it.responder->transactions().at(operation::get_object_prop_list) == asked);
    }
    SUBCASE("other words") {
        LibraryFixture it;
        it.start();
        const auto made =
            it.copy("Two.m3u8", "#EXTM3U\n#EXTINF:999,Somebody - Else\n" + album_in_list + track_name + "\n");
        REQUIRE(made);
        CHECK(it.text_of(*made) == "#EXTM3U\n" + octave_words + album_in_list + track_name + "\n");
    }
    SUBCASE("a device that gives properties one by one") {
        LibraryFixture it;
        REQUIRE(it.faults.set("no-object-prop-list"));
        it.start();
        CHECK(it.text_of(it.entry(playlists_key, "One.m3u8")) ==
              "#EXTM3U\n" + octave_words + album_in_list + track_name + "\n");
    }
    SUBCASE("a device that has no properties") {
        LibraryFixture it;
        REQUIRE(it.faults.set("no-properties"));
        it.start();
        CHECK(it.text_of(it.entry(playlists_key, "One.m3u8")) == "#EXTM3U\n" + album_in_list + track_name + "\n");
    }
}

TEST_CASE("playlists: renamed where the device cannot rename, and over another one") {
    for (const bool renames : {true, false}) {
        for (const bool over : {true, false}) {
            CAPTURE(renames);
            CAPTURE(over);
            LibraryFixture it;
            if (!renames) {
                REQUIRE(it.faults.set("no-rename"));
            }
            it.start();
            std::optional<Key> replaced;
            if (over) {
                const auto other = it.copy("Two.m3u8", album_in_list + "01 Fundamental.wav\n");
                REQUIRE(other);
                replaced = other->key;
            }
            const Entry one = it.entry(playlists_key, "One.m3u8");
            const std::string text = it.text_of(one);
            const auto renamed = it.driver.writer()->rename(one.key, playlists_key, "Two.m3u8", replaced);
            REQUIRE_MESSAGE(renamed.ok(), (renamed ? "" : renamed.error().text()));
            CHECK(renamed->key == one.key);
            CHECK(renamed->name == "Two.m3u8");
            CHECK(it.file("Playlists/Two.pla") == album_path + "/" + track_name + "\n");
            CHECK_FALSE(fs::exists(it.folder.path() / "Playlists/One.pla"));
            CHECK(it.list(playlists_key).size() == 1);
            CHECK(it.text_of(it.entry(playlists_key, "Two.m3u8")) == text);
            CHECK(it.entry(playlists_key, "Two.m3u8").key == one.key);
            CHECK(it.host.spool().files().empty());
        }
    }
}

TEST_CASE("playlists: what cannot be one says so, and the old one stays") {
    LibraryFixture it;
    it.start();
    CHECK(it.copy("Bad.m3u8", album_in_list + "none.wav\n").error().code == EINVAL);
    CHECK(it.copy("Worse.m3u8", "http://radio\n").error().code == EINVAL);
    CHECK_FALSE(fs::exists(it.folder.path() / "Playlists/Bad.pla"));
    const Entry old = it.entry(playlists_key, "One.m3u8");
    const std::string nonsense = "nonsense\n";
    REQUIRE(it.driver.writer()->resize(old.key, 0));
    REQUIRE(it.driver.writer()->write(old.key, 0, std::as_bytes(std::span(nonsense))));
    CHECK(it.driver.writer()->flush(old.key).error().code == EINVAL);
    CHECK(it.file("Playlists/One.pla") == album_path + "/" + track_name + "\n");
    auto* writer = it.driver.writer();
    CHECK(writer->create(playlists_key, "folder", Kind::directory).error().code == EPERM);
    CHECK(writer->create(playlists_key, std::string(300, 'x'), Kind::file).error().code == ENAMETOOLONG);
    CHECK(writer->rename(old.key, it.root(), "One.m3u8", std::nullopt).error().code == EXDEV);
    CHECK(writer->write(old.key, UINT64_MAX, {}).error().code == EFBIG);
}

TEST_CASE("playlists: what was written and not flushed is there for the next process") {
    LibraryFixture it;
    it.start();
    const auto made = it.driver.writer()->create(playlists_key, "Two.m3u8", Kind::file);
    REQUIRE(made);
    const std::string text = album_in_list + track_name + "\n";
    REQUIRE(it.driver.writer()->write(made->key, 0, std::as_bytes(std::span(text))));
    MtpDriver next(it.host, quick);
    REQUIRE(next.start());
    const auto listing = next.list(playlists_key, 0);
    REQUIRE(listing);
    const auto found = std::find_if(listing->entries.begin(), listing->entries.end(),
                                    [](const Entry& entry) { return entry.name == "Two.m3u8"; });
    REQUIRE(found != listing->entries.end());
    CHECK(found->size == text.size());
    REQUIRE(next.writer()->flush(found->key));
    CHECK(it.file("Playlists/Two.pla") == album_path + "/" + track_name + "\n");
}

TEST_CASE("a player that lies gets errors, and nothing else") {
    for (const char* fault : {"garbage", "lying-count", "short-data", "short-length", "wrong-transaction-id"}) {
        CAPTURE(fault);
        LibraryFixture it;
        it.start();
        const Key track = it.track().key;
        (void)it.list(playlists_key);
        REQUIRE(it.faults.set(fault));
        (void)it.driver.controls()->list();
        (void)it.driver.controls()->get("volume");
        (void)it.driver.controls()->get("friendly-name");
        (void)it.driver.attributes()->list(track);
        (void)it.driver.attributes()->get(track, "media.cover");
        (void)it.driver.attributes()->get(track, "media.thumbnail");
        (void)it.driver.list(playlists_key, 0);
        it.faults.clear();
        // A player that did not come back is left alone for a moment.
        const auto deadline = Deadline::after(std::chrono::seconds(10));
        while (it.control("battery-level") != "80" && !deadline.expired()) {
            std::this_thread::yield();
        }
        CHECK(it.control("battery-level") == "80");
        CHECK(it.attribute(it.track().key, "media.artist") == "Anna Sine");
        CHECK(it.entry(playlists_key, "One.m3u8").size > 8);
    }
}

TEST_CASE("a device without any of it has none of it") {
    LibraryFixture it;
    REQUIRE(it.faults.set("no-references"));
    it.start();
    const auto listing = it.driver.list(root_key, 0);
    REQUIRE(listing);
    CHECK(listing->entries.size() == 1);
    CHECK(it.attribute(it.track().key, "media.cover") == "absent");
}
