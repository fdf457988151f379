// A lister on a responder that gives handles and infos from a table.
#pragma once

#include "dataset_writer.h"
#include "drivers/mtp/object_lister.h"
#include "scripted_responder.h"

#include <doctest/doctest.h>

#include <map>

namespace plugfs::mtp::test {

inline constexpr std::uint32_t card = 0x00010001;

inline DeviceInfo offers(std::vector<std::uint16_t> operations) {
    DeviceInfo info;
    info.operations_supported = std::move(operations);
    return info;
}

inline const std::vector<std::uint16_t> everything = {operation::get_object_prop_list, operation::get_object_prop_value,
                                                      operation::get_num_objects};

struct ListerFixture : Scripted {
    ObjectLister lister;
    std::map<std::uint32_t, Bytes> infos;

    explicit ListerFixture(std::vector<std::uint16_t> operations = {})
        : lister(session, offers(std::move(operations)), host) {
        responder.on(operation::get_object_info, [this](const Command& command) {
            const auto found = infos.find(command.parameters[0]);
            if (found == infos.end()) {
                responder.respond(command, response::invalid_object_handle);
                return;
            }
            responder.data(command, found->second);
            responder.respond(command, response::ok);
        });
    }
    void knows(const std::vector<Described>& objects) {
        for (const auto& object : objects) {
            infos[object.handle] = object_info(object);
        }
    }
    void folder(std::initializer_list<std::uint32_t> handles) {
        responder.gives(operation::get_object_handles, handle_array(handles));
    }
    // All parts of a listing, as "handle name".
    std::vector<std::string> list(std::uint32_t parent, std::uint32_t storage = card) {
        std::vector<std::string> found;
        std::uint64_t cursor = 0;
        do {
            const auto part = lister.list(storage, parent, cursor);
            REQUIRE_MESSAGE(part.ok(), (part ? "" : part.error().text()));
            for (const auto& object : part->objects) {
                CHECK(object.storage_id == storage);
                CHECK(object.parent == parent);
                found.push_back(std::to_string(object.handle) + " " + object.filename);
            }
            cursor = part->next;
        } while (cursor != 0);
        return found;
    }
};

using Names = std::vector<std::string>;

}  // namespace plugfs::mtp::test
