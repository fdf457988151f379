// Music on a stick: when tracks/ and playlists/ are shown, what tags say, and playlists.
#include "driver_fixture.h"

using namespace plugfs;
using namespace plugfs::storage;
using namespace plugfs::storage::test;

namespace {

std::string number(std::uint32_t value) {
    std::string text;
    for (int i = 3; i >= 0; --i) {
        text += static_cast<char>((value >> (static_cast<unsigned>(i) * 7)) & 0x7fU);
    }
    return text;
}
std::string frame(const std::string& name, const std::string& content) {
    return name + number(static_cast<std::uint32_t>(content.size() + 1)) + std::string(2, '\0') + "\3" + content;
}
// An MP3 file's tag, ID3v2.4, and something behind it.
std::string mp3(const std::string& title) {
    const std::string frames = frame("TPE1", "Anna Sine") + frame("TALB", "First") + frame("TIT2", title);
    return std::string("ID3\4\0\0", 6) + number(static_cast<std::uint32_t>(frames.size())) + frames +
           std::string(3000, 'x');
}

std::string title(DriverFixture& stick, const Entry& entry) {
    const auto attributes = stick.driver->attributes()->list(entry.key);
    if (!attributes) {
        return attributes.error().text();
    }
    for (const auto& attribute : *attributes) {
        if (attribute.name == "media.title") {
            return attribute.value;
        }
    }
    return "none";
}

// A stick with an album, and a file that is none.
struct Player : DriverFixture {
    Player() {
        volume("MUSIC");
        plug_in();
        make_folder("storage/MUSIC", "Songs");
        make("storage/MUSIC/Songs", "one.mp3", mp3("One"));
        make("storage/MUSIC/Songs", "Two.mp3", mp3("Two"));
        make("storage/MUSIC/Songs", "note.txt", "no music");
    }
    std::string stored(const std::string& path) { return content("storage/MUSIC/" + path); }
};

}  // namespace

TEST_CASE("a stick without music has neither tracks/ nor playlists/") {
    DriverFixture stick;
    stick.volume("PLAIN");
    stick.plug_in();
    stick.make_folder("storage/PLAIN", "docs");
    stick.make("storage/PLAIN/docs", "a.txt", "text");
    stick.idle();
    CHECK_FALSE(stick.driver->attributes()->makes_tracks());
    CHECK(stick.names("") == Names{"disk.img", "storage"});
    CHECK(stick.host->tracks_shown == 0);
    CHECK(title(stick, stick.get("storage/PLAIN/docs/a.txt")).find("no audio file") != std::string::npos);
    CHECK(stick.driver->attributes()->list(stick.get("disk.img").key).error().code == ENOTSUP);
}

TEST_CASE("music is found by looking while nobody waits, and remembered") {
    DriverFixture stick;
    const auto image = stick.volume("DEEP", "exfat");
    stick.plug_in();
    Entry at = stick.get("storage/DEEP");
    for (int depth = 0; depth < 20; ++depth) {
        for (const char* name : {"a", "b"}) {
            const auto made = stick.writer().create(at.key, name, Kind::directory);
            REQUIRE(made);
            if (name[0] == 'b') {
                at = *made;
            }
        }
    }
    const auto song = stick.writer().create(at.key, "song.ogg", Kind::file);
    REQUIRE(song);
    REQUIRE(stick.writer().flush(song->key));
    // It was seen when it was made.
    CHECK(stick.host->tracks_shown == 1);
    stick.driver->stop();
    // Another process of another plugging-in knows nothing.
    stick.spool = UniqueFd(::memfd_create("spool", MFD_CLOEXEC));
    stick.next_process();
    CHECK_FALSE(stick.driver->attributes()->makes_tracks());
    stick.idle();
    CHECK(stick.host->tracks_shown == 1);
    CHECK(stick.driver->attributes()->makes_tracks());
    REQUIRE(stick.host->additions.size() == 1);
    CHECK(stick.host->additions.front().first == root_key);
    CHECK(stick.host->additions.front().second.name == "playlists");
    CHECK(stick.names("") == Names{"disk.img", "playlists", "storage"});
    // Its successor knows.
    stick.next_process();
    CHECK(stick.driver->attributes()->makes_tracks());
    CHECK(stick.names("") == Names{"disk.img", "playlists", "storage"});
    stick.idle();
    CHECK(stick.host->tracks_shown == 0);
}

TEST_CASE("a player that is known has them from the start") {
    DriverFixture stick;
    stick.volume("PLAYER");
    stick.player = PlayerDescription{{"MUSIC"}, {"PLAYLISTS"}, {"audio/x-mpegurl"}, false};
    stick.plug_in();
    CHECK(stick.driver->attributes()->makes_tracks());
    CHECK(stick.names("") == Names{"disk.img", "playlists", "storage"});
    CHECK(stick.host->description.find("PLAYLISTS") != std::string::npos);
    CHECK(stick.names("playlists").empty());
}

TEST_CASE("tags are read once, by one process and the next, until the file changes") {
    Player player;
    const auto one = player.get("storage/MUSIC/Songs/one.mp3");
    CHECK(title(player, one) == "One");
    // What the medium would say now does not matter: it is not asked.
    const auto reads = [&player] { return player.tell("count"); };
    const auto before = reads();
    CHECK(title(player, one) == "One");
    CHECK(reads() == before);
    player.driver->stop();
    player.next_process();
    const auto again = player.get("storage/MUSIC/Songs/one.mp3");
    const auto quiet = reads();
    CHECK(title(player, again) == "One");
    CHECK(reads() == quiet);
    // Written in place: as long as before, at the same time perhaps.
    const auto other = mp3("Uno");
    REQUIRE(other.size() == again.size);
    REQUIRE(player.writer().write(again.key, 0, std::as_bytes(std::span(other))));
    CHECK(title(player, again) == "Uno");
    REQUIRE(player.writer().flush(again.key));
    REQUIRE(player.writer().set_modified(again.key, *again.modified));
    CHECK(title(player, again) == "Uno");
    player.next_process();
    CHECK(title(player, player.get("storage/MUSIC/Songs/one.mp3")) == "Uno");
    CHECK(player.driver->attributes()->get(again.key, "media.cover").error().code == ENODATA);
    CHECK(player.driver->attributes()->get(again.key, "media.other").error().code == ENODATA);
}

TEST_CASE("tags are not read again by a process that comes to the folders in another order") {
    Player player;
    for (const char* name : {"A", "B"}) {
        player.make_folder("storage/MUSIC", name);
        player.make("storage/MUSIC/" + std::string(name), "song.mp3", mp3(name));
    }
    CHECK(title(player, player.get("storage/MUSIC/A/song.mp3")) == "A");
    CHECK(title(player, player.get("storage/MUSIC/B/song.mp3")) == "B");
    player.driver->stop();
    player.next_process();
    const auto b = player.get("storage/MUSIC/B/song.mp3");
    const auto a = player.get("storage/MUSIC/A/song.mp3");
    const auto before = player.tell("count");
    CHECK(title(player, a) == "A");
    CHECK(title(player, b) == "B");
    CHECK(player.tell("count") == before);
}

TEST_CASE("a file that takes the place of another is not taken for it") {
    Player player;
    const auto one = player.get("storage/MUSIC/Songs/one.mp3");
    CHECK(title(player, one) == "One");
    REQUIRE(player.writer().remove(one.key));
    const auto made = player.make("storage/MUSIC/Songs", "one.mp3", mp3("Ena"));
    REQUIRE(player.writer().set_modified(made.key, *one.modified));
    CHECK(title(player, player.get("storage/MUSIC/Songs/one.mp3")) == "Ena");
}

TEST_CASE("a hostile tag is an answer") {
    Player player;
    std::string hostile = mp3("Three");
    std::fill(hostile.begin() + 6, hostile.begin() + 10, '\x7f');
    std::fill(hostile.begin() + 14, hostile.begin() + 18, '\x7f');
    const auto made = player.make("storage/MUSIC/Songs", "three.mp3", hostile);
    CHECK(title(player, made) == "none");
    const auto endless = player.make("storage/MUSIC/Songs", "four.m4a",
                                     std::string("\0\0\0\x08"
                                                 "ftyp\0\0\0\0moov",
                                                 16));
    CHECK(title(player, endless) == "none");
}

TEST_CASE("playlists of a stick, with paths as their readers need them") {
    Player player;
    player.make_folder("storage/MUSIC", "Playlists");
    player.make(
        "storage/MUSIC/Playlists", "Road.m3u",
        "#EXTM3U\r\n..\\songs\\ONE.MP3\r\n/Songs/Two.mp3\r\nhttp://radio/\r\n../Songs/gone.mp3\r\n../../out.mp3\r\n");
    player.make("storage/MUSIC", "root.pls", "[playlist]\nFile1=Songs\\one.mp3\nNumberOfEntries=1\n");
    player.make("storage/MUSIC/Playlists", "bad.m3u", std::string("a\0b", 3));
    player.make("storage/MUSIC/Playlists", ".hidden.m3u", "x");
    CHECK(player.names("playlists") == Names{"Road.m3u8", "root.m3u8"});
    CHECK(player.content("playlists/Road.m3u8") ==
          "#EXTM3U\n../storage/MUSIC/Songs/one.mp3\n../storage/MUSIC/Songs/Two.mp3\nhttp://radio/\n"
          "../storage/MUSIC/Songs/gone.mp3\n../../out.mp3\n");
    CHECK(player.content("playlists/root.m3u8") == "#EXTM3U\n../storage/MUSIC/Songs/one.mp3\n");
}

TEST_CASE("a playlist is written as a file that players read") {
    Player player;
    const std::string text = "#EXTM3U\n../storage/MUSIC/Songs/one.mp3\n../storage/MUSIC/Songs/Two.mp3\n";
    SUBCASE("on any stick") {
        player.make("playlists", "New.m3u8", text);
        CHECK(player.stored("Playlists/New.m3u8") == "#EXTM3U\n../Songs/one.mp3\n../Songs/Two.mp3\n");
    }
    SUBCASE("on a player that has its ways") {
        player.player = PlayerDescription{{"MUSIC"}, {"Lists/Mine", "Other"}, {"audio/x-mpegurl"}, true};
        player.next_process();
        player.make("playlists", "New.m3u8", text);
        CHECK(player.stored("Lists/Mine/New.m3u") == "#EXTM3U\n..\\..\\Songs\\one.mp3\n..\\..\\Songs\\Two.mp3\n");
    }
    SUBCASE("on one that looks into the root, and knows PLS") {
        player.player = PlayerDescription{{}, {""}, {"audio/x-scpls"}, false};
        player.next_process();
        player.make("playlists", "New.m3u8", text);
        CHECK(player.stored("New.pls") ==
              "[playlist]\nFile1=Songs/one.mp3\nFile2=Songs/Two.mp3\nNumberOfEntries=2\nVersion=2\n");
    }
    CHECK(player.names("playlists") == Names{"New.m3u8"});
    CHECK(player.content("playlists/New.m3u8") == text);
    CHECK(player.host->spool().files().size() <= 1);  // of tags
    player.driver->stop();
    player.next_process();
    CHECK(player.content("playlists/New.m3u8") == text);
}

TEST_CASE("a player that takes no playlists that we could write") {
    Player player;
    player.player = PlayerDescription{{}, {"Lists"}, {"audio/x-iriver-pla"}, false};
    player.next_process();
    CHECK(player.writer().create(playlists_folder, "a.m3u8", Kind::file).error().code == ENOTSUP);
}

TEST_CASE("what was written of a playlist outlives the process, and a name is finished by renaming") {
    Player player;
    const std::string text = "#EXTM3U\n../storage/MUSIC/Songs/one.mp3\n";
    player.make("playlists", "List.m3u8", "#EXTM3U\n../storage/MUSIC/Songs/Two.mp3\n");
    const auto made = player.writer().create(playlists_folder, ".List.m3u8.Xy1", Kind::file);
    REQUIRE(made);
    REQUIRE(player.writer().write(made->key, 0, std::as_bytes(std::span(text))));
    REQUIRE(player.writer().flush(made->key));
    player.next_process();
    CHECK(player.names("playlists") == Names{".List.m3u8.Xy1", "List.m3u8"});
    CHECK(player.content("playlists/.List.m3u8.Xy1") == text);
    const auto draft = player.get("playlists/.List.m3u8.Xy1");
    const auto old = player.get("playlists/List.m3u8");
    const auto renamed = player.writer().rename(draft.key, playlists_folder, "List.m3u8", old.key);
    REQUIRE(renamed);
    CHECK(player.names("playlists") == Names{"List.m3u8"});
    CHECK(player.stored("Playlists/List.m3u8") == "#EXTM3U\n../Songs/one.mp3\n");
    CHECK(player.names("storage/MUSIC/Playlists") == Names{"List.m3u8"});
}

TEST_CASE("playlists are changed, renamed and removed") {
    Player player;
    player.make_folder("storage/MUSIC", "Playlists");
    player.make("storage/MUSIC/Playlists", "A.m3u", "../Songs/one.mp3\n");
    player.make("storage/MUSIC/Playlists", "B.pls", "[playlist]\nFile1=../Songs/Two.mp3\n");
    auto a = player.get("playlists/A.m3u8");
    const auto more = std::string("../storage/MUSIC/Songs/Two.mp3\n");
    REQUIRE(player.writer().write(a.key, a.size, std::as_bytes(std::span(more))));
    REQUIRE(player.writer().flush(a.key));
    CHECK(player.stored("Playlists/A.m3u") == "../Songs/one.mp3\n../Songs/Two.mp3\n");
    const auto renamed = player.writer().rename(a.key, playlists_folder, "C.m3u8", std::nullopt);
    REQUIRE(renamed);
    CHECK(player.names("storage/MUSIC/Playlists") == Names{"B.pls", "C.m3u"});
    CHECK(player.writer().rename(a.key, playlists_folder, "C.txt", std::nullopt).error().code == EINVAL);
    CHECK(player.writer().rename(a.key, player.get("storage").key, "C.m3u8", std::nullopt).error().code == EXDEV);
    const auto song = player.get("storage/MUSIC/Songs/one.mp3");
    CHECK(player.writer().rename(song.key, playlists_folder, "x.m3u8", std::nullopt).error().code == EXDEV);
    // Over the other one, which is a file of another kind.
    const auto b = player.get("playlists/B.m3u8");
    REQUIRE(player.writer().rename(a.key, playlists_folder, "B.m3u8", b.key));
    CHECK(player.names("storage/MUSIC/Playlists") == Names{"B.m3u"});
    CHECK(player.names("playlists") == Names{"B.m3u8"});
    REQUIRE(player.writer().remove(player.get("playlists/B.m3u8").key));
    CHECK(player.names("storage/MUSIC/Playlists").empty());
    CHECK(player.names("playlists").empty());
    CHECK(player.writer().create(playlists_folder, "folder", Kind::directory).error().code == EPERM);
}

TEST_CASE("a playlist that cannot be is refused when it is closed, and stays to be mended") {
    Player player;
    const auto made = player.writer().create(playlists_folder, "Bad.m3u8", Kind::file);
    REQUIRE(made);
    for (const std::string text : {"../storage/MUSIC/Songs/none.mp3\n", "/etc/passwd\n", "../storage/OTHER/a/b.mp3\n",
                                   "../storage/MUSIC/Songs/\n", "../storage/MUSIC/Songs/one.mp3/x\n"}) {
        INFO(text);
        REQUIRE(player.writer().resize(made->key, 0));
        REQUIRE(player.writer().write(made->key, 0, std::as_bytes(std::span(text))));
        CHECK(player.writer().flush(made->key).error().code == EINVAL);
    }
    CHECK_FALSE(player.find("storage/MUSIC/Playlists"));
    CHECK(player.writer().resize(made->key, std::uint64_t{1} << 40U).error().code == EFBIG);
    CHECK(player.writer().write(made->key, UINT64_MAX, std::as_bytes(std::span("x", 1))).error().code == EFBIG);
    REQUIRE(player.writer().resize(made->key, 0));
    REQUIRE(player.writer().flush(made->key));
    CHECK(player.stored("Playlists/Bad.m3u8").empty());
}

TEST_CASE("what a playlist has besides tracks that are there is kept") {
    Player player;
    player.make_folder("storage/MUSIC", "Playlists");
    const std::string stored =
        "#EXTM3U\n#EXTINF:3,One\n../Songs/one.mp3\nhttp://radio/\n../Songs/gone.mp3\n../../out.mp3\n";
    player.make("storage/MUSIC/Playlists", "A.m3u", stored);
    const auto list = player.get("playlists/A.m3u8");
    CHECK(player.content(list).starts_with("#EXTM3U\n#EXTINF:3,One\n../storage/MUSIC/Songs/one.mp3\n"));
    const std::string more = "#EXTINF:4,Two\n../storage/MUSIC/Songs/Two.mp3\n";
    REQUIRE(player.writer().write(list.key, list.size, std::as_bytes(std::span(more))));
    // Programs flush in between, when they end a child process; what is written goes on where it was.
    REQUIRE(player.writer().flush(list.key));
    const std::string yet = "../storage/MUSIC/Songs/one.mp3\n";
    REQUIRE(player.writer().write(list.key, list.size + more.size(), std::as_bytes(std::span(yet))));
    REQUIRE(player.writer().flush(list.key));
    CHECK(player.stored("Playlists/A.m3u") == stored + "#EXTINF:4,Two\n../Songs/Two.mp3\n../Songs/one.mp3\n");
}

TEST_CASE("a playlist that somebody changes in storage/ is looked at again") {
    Player player;
    player.make_folder("storage/MUSIC", "Playlists");
    const auto file = player.make("storage/MUSIC/Playlists", "A.m3u", "../Songs/one.mp3\n");
    CHECK(player.names("playlists") == Names{"A.m3u8"});
    player.host->listed_again.clear();
    REQUIRE(player.writer().resize(file.key, 0));
    REQUIRE(player.writer().flush(file.key));
    CHECK(player.host->listed_again.count(playlists_folder) == 1);
    CHECK(player.content("playlists/A.m3u8").empty());
    player.host->listed_again.clear();
    REQUIRE(player.writer().remove(file.key));
    CHECK(player.host->listed_again.count(playlists_folder) == 1);
    CHECK(player.names("playlists").empty());
}
