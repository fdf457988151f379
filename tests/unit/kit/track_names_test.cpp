#include "kit/track_names.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

std::string place(const std::vector<Attribute>& attributes, std::string_view filename) {
    const auto found = track_place(attributes, filename);
    return found ? found->artist + "|" + found->album + "|" + found->file : "none";
}

}  // namespace

TEST_CASE("a track lies under its artist and album, with its number") {
    CHECK(place({{"media.artist", "Anna"}, {"media.album", "First"}, {"media.title", "Octave"}, {"media.track", "2"}},
                "x.mp3") == "Anna|First|02 Octave.mp3");
    CHECK(place({{"media.artist", "Anna"}, {"media.title", "Octave"}, {"media.track", "11/12"}}, "x.tar.flac") ==
          "Anna|Unknown Album|11 Octave.flac");
    CHECK(place({{"media.artist", "Guest"}, {"media.album_artist", "Various"}, {"media.album", "Mix"}}, "a b.wma") ==
          "Various|Mix|a b.wma");
    CHECK(place({{"media.duration_ms", "1000"}}, "noise") == "Unknown Artist|Unknown Album|noise");
}

TEST_CASE("what says nothing of music is no track") {
    CHECK(place({}, "letter.txt") == "none");
    CHECK(place({{"media.year", "1999"}, {"media.cover", "", 1000}}, "photo.jpg") == "none");
    CHECK(place({{"media.title", ""}}, "x.mp3") == "none");
}

TEST_CASE("names are made valid, numbers that are none are left out") {
    CHECK(place({{"media.artist", "AC/DC"}, {"media.album", ".."}, {"media.title", "a\nb"}, {"media.track", "0"}},
                "x.mp3") ==
          "AC\xE2\x88\x95"
          "DC|_..|a_b.mp3");
    CHECK(place({{"media.title", "T"}, {"media.track", "99999999999999"}}, "x.mp3") ==
          "Unknown Artist|Unknown Album|T.mp3");
    const auto longest = place({{"media.title", std::string(1000, 'x')}, {"media.track", "1"}}, "x.mp3");
    CHECK(longest.size() <= std::string("Unknown Artist|Unknown Album|").size() + 255);
    CHECK(longest.ends_with(".mp3"));
}
