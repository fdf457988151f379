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

TEST_CASE("the paths in M3U and PLS") {
    CHECK(*read_device_playlist(PlaylistFormat::m3u, "#EXTM3U\r\na.mp3\r\n\r\n\\b\\c.mp3") ==
          Strings{"a.mp3", "\\b\\c.mp3"});
    CHECK(*read_device_playlist(PlaylistFormat::m3u,
                                "Gr\xFC\xDF"
                                "e.mp3\nGr\xC3\xBC\xC3\x9F"
                                "e.mp3\n\xC3\n\xE2\x82") == Strings{"Gr\xC3\xBC\xC3\x9F"
                                                                    "e.mp3",
                                                                    "Gr\xC3\xBC\xC3\x9F"
                                                                    "e.mp3",
                                                                    "\xC3\x83", "\xC3\xA2\xC2\x82"});
    CHECK(*read_device_playlist(
              PlaylistFormat::pls,
              "[playlist]\nFile1=a.mp3\nTitle1=A\nfile12=b=c.mp3\nFileX=d\nFile=e\nFile3=\nVersion=2\n") ==
          Strings{"a.mp3", "b=c.mp3"});
    CHECK(read_device_playlist(PlaylistFormat::m3u, std::string_view("a\0b", 3)).error().code == EINVAL);
    for (const auto format : {PlaylistFormat::m3u, PlaylistFormat::pls}) {
        const Strings paths = {"../a b.mp3", "c/d.flac"};
        CHECK(*read_device_playlist(format, write_device_playlist(format, paths)) == paths);
        CHECK(read_device_playlist(format, write_device_playlist(format, {}))->empty());
    }
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
