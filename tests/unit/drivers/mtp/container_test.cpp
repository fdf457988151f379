#include "drivers/mtp/container.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace plugfs;
using namespace plugfs::mtp;

namespace {

std::vector<std::byte> event_bytes(std::uint32_t length, std::uint16_t type, std::size_t parameters) {
    ByteWriter writer;
    writer.u32le(length);
    writer.u16le(type);
    writer.u16le(event::object_added);
    writer.u32le(7);
    for (std::size_t i = 0; i < parameters; ++i) {
        writer.u32le(static_cast<std::uint32_t>(0x10 + i));
    }
    return std::move(writer).take();
}

constexpr auto event_type = static_cast<std::uint16_t>(ContainerType::event);

}  // namespace

TEST_CASE("a command is a header and its parameters, little-endian") {
    const auto bytes = command_container(operation::get_object_handles, 0x01020304, std::array{0xFFFFFFFFU, 0U, 0x11U});
    const std::vector<unsigned> expected = {24,   0,    0,    0,    1, 0, 0x07, 0x10, 0x04, 0x03, 0x02, 0x01,
                                            0xff, 0xff, 0xff, 0xff, 0, 0, 0,    0,    0x11, 0,    0,    0};
    REQUIRE(bytes.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(std::to_integer<unsigned>(bytes[i]) == expected[i]);
    }
    CHECK(command_container(operation::get_device_info, 1, {}).size() == container_header_size);
    CHECK(command_container(1, 1, std::array<std::uint32_t, parameter_limit>{}).size() == largest_message);
}

TEST_CASE("a header is read as it stands") {
    const auto bytes = event_bytes(0xFFFFFFFF, 0x7777, 0);
    const auto header = read_container_header(std::span(bytes).first<container_header_size>());
    CHECK(header.length == 0xFFFFFFFF);
    CHECK(header.type == 0x7777);
    CHECK(header.code == event::object_added);
    CHECK(header.transaction == 7);
    CHECK_FALSE(header.is(ContainerType::event));
}

TEST_CASE("parameters that are not there, or not whole, are 0") {
    std::vector<std::byte> bytes(24);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = std::byte{1};
    }
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        CAPTURE(length);
        // A copy, so that a byte read beyond it is a byte beyond its memory.
        const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
        const auto parameters = read_parameters(part);
        const auto whole = std::min(length / 4, parameter_limit);
        for (std::size_t i = 0; i < parameter_limit; ++i) {
            CHECK(parameters[i] == (i < whole ? 0x01010101U : 0U));
        }
    }
}

TEST_CASE("events with any number of parameters") {
    for (std::size_t count = 0; count <= parameter_limit; ++count) {
        CAPTURE(count);
        const auto bytes =
            event_bytes(static_cast<std::uint32_t>(container_header_size + (4 * count)), event_type, count);
        const auto read = read_event(bytes);
        REQUIRE(read);
        REQUIRE(*read);
        CHECK((*read)->code == event::object_added);
        for (std::size_t i = 0; i < parameter_limit; ++i) {
            CHECK((*read)->parameters[i] == (i < count ? 0x10 + i : 0));
        }
    }
}

TEST_CASE("an event that is not all there yet is none, at whichever byte it is cut") {
    const auto bytes = event_bytes(24, event_type, 3);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        CAPTURE(length);
        const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
        const auto read = read_event(part);
        REQUIRE(read);
        CHECK_FALSE(*read);
    }
}

TEST_CASE("what follows an event is not its parameters") {
    const auto read = read_event(event_bytes(16, event_type, 4));
    REQUIRE(read);
    REQUIRE(*read);
    CHECK((*read)->parameters[0] == 0x10);
    CHECK((*read)->parameters[1] == 0);
}

TEST_CASE("an event whose length is no multiple of a parameter has the whole ones") {
    const auto read = read_event(event_bytes(18, event_type, 2));
    REQUIRE(read);
    REQUIRE(*read);
    CHECK((*read)->parameters[0] == 0x10);
    CHECK((*read)->parameters[1] == 0);
}

TEST_CASE("lengths and types that no event has are errors that name the field") {
    for (const std::uint32_t length : {0U, 1U, 11U, 33U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
        CAPTURE(length);
        const auto read = read_event(event_bytes(length, event_type, 5));
        REQUIRE_FALSE(read);
        CHECK(read.error().code == EIO);
        CHECK(read.error().detail == "container length is " + std::to_string(length));
    }
    for (const int type : {0, 1, 2, 3, 5, 0x0104, 0xFFFF}) {
        CAPTURE(type);
        const auto read = read_event(event_bytes(12, static_cast<std::uint16_t>(type), 0));
        REQUIRE_FALSE(read);
        CHECK(read.error().code == EIO);
        CHECK(read.error().detail == "container type is " + std::to_string(type));
    }
}
