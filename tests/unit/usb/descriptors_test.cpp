// Descriptors that are right, cut short, and lie.
#include "usb/descriptors.h"

#include "scripted_host.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;

namespace {

// The model's configuration with one byte changed.
Bytes changed(std::size_t offset, int value) {
    Bytes configuration = Model().configuration;
    configuration.at(offset) = static_cast<std::byte>(value);
    return configuration;
}

void check_refused(const Bytes& configuration, std::string_view because) {
    const auto parsed = parse_configuration(configuration);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == EPROTO);
    CHECK_MESSAGE(parsed.error().text().find(because) != std::string::npos, parsed.error().text());
}

}  // namespace

TEST_CASE("a configuration with alternate settings") {
    const auto parsed = parse_configuration(Model().configuration);
    REQUIRE(parsed);
    CHECK(parsed->value == 1);
    REQUIRE(parsed->interfaces.size() == 3);
    CHECK(parsed->interfaces[0].name_index == 4);
    const Interface& first = parsed->interfaces[0].interface;
    CHECK(first.interface_class == 6);
    CHECK(first.interface_subclass == 1);
    CHECK(first.interface_protocol == 1);
    REQUIRE(first.endpoints.size() == 3);
    CHECK(first.endpoints[0].address == 0x81);
    CHECK(first.endpoints[0].type() == TransferType::bulk);
    CHECK(first.endpoints[0].max_packet_size == 512);
    CHECK(first.endpoints[2].type() == TransferType::interrupt);
    CHECK(first.endpoints[2].interval == 6);
}

TEST_CASE("every cut of a configuration is refused") {
    const Bytes whole = Model().configuration;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(!parse_configuration(cut));
        if (size < 9) {
            continue;
        }
        // With a total length that fits, a cut between two descriptors is a shorter configuration; any other is not.
        cut[2] = static_cast<std::byte>(size);
        const bool between =
            size == 9 || size == 18 || size == 25 || size == 32 || size == 39 || size == 48 || size == 57;
        CHECK(parse_configuration(cut).ok() == between);
    }
}

TEST_CASE("bytes after the total length do not count") {
    Bytes longer = Model().configuration;
    longer.push_back(std::byte{0});
    const auto parsed = parse_configuration(longer);
    REQUIRE(parsed);
    CHECK(parsed->interfaces.size() == 3);
}

TEST_CASE("lengths that lie") {
    check_refused(changed(9, 0), "bLength is 0 at offset 9");  // would go round in circles
    check_refused(changed(9, 1), "bLength is 1");
    check_refused(changed(9, 8), "less than 9");
    check_refused(changed(18, 6), "less than 7");
    check_refused(changed(57, 8), "passes the end");
    check_refused(changed(0, 8), "bLength is 8");
    check_refused(changed(2, 5), "wTotalLength is 5");
    check_refused(changed(3, 1), "wTotalLength is 320");
    check_refused(changed(1, 4), "bDescriptorType 4");
}

TEST_CASE("contents that lie") {
    check_refused(changed(20, 0x80), "bEndpointAddress is 128");
    check_refused(changed(20, 0x91), "bEndpointAddress is 145");
    check_refused(changed(20, 0x02), "endpoint 2 appears twice");
    check_refused(changed(51, 0), "alternate setting 1.0 appears twice");
    check_refused(changed(10, 0x21), "an endpoint before the first interface");  // its interface is of no known type
    CHECK(parse_configuration(changed(13, 200)).ok());                           // bNumEndpoints is not believed
    CHECK(parse_configuration(changed(4, 200)).ok());                            // nor is bNumInterfaces
}

TEST_CASE("too many alternate settings are refused") {
    Bytes configuration = bytes({9, 2, 0, 0, 1, 1, 0, 0x80, 50});
    for (int i = 0; i < 257; ++i) {
        const Bytes interface = bytes({9, 4, i / 256, i % 256, 0, 255, 0, 0, 0});
        configuration.insert(configuration.end(), interface.begin(), interface.end());
    }
    configuration[2] = static_cast<std::byte>(configuration.size() & 0xff);
    configuration[3] = static_cast<std::byte>(configuration.size() >> 8);
    check_refused(configuration, "more than 256");
}

TEST_CASE("device descriptors") {
    Bytes descriptor = Model().device_descriptor;
    const auto parsed = parse_device_descriptor(descriptor);
    REQUIRE(parsed);
    CHECK(parsed->identity.vendor_id == 0x054c);
    CHECK(parsed->identity.device_release == 0x0201);
    CHECK(parsed->serial_number_index == 3);
    CHECK(parsed->configuration_count == 1);
    for (std::size_t size = 0; size < descriptor.size(); ++size) {
        CHECK(!parse_device_descriptor(std::span(descriptor).first(size)));
    }
    descriptor[0] = std::byte{17};
    CHECK(!parse_device_descriptor(descriptor));
    descriptor[0] = std::byte{18};
    descriptor[1] = std::byte{2};
    CHECK(!parse_device_descriptor(descriptor));
}

TEST_CASE("what follows an endpoint: pipe usage of mass storage, streams") {
    const auto configuration = [](int interface_class, const std::vector<int>& extra) {
        std::vector<int> values = {9, 2,    0, 0, 1, 1,    0, 0x80, 50, 9, 4, 0, 0, 1, interface_class,
                                   6, 0x62, 0, 7, 5, 0x81, 2, 0,    4,  0};
        values.insert(values.end(), extra.begin(), extra.end());
        values[2] = static_cast<int>(values.size());
        Bytes bytes;
        for (const int value : values) {
            bytes.push_back(static_cast<std::byte>(value));
        }
        return bytes;
    };
    const auto endpoint = [&](int interface_class, const std::vector<int>& extra) {
        const auto parsed = parse_configuration(configuration(interface_class, extra));
        REQUIRE(parsed);
        return parsed->interfaces.at(0).interface.endpoints.at(0);
    };
    CHECK(endpoint(8, {}).pipe_usage == 0);
    CHECK(endpoint(8, {}).stream_limit == 0);
    CHECK(endpoint(8, {6, 0x30, 15, 4, 0, 0, 4, 0x24, 3, 0}).pipe_usage == 3);
    CHECK(endpoint(8, {6, 0x30, 15, 4, 0, 0, 4, 0x24, 3, 0}).stream_limit == 16);
    CHECK(endpoint(8, {6, 0x30, 15, 15, 0, 0}).stream_limit == 32768);
    CHECK(endpoint(8, {6, 0x30, 15, 16, 0, 0}).stream_limit == 0);  // more than there can be
    CHECK(endpoint(1, {4, 0x24, 3, 0}).pipe_usage == 0);            // another class's
    CHECK(endpoint(8, {2, 0x24}).pipe_usage == 0);                  // too short to say anything
    CHECK(endpoint(8, {3, 0x30, 15}).stream_limit == 0);

    // As libusb hands them out: a chain without the rest.
    Interface interface;
    interface.interface_class = 8;
    Endpoint own{.address = 0x81, .attributes = 2};
    const auto chain = configuration(8, {6, 0x30, 0, 3, 0, 0, 4, 0x24, 2, 0, 9, 0x24, 4});
    read_endpoint_extras(std::span(chain).subspan(25), interface, own);
    CHECK(own.pipe_usage == 2);
    CHECK(own.stream_limit == 8);
}
