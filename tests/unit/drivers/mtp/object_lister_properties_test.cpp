// object_lister.cpp: GetObjectPropList, and devices that have it in name only.
#include "drivers/mtp/object_lister.h"

#include "dataset_writer.h"
#include "scripted_responder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

constexpr std::uint32_t card = 0x00010001;

DeviceInfo with_property_list() {
    DeviceInfo info;
    info.operations_supported = {operation::get_object_prop_list, operation::get_object_prop_value};
    return info;
}

struct Fixture : Scripted {
    ObjectLister lister{session, with_property_list(), host};

    void gives_both(const std::vector<Described>& objects) {
        responder.gives(operation::get_object_prop_list, object_prop_list(objects));
        gives_handles(objects);
    }
    void gives_handles(const std::vector<Described>& objects) {
        ByteWriter handles;
        handles.u32le(static_cast<std::uint32_t>(objects.size()));
        for (const auto& object : objects) {
            handles.u32le(object.handle);
        }
        responder.gives(operation::get_object_handles, Bytes(handles.bytes().begin(), handles.bytes().end()));
        responder.on(operation::get_object_info, [this, objects](const Command& command) {
            for (const auto& object : objects) {
                if (object.handle == command.parameters[0]) {
                    responder.data(command, object_info(object));
                    responder.respond(command, response::ok);
                    return;
                }
            }
            responder.respond(command, response::invalid_object_handle);
        });
    }
    std::size_t listed(std::uint32_t parent) {
        std::size_t objects = 0;
        std::uint64_t cursor = 0;
        do {
            const auto part = lister.list(card, parent, cursor);
            REQUIRE_MESSAGE(part.ok(), (part ? "" : part.error().text()));
            objects += part->objects.size();
            cursor = part->next;
        } while (cursor != 0);
        return objects;
    }
    std::size_t lists() { return responder.count(operation::get_object_prop_list); }
};

const std::vector<Described> two = {{.handle = 4, .size = 1, .parent = 3, .name = u"a"},
                                    {.handle = 5, .size = 2, .parent = 3, .name = u"b"}};
const std::vector<Described> two_in_root = {{.handle = 4, .size = 1, .name = u"a"},
                                            {.handle = 5, .size = 2, .name = u"b"}};

}  // namespace

TEST_CASE("a folder is one transaction") {
    Fixture it;
    it.gives_both(two);
    CHECK(it.listed(3) == 2);
    CHECK(it.responder.commands.size() == 1);
    CHECK(it.responder.commands[0].parameters == Parameters{3, 0, all_properties, 0, 1});
}

TEST_CASE("a list may include the folder itself") {
    Fixture it;
    std::vector<Described> objects = two;
    objects.push_back({.handle = 3, .format = format::association, .parent = 1, .name = u"folder"});
    it.gives_both(objects);
    CHECK(it.listed(3) == 2);
    CHECK(it.host.lines.empty());
}

TEST_CASE("properties that a list leaves out are asked for") {
    Fixture it;
    PropListWriter list;
    put_string(list.element(4, object_property::object_file_name, data_type::string), u"no format");
    list.element(5, object_property::object_format, data_type::uint16).u16le(format::mp3);
    it.gives_handles(two);
    it.responder.gives(operation::get_object_prop_list, list.list());
    const auto part = it.lister.list(card, 3, 0);
    REQUIRE(part);
    REQUIRE(part->objects.size() == 2);
    CHECK(part->objects[0].filename == "a");
    CHECK(part->objects[1].size == 2);
    CHECK(it.responder.count(operation::get_object_info) == 2);
}

TEST_CASE("a large folder known at once is handed on in parts") {
    Fixture it;
    std::vector<Described> objects;
    for (std::uint32_t handle = 10; handle < 5010; ++handle) {
        objects.push_back({.handle = handle, .parent = 3, .name = u"n"});
    }
    it.gives_both(objects);
    std::size_t count = 0;
    std::uint64_t cursor = 0;
    std::uint64_t listing = 0;
    do {
        const auto part = it.lister.list(card, 3, cursor);
        REQUIRE(part);
        CHECK(part->objects.size() <= 2048);
        CHECK((listing == 0 || part->listing == listing));
        listing = part->listing;
        count += part->objects.size();
        cursor = part->next;
    } while (cursor != 0);
    CHECK(count == 5000);
    CHECK(it.lists() == 1);
}

TEST_CASE("the root's list has every storage's objects: those of this one are listed") {
    Fixture it;
    it.gives_both({{.handle = 4, .name = u"here"}, {.handle = 5, .storage = 0x00020001, .name = u"there"}});
    const auto part = it.lister.list(card, 0, 0);
    REQUIRE(part);
    REQUIRE(part->objects.size() == 1);
    CHECK(part->objects[0].filename == "here");
    CHECK(it.responder.commands[0].parameters[0] == 0);
}

TEST_CASE("a list of the root that cannot be right: the root goes object by object, folders do not") {
    const auto check = [](const Bytes& list) {
        Fixture it;
        it.gives_handles(two_in_root);
        it.responder.gives(operation::get_object_prop_list, list);
        CHECK(it.listed(0) == 2);
        CHECK(it.host.logged("listing the root object by object from now on"));
        CHECK(it.listed(0) == 2);
        CHECK(it.lists() == 1);
        it.gives_both(two);
        CHECK(it.listed(3) == 2);
        CHECK(it.lists() == 2);
        CHECK(it.host.lines.size() == 1);
    };
    // No storage; a folder together with what lies in it; no list at all.
    PropListWriter no_storage;
    put_string(no_storage.element(4, object_property::object_file_name, data_type::string), u"x");
    check(no_storage.list());
    const std::vector<Described> nested = {{.handle = 4, .format = format::association, .name = u"folder"},
                                           {.handle = 5, .parent = 4, .name = u"in it"}};
    check(object_prop_list(nested));
    check(bytes({255, 255, 255, 255}));
}

TEST_CASE("a device that listed the operation and does not have it, or cannot do it, is not asked again") {
    const std::vector<std::pair<std::string, std::function<void(ScriptedResponder&, const Command&)>>> ways = {
        {"refused", [](auto& responder,
                       const Command& command) { responder.respond(command, response::operation_not_supported); }},
        {"depth",
         [](auto& responder, const Command& command) {
             responder.respond(command, response::specification_by_depth_unsupported);
         }},
        {"halt", [](auto& responder, const Command&) { responder.stall(); }},
        {"silence", [](auto&, const Command&) {}},
        {"no list",
         [](auto& responder, const Command& command) {
             responder.data(command, bytes({1, 0, 0, 0, 1}));
             responder.respond(command, response::ok);
         }},
    };
    for (const auto& item : ways) {
        CAPTURE(item.first);
        Fixture it;
        it.gives_handles(two);
        it.responder.on(operation::get_object_prop_list,
                        [&](const Command& command) { item.second(it.responder, command); });
        CHECK(it.listed(3) == 2);
        CHECK(it.host.lines.size() == 1);
        CHECK(it.host.logged("listing object by object from now on"));
        CHECK(it.listed(3) == 2);
        CHECK(it.listed(0) == 2);  // 3 may be a root that is an object
        CHECK(it.lists() == 1);
    }
}

TEST_CASE("an answer that another operation would not better is the listing's") {
    for (const std::uint16_t code :
         {response::invalid_object_handle, response::device_busy, response::session_not_open}) {
        CAPTURE(code);
        Fixture it;
        it.gives_both(two);
        it.responder.once(operation::get_object_prop_list,
                          [&](const Command& command) { it.responder.respond(command, code); });
        REQUIRE_FALSE(it.lister.list(card, 3, 0));
        CHECK(it.session.failure() == Session::Failure::refused);
        CHECK(it.listed(3) == 2);
        CHECK(it.lists() == 2);
        CHECK(it.responder.count(operation::get_object_handles) == 0);
    }
}

TEST_CASE("a device that is pulled out is ENODEV") {
    Fixture it;
    it.gives_both(two);
    it.device.unplug();
    const auto part = it.lister.list(card, 3, 0);
    REQUIRE_FALSE(part);
    CHECK(part.error().code == ENODEV);
    CHECK(it.host.lines.empty());
}

TEST_CASE("a device that once took long over a list is asked how many objects there are, first") {
    Scripted it;
    DeviceInfo info;
    info.operations_supported = {operation::get_object_prop_list, operation::get_num_objects};
    ObjectLister lister(it.session, info, it.host);
    it.responder.gives(operation::get_object_handles, handle_array({4, 5}));
    it.responder.gives(operation::get_object_info, object_info({.handle = 4, .parent = 3, .name = u"a"}));
    it.responder.on(operation::get_object_prop_list, [&](const Command& command) {
        const auto thinking = Deadline::after(std::chrono::milliseconds(260));
        while (!thinking.expired()) {
        }
        it.responder.data(command, object_prop_list(two));
        it.responder.respond(command, response::ok);
    });
    REQUIRE(lister.list(card, 3, 0));
    CHECK(it.responder.count(operation::get_num_objects) == 0);
    it.responder.gives(operation::get_object_prop_list, object_prop_list(two));
    std::uint32_t objects = 4'000'000'000U;
    it.responder.on(operation::get_num_objects,
                    [&](const Command& command) { it.responder.respond(command, response::ok, {objects}); });
    REQUIRE(lister.list(card, 3, 0));
    CHECK(it.responder.count(operation::get_object_prop_list) == 1);
    CHECK(it.responder.count(operation::get_object_handles) == 1);
    objects = 1;
    REQUIRE(lister.list(card, 3, 0));
    CHECK(it.responder.count(operation::get_object_prop_list) == 2);
    // It does not know: then it is tried.
    it.responder.refuses(operation::get_num_objects, response::general_error);
    REQUIRE(lister.list(card, 3, 0));
    CHECK(it.responder.count(operation::get_object_prop_list) == 3);
}
