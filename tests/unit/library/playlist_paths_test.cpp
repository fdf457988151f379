// Playlists as they lie on a player that is a disk.
#include "library/playlist_paths.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::library;

namespace {
using Strings = std::vector<std::string>;
}

TEST_CASE("what is a playlist is told by its ending") {
    CHECK(playlist_format("Road.m3u") == PlaylistFormat::m3u);
    CHECK(playlist_format("Road.M3U8") == PlaylistFormat::m3u);
    CHECK(playlist_format("a.b.Pls") == PlaylistFormat::pls);
    for (const char* name : {"m3u", ".m3u", "Road.m3u9", "Road", "", "a.pla"}) {
        CHECK_FALSE(playlist_format(name));
    }
    CHECK(playlist_stem("Road.m3u") == "Road");
    CHECK(playlist_stem("a.b.pls") == "a.b");
    CHECK(playlist_stem("Road") == "Road");
}

TEST_CASE("an M3U with other paths, and all else as it was") {
    Strings paths;
    const auto note = [&paths](const std::string& path) -> Result<std::optional<std::string>> {
        paths.push_back(path);
        return path == "out" ? std::optional<std::string>() : "<" + path + ">";
    };
    CHECK(*map_playlist("\xEF\xBB\xBF#EXTM3U\r\n#EXTINF:5,Caf\xE9\r\na.mp3 \r\n\r\nout\n\\b\\c.mp3", note) ==
          "#EXTM3U\n#EXTINF:5,Caf\xC3\xA9\n<a.mp3>\n\n<\\b\\c.mp3>\n");
    CHECK(paths == Strings{"a.mp3", "out", "\\b\\c.mp3"});
    paths.clear();
    REQUIRE(
        map_playlist("Gr\xFC\xDF"
                     "e.mp3\nGr\xC3\xBC\xC3\x9F"
                     "e.mp3\n\xC3\n\xE2\x82",
                     note));
    CHECK(paths == Strings{"Gr\xC3\xBC\xC3\x9F"
                           "e.mp3",
                           "Gr\xC3\xBC\xC3\x9F"
                           "e.mp3",
                           "\xC3\x83", "\xC3\xA2\xC2\x82"});
    CHECK(*map_playlist("", note) == "");
    CHECK(map_playlist(std::string_view("a\0b", 3), note).error().code == EINVAL);
    CHECK(map_playlist("a", [](const std::string&) -> Result<std::optional<std::string>> { return fail(EIO, "x"); })
              .error()
              .code == EIO);
}

TEST_CASE("PLS as M3U, and back") {
    const std::string pls = "[playlist]\nFile1=a.mp3\nTitle1=A\nfile12=b=c.mp3\nFileX=d\nFile=e\nFile3=\nVersion=2\n";
    CHECK(*m3u_of_pls(pls) == "#EXTM3U\na.mp3\nb=c.mp3\n");
    CHECK(*pls_of_m3u("#EXTM3U\na.mp3\nb=c.mp3\n") ==
          "[playlist]\nFile1=a.mp3\nFile2=b=c.mp3\nNumberOfEntries=2\nVersion=2\n");
    CHECK(*m3u_of_pls(*pls_of_m3u("#EXTM3U\na\n")) == "#EXTM3U\na\n");
    CHECK(*m3u_of_pls(*pls_of_m3u("")) == "#EXTM3U\n");
    CHECK(m3u_of_pls(std::string_view("\0", 1)).error().code == EINVAL);
}

TEST_CASE("a path in a playlist, from the root of the volume") {
    CHECK(path_on_volume("Playlists", "../Music/a.mp3") == "Music/a.mp3");
    CHECK(path_on_volume("Playlists", "..\\Music\\.\\x\\..\\a.mp3") == "Music/a.mp3");
    CHECK(path_on_volume("Music/Playlists", "a.mp3") == "Music/Playlists/a.mp3");
    CHECK(path_on_volume("Music", "/Other//b.mp3") == "Other/b.mp3");
    CHECK(path_on_volume("Music", "E:\\Other\\b.mp3") == "Other/b.mp3");
    CHECK(path_on_volume("", "b.mp3") == "b.mp3");
    for (const char* path : {"../../a.mp3", "http://radio/", "", "/", ".."}) {
        CHECK_FALSE(path_on_volume("Music", path));
    }
    CHECK_FALSE(path_on_volume("", std::string(5000, 'x')));
}

TEST_CASE("and back") {
    CHECK(path_from_folder("Playlists", "Music/a.mp3") == "../Music/a.mp3");
    CHECK(path_from_folder("", "Music/a.mp3") == "Music/a.mp3");
    CHECK(path_from_folder("Music/Playlists", "Music/A/a.mp3") == "../A/a.mp3");
    CHECK(path_from_folder("Music", "Music/a.mp3") == "a.mp3");
    CHECK(path_from_folder("Music/A", "Music") == "../../Music");
    for (const char* folder : {"", "A", "A/B", "A/B/C", "X/B"}) {
        for (const char* path : {"a.mp3", "A/a.mp3", "A/B/a.mp3", "X/Y/Z/a.mp3", "A/B/C/D"}) {
            CHECK(path_on_volume(folder, path_from_folder(folder, path)) == path);
        }
    }
}
