#include "scripted_responder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

namespace plugfs::mtp::test {

Bytes bytes(std::initializer_list<int> values) {
    Bytes result;
    for (const int value : values) {
        result.push_back(static_cast<std::byte>(value));
    }
    return result;
}

void fill_pattern(std::uint64_t offset, std::span<std::byte> out) {
    for (std::size_t i = 0; i < out.size();) {
        // A word of eight bytes that only its own place has, little-endian.
        const std::uint64_t at = offset + i;
        const std::uint64_t word = ((at / 8) + 1) * 0x9e3779b97f4a7c15U;
        const auto from = static_cast<std::size_t>(at % 8);
        const std::size_t count = std::min(8 - from, out.size() - i);
        std::memcpy(&out[i], reinterpret_cast<const std::byte*>(&word) + from, count);
        i += count;
    }
}

Bytes pattern(std::uint64_t offset, std::size_t size) {
    Bytes result(size);
    fill_pattern(offset, result);
    return result;
}

Bytes handle_array(std::initializer_list<std::uint32_t> handles) {
    ByteWriter writer;
    writer.u32le(static_cast<std::uint32_t>(handles.size()));
    for (const std::uint32_t handle : handles) {
        writer.u32le(handle);
    }
    return std::move(writer).take();
}

Bytes container(ContainerType type, std::uint16_t code, std::uint32_t transaction, std::span<const std::byte> content,
                std::optional<std::uint32_t> length) {
    ByteWriter writer;
    writer.u32le(length.value_or(static_cast<std::uint32_t>(container_header_size + content.size())));
    writer.u16le(static_cast<std::uint16_t>(type));
    writer.u16le(code);
    writer.u32le(transaction);
    writer.append(content);
    return std::move(writer).take();
}

ScriptedResponder::ScriptedResponder() {
    usb::Interface interface { .interface_class = 6, .interface_subclass = 1, .interface_protocol = 1, .name = "MTP" };
    interface.endpoints = {{endpoints.bulk_in, 2, static_cast<std::uint16_t>(endpoints.bulk_in_packet), 0},
                           {endpoints.bulk_out, 2, static_cast<std::uint16_t>(endpoints.bulk_out_packet), 0},
                           {endpoints.interrupt_in, 3, static_cast<std::uint16_t>(endpoints.interrupt_packet), 6}};
    description_.interfaces = {interface};
    on(operation::open_session, [this](const Command& command) {
        respond(command, session_open ? response::session_already_open : response::ok);
        session_open = true;
    });
    on(operation::close_session, [this](const Command& command) {
        respond(command, session_open ? response::ok : response::session_not_open);
        session_open = false;
    });
}

void ScriptedResponder::gives(std::uint16_t operation, Bytes dataset) {
    on(operation, [this, dataset = std::move(dataset)](const Command& command) {
        data(command, dataset);
        respond(command, response::ok);
    });
}

void ScriptedResponder::refuses(std::uint16_t operation, std::uint16_t response) {
    on(operation, [this, response](const Command& command) { respond(command, response); });
}

void ScriptedResponder::data(const Command& command, std::span<const std::byte> content,
                             std::optional<std::uint32_t> length) {
    say(container(ContainerType::data, command.operation, command.transaction, content, length));
}

void ScriptedResponder::pattern_data(const Command& command, std::uint64_t size) {
    virtual_usb::InTransfer next;
    next.bytes = virtual_usb::ByteSource(
        container(ContainerType::data, command.operation, command.transaction, {},
                  static_cast<std::uint32_t>(std::min<std::uint64_t>(container_header_size + size, UINT32_MAX))));
    next.bytes.append(size, [at = std::uint64_t{0}](std::span<std::byte> out) mutable {
        fill_pattern(at, out);
        at += out.size();
    });
    bulk_.push_back(std::move(next));
}

void ScriptedResponder::respond(const Command& command, std::uint16_t code,
                                std::initializer_list<std::uint32_t> parameters) {
    ByteWriter content;
    for (const std::uint32_t parameter : parameters) {
        content.u32le(parameter);
    }
    say(container(ContainerType::response, code, command.transaction, content.bytes()));
}

void ScriptedResponder::say(Bytes transfer, bool zero_length_packet) {
    virtual_usb::InTransfer next;
    next.bytes = virtual_usb::ByteSource(std::move(transfer));
    next.zero_length_packet = zero_length_packet;
    bulk_.push_back(std::move(next));
}

void ScriptedResponder::stall() {
    virtual_usb::InTransfer next;
    next.stall = true;
    bulk_.push_back(std::move(next));
}

std::size_t ScriptedResponder::count(std::uint16_t operation) const {
    return static_cast<std::size_t>(std::count_if(
        commands.begin(), commands.end(), [=](const Command& command) { return command.operation == operation; }));
}

std::optional<Bytes> ScriptedResponder::control(const usb::Setup& setup, bool in, std::span<const std::byte> data,
                                                std::size_t length) {
    CHECK(setup.request_type == 0x21);
    if (!knows_class_requests) {
        return std::nullopt;
    }
    ByteReader reader(data);
    ByteWriter status;
    switch (setup.request) {
        case request_cancel:
            CHECK_FALSE(in);
            CHECK(reader.u16le() == cancellation_code);
            bulk_.clear();
            cancelled(reader.u32le());
            CHECK(reader.ok());
            return Bytes();
        case request_device_reset:
            CHECK_FALSE(in);
            bulk_.clear();
            session_open = false;
            reset_by_class();
            return Bytes();
        case request_get_device_status:
            CHECK(in);
            status.u16le(static_cast<std::uint16_t>(4 + (4 * halted_endpoints.size())));
            status.u16le(statuses.empty() ? last_status : statuses.front());
            if (!statuses.empty()) {
                statuses.pop_front();
            }
            for (const std::uint32_t endpoint : halted_endpoints) {
                status.u32le(endpoint);
            }
            REQUIRE(status.size() <= length);
            return std::move(status).take();
        default:
            return std::nullopt;
    }
}

bool ScriptedResponder::out(std::uint8_t endpoint, std::span<const std::byte> bytes) {
    CHECK(endpoint == endpoints.bulk_out);
    if (!takes_commands) {
        return false;
    }
    REQUIRE(bytes.size() >= container_header_size);
    const auto header = read_container_header(bytes.first<container_header_size>());
    CHECK(header.is(ContainerType::command));
    CHECK(header.length == bytes.size());
    const Command command{header.code, header.transaction, read_parameters(bytes.subspan(container_header_size))};
    commands.push_back(command);
    auto& next = next_[command.operation];
    if (!next.empty()) {
        const Answer answer = std::move(next.front());
        next.pop_front();
        answer(command);
    } else if (const auto found = always_.find(command.operation); found != always_.end()) {
        found->second(command);
    } else {
        respond(command, response::operation_not_supported);
    }
    return true;
}

std::deque<virtual_usb::InTransfer>& ScriptedResponder::in(std::uint8_t endpoint) {
    return endpoint == endpoints.bulk_in ? bulk_ : events_;
}

void ScriptedResponder::reset() {
    bulk_.clear();
    events_.clear();
    session_open = false;
    reset_by_bus();
}

bool RecordingHost::logged(std::string_view words) const {
    return std::any_of(lines.begin(), lines.end(),
                       [words](const std::string& line) { return line.find(words) != std::string::npos; });
}

Scripted::Scripted() {
    REQUIRE(session.open());
    responder.commands.clear();
    device.asked.clear();
}

}  // namespace plugfs::mtp::test
