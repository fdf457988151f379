// The virtual player's responder, and an initiator that says to it what it wants to, without a bus between them.
#pragma once

#include "temporary_folder.h"
#include "virtual/player/responder.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace plugfs::virtual_usb::test {

using Bytes = std::vector<std::byte>;

// Bytes that differ from place to place.
inline Bytes content(std::size_t size, unsigned seed = 0) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>((i * 7) ^ (i >> 8U) ^ seed);
    }
    return bytes;
}

struct Container {
    std::uint32_t length = 0;
    std::uint16_t type = 0;
    std::uint16_t code = 0;
    std::uint32_t transaction = 0;
    Bytes payload;
};

// What came after a command, if it was as the protocol wants it.
struct Reply {
    std::optional<Bytes> data;
    std::uint16_t code = 0;
    std::array<std::uint32_t, 5> parameters{};
};

class Initiator {
  public:
    Initiator() {
        auto created = ObjectStore::create();
        REQUIRE(created);
        store = std::move(*created);
        const auto added = store->add_storage("Internal", folder.path());
        REQUIRE(added);
        storage = *added;
        DeviceDescription description;
        description.product = "Virtual player";
        description.serial_number = "42";
        responder = std::make_unique<Responder>(description, *store, faults);
    }

    // A command as bytes; `length` is what the header says, if not the truth.
    static Bytes command(std::uint16_t operation, std::uint32_t transaction,
                         const std::vector<std::uint32_t>& parameters, std::optional<std::uint32_t> length = {}) {
        ByteWriter out;
        out.u32le(length.value_or(static_cast<std::uint32_t>(12 + 4 * parameters.size())));
        out.u16le(1);
        out.u16le(operation);
        out.u32le(transaction);
        for (const std::uint32_t parameter : parameters) {
            out.u32le(parameter);
        }
        return std::move(out).take();
    }
    bool say(const Bytes& bytes) { return responder->out(player_bulk_out, bytes); }
    // Everything that is on its way, a container a transfer.
    std::vector<Container> transfers(std::uint8_t endpoint = player_bulk_in) {
        std::vector<Container> all;
        auto& queue = responder->in(endpoint);
        while (!queue.empty()) {
            CHECK_FALSE(queue.front().stall);
            const auto bytes = queue.front().bytes.take(SIZE_MAX);
            CHECK(queue.front().bytes.size() == 0);
            queue.pop_front();
            ByteReader reader(bytes);
            Container next{reader.u32le(), reader.u16le(), reader.u16le(), reader.u32le(), {}};
            REQUIRE(reader.ok());
            const auto rest = reader.take(reader.remaining());
            next.payload.assign(rest.begin(), rest.end());
            all.push_back(std::move(next));
        }
        return all;
    }
    // A transaction by the book; the answer is checked to be one, too.
    Reply ask(std::uint16_t operation, const std::vector<std::uint32_t>& parameters = {}) {
        const std::uint32_t number = ++transaction;
        REQUIRE(say(command(operation, number, parameters)));
        const auto containers = transfers();
        REQUIRE((containers.size() == 1 || containers.size() == 2));
        Reply reply;
        for (const auto& item : containers) {
            CHECK(item.length == 12 + item.payload.size());
            CHECK(item.transaction == number);
        }
        if (containers.size() == 2) {
            CHECK(containers[0].type == 2);
            CHECK(containers[0].code == operation);
            reply.data = containers[0].payload;
        }
        CHECK(containers.back().type == 3);
        reply.code = containers.back().code;
        ByteReader reader(containers.back().payload);
        for (auto& parameter : reply.parameters) {
            parameter = reader.u32le();
        }
        return reply;
    }
    void open() { REQUIRE(ask(mtp::operation::open_session, {1}).code == mtp::response::ok); }
    // Handles in a folder (mtp::root_parent: the root).
    std::vector<std::uint32_t> list(std::uint32_t parent = mtp::root_parent) {
        const auto reply = ask(mtp::operation::get_object_handles, {storage, 0, parent});
        REQUIRE(reply.code == mtp::response::ok);
        REQUIRE(reply.data);
        ByteReader reader(*reply.data);
        std::vector<std::uint32_t> handles(reader.u32le());
        for (auto& handle : handles) {
            handle = reader.u32le();
        }
        CHECK(reader.ok());
        CHECK(reader.remaining() == 0);
        return handles;
    }

    plugfs::test::TemporaryFolder folder;
    std::unique_ptr<ObjectStore> store;
    Faults faults;
    std::unique_ptr<Responder> responder;
    std::uint32_t storage = 0;
    std::uint32_t transaction = 0;
};

}  // namespace plugfs::virtual_usb::test
