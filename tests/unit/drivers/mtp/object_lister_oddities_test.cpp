// object_lister.cpp: sizes that do not fit, and roots that are not where they should be.
#include "drivers/mtp/object_lister.h"

#include "lister_fixture.h"

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

TEST_CASE("sizes beyond 32 bits are asked for; those that no file can have are none") {
    ListerFixture it({operation::get_object_prop_value});
    it.knows({{.handle = 4, .size = std::uint64_t{5} << 32U, .parent = 3, .name = u"film"}});
    it.folder({4});
    ByteWriter size;
    size.u64le(std::uint64_t{5} << 32U);
    SUBCASE("given") {
        it.responder.gives(operation::get_object_prop_value, Bytes(size.bytes().begin(), size.bytes().end()));
        const auto part = it.lister.list(card, 3, 0);
        REQUIRE(part);
        REQUIRE(part->objects.size() == 1);
        CHECK(part->objects[0].size == std::uint64_t{5} << 32U);
        CHECK(it.responder.commands.back().parameters == Parameters{4, object_property::object_size, 0, 0, 0});
    }
    SUBCASE("refused") {
        const auto part = it.lister.list(card, 3, 0);
        REQUIRE(part);
        REQUIRE(part->objects.size() == 1);
        CHECK(part->objects[0].size == size_not_in_32_bits);
    }
    SUBCASE("too short to be one") {
        it.responder.gives(operation::get_object_prop_value, bytes({1, 2}));
        CHECK(it.list(3).empty());
        CHECK(it.host.logged("ObjectSize at offset 0"));
    }
    SUBCASE("more than a file can have") {
        it.responder.gives(operation::get_object_prop_value, Bytes(8, std::byte{0xff}));
        CHECK(it.list(3).empty());
        CHECK(it.host.logged("ObjectSize is 18446744073709551615"));
    }
}

TEST_CASE("roots that are objects of their own") {
    ListerFixture it;
    it.knows({{.handle = 4, .parent = 77, .name = u"Music"}, {.handle = 5, .parent = card, .name = u"Video"}});
    it.folder({4, 5});
    CHECK(it.list(0) == Names{"4 Music", "5 Video"});
    ObjectInfo object;
    object.handle = 9;
    object.storage_id = card;
    const std::vector<std::pair<std::optional<std::uint32_t>, std::uint32_t>> parents = {
        {std::nullopt, 0}, {0, 0}, {root_parent, 0}, {77, 0}, {card, 0}, {78, 78}};
    for (const auto& [parent, expected] : parents) {
        object.parent = parent;
        CHECK(it.lister.parent_of(object) == expected);
    }
    object.parent = 77;
    object.storage_id = card + 1;  // of another storage it is not the root
    CHECK(it.lister.parent_of(object) == 77);
    it.lister.forget();
    object.storage_id = card;
    CHECK(it.lister.parent_of(object) == 77);
}

TEST_CASE("a device that wants 0 for the root, and gives everything") {
    ListerFixture it;
    it.knows(
        {{.handle = 1, .format = format::association, .name = u"Music"}, {.handle = 2, .parent = 1, .name = u"t"}});
    it.responder.on(operation::get_object_handles, [&](const Command& command) {
        if (command.parameters[2] == root_parent) {
            it.responder.respond(command, response::invalid_parent_object);
            return;
        }
        it.responder.data(command, command.parameters[2] == 0 ? handle_array({1, 2}) : handle_array({2}));
        it.responder.respond(command, response::ok);
    });
    CHECK(it.list(0) == Names{"1 Music"});
    CHECK(it.host.lines.size() == 1);
    CHECK(it.list(1) == Names{"2 t"});
    CHECK(it.list(0) == Names{"1 Music"});
    CHECK(it.responder.count(operation::get_object_handles) == 4);  // it is not asked again with 0xFFFFFFFF
}
