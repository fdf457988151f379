#include "drivers/mtp/object_lister.h"

#include "lister_fixture.h"
#include "player_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

TEST_CASE("the virtual player's folders, by lists of properties and object by object") {
    for (const bool properties : {true, false}) {
        CAPTURE(properties);
        PlayerFixture player;
        player.folder.file("Music/Artist/a.mp3", pattern(0, 1234));
        player.folder.file("Music/Artist/b.wav", {});
        player.folder.file("note.txt", pattern(0, 5));
        Session session(*player.device, endpoints, quick);
        REQUIRE(session.open());
        RecordingHost host(*player.device);
        ObjectLister lister(session, offers(properties ? everything : std::vector<std::uint16_t>{}), host);
        const auto root = lister.list(player.storage, 0, 0);
        REQUIRE(root);
        REQUIRE(root->objects.size() == 2);
        CHECK(root->next == 0);
        CHECK(root->objects[0].filename == "Music");
        CHECK(root->objects[0].folder());
        CHECK(root->objects[1].size == 5);
        const auto music = lister.list(player.storage, root->objects[0].handle, 0);
        REQUIRE(music);
        REQUIRE(music->objects.size() == 1);
        const auto artist = lister.list(player.storage, music->objects[0].handle, 0);
        REQUIRE(artist);
        REQUIRE(artist->objects.size() == 2);
        CHECK(artist->objects[0].filename == "a.mp3");
        CHECK(artist->objects[0].size == 1234);
        CHECK(artist->objects[0].modified);
        CHECK(artist->objects[0].persistent_identity.size() == (properties ? 16 : 0));
        CHECK(artist->listing != music->listing);
        CHECK(host.lines.empty());
        CHECK(player.responder->transactions().count(operation::get_object_handles) == (properties ? 0 : 1));
    }
}

TEST_CASE("object by object: what is in the folder, in the device's order, each once") {
    ListerFixture it;
    it.knows({{.handle = 5, .parent = 3, .name = u"five"}, {.handle = 4, .parent = 3, .name = u"four"}});
    it.folder({5, 4, 5, 6, 5});  // 6 was removed meanwhile
    CHECK(it.list(3) == Names{"5 five", "4 four"});
    CHECK(it.responder.count(operation::get_object_info) == 3);
    CHECK(it.responder.commands[0].parameters == Parameters{card, 0, 3, 0, 0});
    CHECK(it.host.lines.empty());
    it.folder({});
    CHECK(it.list(3).empty());
}

TEST_CASE("the root is asked for by 0xFFFFFFFF") {
    ListerFixture it;
    it.knows({{.handle = 1, .name = u"Music"}});
    it.folder({1});
    CHECK(it.list(0) == Names{"1 Music"});
    CHECK(it.responder.commands[0].parameters == Parameters{card, 0, root_parent, 0, 0});
}

TEST_CASE("what says that it lies elsewhere is skipped and logged: no answer makes a circle") {
    for (const bool properties : {true, false}) {
        CAPTURE(properties);
        ListerFixture it(properties ? everything : std::vector<std::uint16_t>{});
        const std::vector<Described> objects = {
            {.handle = 3, .parent = 3, .name = u"the folder itself"},
            {.handle = 4, .parent = 4, .name = u"in itself"},
            {.handle = 5, .parent = 9, .name = u"in another folder"},
            {.handle = 6, .storage = 0x00020001, .parent = 3, .name = u"on another storage"},
            {.handle = 0, .parent = 3, .name = u"no handle"},
            {.handle = 0xFFFFFFFF, .parent = 3, .name = u"no handle either"},
            {.handle = 7, .parent = 3, .name = u"right"}};
        it.knows(objects);
        it.folder({3, 4, 5, 6, 0, 0xFFFFFFFF, 7});
        it.responder.gives(operation::get_object_prop_list, object_prop_list(objects));
        CHECK(it.list(3) == Names{"7 right"});
        CHECK(it.host.logged("ParentObject is the object itself"));
        CHECK(it.host.logged("ParentObject is 9, listed in 3"));
        CHECK(it.host.logged("StorageID is 131073, listed in 65537"));
        CHECK(it.host.logged("object handle is 0"));
        CHECK(it.host.logged("object handle is 4294967295"));
        CHECK(it.host.logged("skipped: object 4 \"in itself\""));
    }
}

TEST_CASE("many that are skipped do not fill the log") {
    ListerFixture it;
    std::vector<Described> objects;
    ByteWriter handles;
    handles.u32le(100);
    for (std::uint32_t handle = 10; handle < 110; ++handle) {
        objects.push_back({.handle = handle, .parent = 9, .name = u"elsewhere"});
        handles.u32le(handle);
    }
    it.knows(objects);
    it.responder.gives(operation::get_object_handles, Bytes(handles.bytes().begin(), handles.bytes().end()));
    CHECK(it.list(3).empty());
    CHECK(it.host.lines.size() == 9);
    CHECK(it.host.lines.back() == "100 objects skipped in this folder");
}

TEST_CASE("an info that makes no sense costs its object only") {
    ListerFixture it;
    it.knows({{.handle = 4, .parent = 3, .name = u"four"}, {.handle = 6, .parent = 3, .name = u"six"}});
    it.infos[5] = bytes({1, 2, 3, 4, 5});
    it.folder({4, 5, 6});
    CHECK(it.list(3) == Names{"4 four", "6 six"});
    CHECK(it.host.logged("skipped: ObjectInfo: ObjectFormat at offset 4"));
}

TEST_CASE("a device that misbehaves in a listing: what is there is handed on, then the error, then it may go on") {
    ListerFixture it;
    it.knows({{.handle = 4, .parent = 3, .name = u"four"}, {.handle = 5, .parent = 3, .name = u"five"}});
    it.folder({4, 5});
    const Bytes five = it.infos[5];
    it.responder.on(operation::get_object_info, [&](const Command& command) {
        if (command.parameters[0] == 5) {
            it.responder.stall();
            return;
        }
        it.responder.data(command, it.infos[4]);
        it.responder.respond(command, response::ok);
    });
    const auto first = it.lister.list(card, 3, 0);
    REQUIRE(first);
    CHECK(first->objects.size() == 1);
    REQUIRE(first->next != 0);
    const auto second = it.lister.list(card, 3, first->next);
    REQUIRE_FALSE(second);
    CHECK(it.session.failure() == Session::Failure::broken);
    it.responder.gives(operation::get_object_info, five);
    const auto third = it.lister.list(card, 3, first->next);
    REQUIRE(third);
    REQUIRE(third->objects.size() == 1);
    CHECK(third->objects[0].handle == 5);
    CHECK(third->next == 0);
    CHECK(third->listing == first->listing);
}

TEST_CASE("a cursor that is not known, was used up, forgotten, or belongs to another folder is ESTALE") {
    ListerFixture it;
    std::vector<Described> objects;
    for (std::uint32_t handle = 10; handle < 10 + 5000; ++handle) {
        objects.push_back({.handle = handle, .parent = 3, .name = u"n"});
    }
    it.responder.gives(operation::get_object_prop_list, object_prop_list(objects));
    ObjectLister lister(it.session, offers(everything), it.host);
    const auto stale = [&](std::uint32_t storage, std::uint32_t parent, std::uint64_t cursor) {
        const auto part = lister.list(storage, parent, cursor);
        return !part && part.error().code == ESTALE;
    };
    CHECK(stale(card, 3, 1));
    const auto first = lister.list(card, 3, 0);
    REQUIRE(first);
    REQUIRE(first->next != 0);
    CHECK(stale(card, 3, first->next + 1));
    CHECK(stale(card, 4, first->next));
    CHECK(stale(card + 1, 3, first->next));
    CHECK_FALSE(stale(card, 3, first->next));
    lister.forget();
    CHECK(stale(card, 3, first->next));
    // Those who begin listings and do not end them push each other out.
    const auto oldest = lister.list(card, 3, 0);
    REQUIRE(oldest);
    for (int i = 0; i < 16; ++i) {
        REQUIRE(lister.list(card, 3, 0));
    }
    CHECK(stale(card, 3, oldest->next));
}

TEST_CASE("an object that takes the device long ends the part, also when it is not listed") {
    ListerFixture it;
    it.folder({4, 5, 6});
    it.responder.on(operation::get_object_info, [&](const Command& command) {
        const auto thinking = Deadline::after(std::chrono::milliseconds(25));  // more than a part may take
        while (!thinking.expired()) {
        }
        it.responder.respond(command, response::invalid_object_handle);
    });
    std::uint64_t cursor = 0;
    for (std::size_t asked = 1; asked <= 3; ++asked) {
        const auto part = it.lister.list(card, 3, cursor);
        REQUIRE(part);
        CHECK(part->objects.empty());
        CHECK(it.responder.count(operation::get_object_info) == asked);
        CHECK((part->next == 0) == (asked == 3));
        cursor = part->next;
    }
}
