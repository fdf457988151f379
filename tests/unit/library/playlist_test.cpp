#include "library/playlist.h"

#include <doctest/doctest.h>

using namespace plugfs::library;

namespace {

std::string plain(std::string_view path) {
    return storage_path(path).value_or("none");
}

}  // namespace

TEST_CASE("what is written can be read") {
    const std::vector<std::string> written = {"../storage/Card/a.mp3", "../storage/Card/b c.mp3"};
    const std::string text = write_playlist({{written[0]}, {written[1]}});
    CHECK(text == "#EXTM3U\n../storage/Card/a.mp3\n../storage/Card/b c.mp3\n");
    const auto paths = read_playlist(text);
    REQUIRE(paths.ok());
    CHECK(*paths == written);
}

TEST_CASE("titles and durations, where they are known") {
    const std::string text = write_playlist({{"../storage/Card/a.mp3", "Anna - A", 213},
                                             {"../storage/Card/b.mp3"},
                                             {"../storage/Card/c.mp3", "C"},
                                             {"../storage/Card/d.mp3", "", 0}});
    CHECK(text ==
          "#EXTM3U\n#EXTINF:213,Anna - A\n../storage/Card/a.mp3\n../storage/Card/b.mp3\n#EXTINF:-1,C\n"
          "../storage/Card/c.mp3\n#EXTINF:0,\n../storage/Card/d.mp3\n");
    CHECK(read_playlist(text)->size() == 4);
    // A title makes no lines of its own.
    CHECK(write_playlist({{"a", "x\n../storage/Card/b.mp3\r\x7F"}}) ==
          "#EXTM3U\n#EXTINF:-1,x ../storage/Card/b.mp3  \na\n");
    // Nor does it make a playlist that can be read one that cannot.
    const std::vector<PlaylistTrack> many(1000, {"a.mp3", std::string(playlist_size_limit / 1000, 't')});
    REQUIRE(read_playlist(write_playlist(many)));
    CHECK(read_playlist(write_playlist(many))->size() == 1000);
}

TEST_CASE("playlists as others write them") {
    const auto paths = read_playlist("\xEF\xBB\xBF#EXTM3U\r\n\r\na b.mp3 \r\n#EXTINF:1,x\r\n\n../c.mp3");
    REQUIRE(paths.ok());
    CHECK(*paths == std::vector<std::string>{"a b.mp3", "../c.mp3"});
    CHECK(read_playlist("")->empty());
}

TEST_CASE("what is no playlist is refused") {
    CHECK(read_playlist(std::string("RIFF\0\0", 6)).error().code == EINVAL);
    CHECK(read_playlist(std::string(playlist_size_limit + 1, 'a')).error().code == EINVAL);
    std::string many;
    for (std::size_t i = 0; i <= playlist_track_limit; ++i) {
        many += "a\n";
    }
    CHECK(read_playlist(many).error().code == EINVAL);
}

TEST_CASE("paths that lead into storage/ are made plain, others are refused") {
    CHECK(plain("../storage/Card/a.mp3") == "../storage/Card/a.mp3");
    CHECK(plain("..//storage/./Card/x/../a.mp3") == "../storage/Card/a.mp3");
    CHECK(plain("/mnt/devices/walkman/storage/Card/a.mp3") == "../storage/Card/a.mp3");
    CHECK(plain("a.mp3") == "none");
    CHECK(plain("storage/Card/a.mp3") == "none");
    CHECK(plain("../../storage/Card/a.mp3") == "none");
    CHECK(plain("../storage/Card") == "none");
    CHECK(plain("../storage/Card/../../a.mp3") == "none");
    CHECK(plain("/etc/passwd") == "none");
    CHECK(plain("/../storage/Card/a") == "none");
    CHECK(plain("") == "none");
}
