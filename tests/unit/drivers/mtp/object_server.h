// One object on a scripted responder, served by GetPartialObject64, GetPartialObject and GetObject; it checks that no
// read passes the object's end.
#pragma once

#include "scripted_responder.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace plugfs::mtp::test {

inline constexpr std::uint32_t object_handle = 9;

struct ObjectServer : Scripted {
    // The object's bytes are pattern()'s.
    explicit ObjectServer(std::uint64_t object_size) : size(object_size) {
        responder.on(operation::get_partial_object_64, [this](const Command& command) {
            const auto& parameters = command.parameters;
            serve(command, (std::uint64_t{parameters[2]} << 32U) | parameters[1], parameters[3]);
        });
        responder.on(operation::get_partial_object,
                     [this](const Command& command) { serve(command, command.parameters[1], command.parameters[2]); });
        responder.on(operation::get_object, [this](const Command& command) {
            CHECK(command.parameters == Parameters{object_handle, 0, 0, 0, 0});
            responder.pattern_data(command, size);
            responder.respond(command, response::ok);
        });
    }

    void serve(const Command& command, std::uint64_t offset, std::uint32_t length) {
        CHECK(command.parameters[0] == object_handle);
        CHECK(length > 0);
        CHECK(offset < size);
        CHECK(length <= size - offset);
        const auto given = std::min(length, most_at_once);
        responder.data(command, pattern(offset, given));
        responder.respond(command, response::ok, {given});
    }

    std::uint64_t size;
    std::uint32_t most_at_once = UINT32_MAX;
};

}  // namespace plugfs::mtp::test
