// Descriptions of players as media-player-info has them, and on their way to a driver.
#include "supervisor/player_descriptions.h"

#include "common/player_json.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>

using namespace plugfs;

namespace {

using Strings = std::vector<std::string>;

const std::string clip =
    "# a comment\n[Device]\r\nProduct=Clip\nAccessProtocol=mtp;storage\nDeviceMatch=usb:0781:7432;usb:0781:ABCD;\n\n"
    "[Media]\nOutputFormats=audio/mpeg\n[Playlist]\nFormats=audio/x-scpls;Audio/X-MPEGURL\nFolderSeparator=DOS\n"
    "[storage]\nPlaylistPath=Music//Playlists/;PLAYLIST/\nAudioFolders=MUSIC/;RECORD/FM/;;MUSIC;\n";

}  // namespace

TEST_CASE("a player's folders, formats and separator") {
    const auto player = parse_player_description(clip, 0x0781, 0xabcd);
    REQUIRE(player);
    CHECK(player->audio_folders == Strings{"MUSIC", "RECORD/FM"});
    CHECK(player->playlist_folders == Strings{"Music/Playlists", "PLAYLIST"});
    CHECK(player->playlist_formats == Strings{"audio/x-scpls", "audio/x-mpegurl"});
    CHECK(player->backslashes);
    CHECK(player_from_json(player_to_json(*player)) == player);
}

TEST_CASE("another device, or one that is no disk") {
    CHECK_FALSE(parse_player_description(clip, 0x0781, 0x7433));
    CHECK_FALSE(parse_player_description("[Device]\nAccessProtocol=mtp\nDeviceMatch=usb:0781:7432\n", 0x781, 0x7432));
    CHECK_FALSE(parse_player_description("", 0, 0));
    CHECK_FALSE(parse_player_description(std::string("\0[\n=\n[]\n", 8), 0, 0));
}

TEST_CASE("a list that is empty is the root; what leads out of the volume is left out") {
    const std::string device = "[Device]\nAccessProtocol=storage\nDeviceMatch=usb:0001:0002\n[Storage]\n";
    const auto empty = parse_player_description(device + "PlaylistPath=\nAudioFolders=/;../x;a/../b;.", 1, 2);
    REQUIRE(empty);
    CHECK(empty->playlist_folders == Strings{""});
    CHECK(empty->audio_folders == Strings{""});
    const auto nothing = parse_player_description(device, 1, 2);
    REQUIRE(nothing);
    CHECK(nothing->playlist_folders.empty());
    std::string many = "AudioFolders=";
    for (int i = 0; i < 100; ++i) {
        many += std::string(150, 'x') + std::to_string(i) + ";";
    }
    const auto bounded = parse_player_description(device + many + std::string(300, 'y'), 1, 2);
    REQUIRE(bounded);
    CHECK(bounded->audio_folders.size() == player_list_limit);
}

TEST_CASE("found in a directory by the device's numbers") {
    const plugfs::test::TemporaryFolder folder;
    DeviceIdentity identity;
    identity.vendor_id = 0x0781;
    identity.product_id = 0x7432;
    CHECK_FALSE(find_player_description(folder.path() / "none", identity));
    std::ofstream(folder.path() / "other.mpi") << "[Device]\nDeviceMatch=usb:0781:7432\n";
    std::ofstream(folder.path() / "clip.txt") << clip;
    CHECK_FALSE(find_player_description(folder.path(), identity));
    std::ofstream(folder.path() / "clip.mpi") << clip;
    const auto found = find_player_description(folder.path(), identity);
    REQUIRE(found);
    CHECK(found->audio_folders.front() == "MUSIC");
}

TEST_CASE("a message that is no description") {
    using nlohmann::json;
    const json good = player_to_json({{"a"}, {""}, {}, false});
    CHECK(player_from_json(good));
    CHECK_FALSE(player_from_json(json()));
    for (const char* name : {"audio_folders", "playlist_folders", "playlist_formats"}) {
        json wrong = good;
        wrong[name] = 5;
        CHECK_FALSE(player_from_json(wrong));
        wrong[name] = json::array({5});
        CHECK_FALSE(player_from_json(wrong));
        wrong[name] = json::array({std::string(player_text_limit + 1, 'x')});
        CHECK_FALSE(player_from_json(wrong));
        wrong[name] = std::vector<std::string>(player_list_limit + 1, "x");
        CHECK_FALSE(player_from_json(wrong));
        wrong.erase(name);
        CHECK_FALSE(player_from_json(wrong));
    }
}
