// The control protocol.
#include "virtual/player/player.h"

#include "temporary_folder.h"

using namespace plugfs;
using namespace plugfs::virtual_usb;
using plugfs::test::TemporaryFolder;

TEST_CASE("a player needs folders that are there and faults that it knows") {
    const TemporaryFolder folder;
    CHECK(Player::create({.storages = {{"Internal", folder.path()}}, .faults = {"slow=5", "hang"}}));
    CHECK_FALSE(Player::create({.storages = {{"Internal", folder.path() / "none"}}}));
    const auto unknown = Player::create({.faults = {"no-such-fault"}});
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == EINVAL);
}

TEST_CASE("commands") {
    const TemporaryFolder folder;
    auto created = Player::create({.storages = {{"Internal", folder.path()}}});
    REQUIRE(created);
    Player& player = **created;
    CHECK(player.command("fault slow=5") == "ok");
    CHECK(player.command("fault  hang") == "ok");
    CHECK(player.command("fault nothing") == "no such fault");
    CHECK(player.command("fault") == "no such fault");
    CHECK(player.command("clear") == "ok");
    CHECK(player.command("unlock") == "ok");
    CHECK(player.command("storage-add Card=" + folder.path().string()) == "ok");
    CHECK(player.command("storage-add Card=" + (folder.path() / "none").string()).find("storage") == 0);
    CHECK(player.command("storage-add Card") != "ok");
    CHECK(player.command("storage-remove Card") == "ok");
    CHECK(player.command("storage-remove Card") == "no such storage");
    CHECK(player.command("unplug") == "ok");
    CHECK(player.command("unplug") == "ok");
    CHECK(player.command("plug") == "ok");
    CHECK(player.command("count") == R"({"bytes_in":0,"bytes_out":0,"cancelled":0,"operations":{}})");
    for (const std::string& line : {std::string(), std::string("help"), std::string(5000, 'x'), std::string("\0", 1)}) {
        CHECK(player.command(line).find("fault NAME") == 0);
    }
}
