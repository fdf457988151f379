// Descriptor parsing; see the header.
#include "usb/descriptors.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>

namespace plugfs::usb {
namespace {

constexpr std::uint8_t class_mass_storage = 0x08;
constexpr unsigned max_streams_mask = 0x1f;         // bmAttributes of a bulk endpoint's companion; USB 3.2, table 9-27
constexpr unsigned max_streams_limit = 15;          // 32,768 streams; the standard has 65,533 at most
constexpr std::uint16_t packet_size_mask = 0x07ff;  // wMaxPacketSize bits 10..0; 12..11 are additional transactions

// The descriptor at the head of `reader`: its type, and a reader of what follows bLength and bDescriptorType.
struct Head {
    std::uint8_t type;
    ByteReader body;
};

Result<Head> next_descriptor(ByteReader& reader) {
    const std::size_t at = reader.offset();
    const std::uint8_t length = reader.u8();
    const std::uint8_t type = reader.u8();
    if (!reader.ok() || length < 2) {
        return fail(EPROTO, "configuration descriptor",
                    "bLength is " + std::to_string(length) + " at offset " + std::to_string(at));
    }
    const auto body = reader.take(length - 2U);
    if (!reader.ok()) {
        return fail(EPROTO, "configuration descriptor",
                    "bLength " + std::to_string(length) + " at offset " + std::to_string(at) + " passes the end");
    }
    return Head{type, ByteReader(body)};
}

Result<InterfaceDescriptor> parse_interface(ByteReader& body) {
    InterfaceDescriptor descriptor;
    descriptor.interface.number = body.u8();
    descriptor.interface.alternate_setting = body.u8();
    (void)body.u8();  // bNumEndpoints: the endpoints that follow are counted instead
    descriptor.interface.interface_class = body.u8();
    descriptor.interface.interface_subclass = body.u8();
    descriptor.interface.interface_protocol = body.u8();
    descriptor.name_index = body.u8();
    if (!body.ok()) {
        return fail(EPROTO, "interface descriptor", "bLength is less than 9");
    }
    return descriptor;
}

Result<Endpoint> parse_endpoint(ByteReader& body) {
    Endpoint endpoint;
    endpoint.address = body.u8();
    endpoint.attributes = body.u8();
    endpoint.max_packet_size = body.u16le() & packet_size_mask;
    endpoint.interval = body.u8();
    if (!body.ok()) {
        return fail(EPROTO, "endpoint descriptor", "bLength is less than 7");
    }
    if ((endpoint.address & 0x0fU) == 0 || (endpoint.address & 0x70U) != 0) {
        return fail(EPROTO, "endpoint descriptor", "bEndpointAddress is " + std::to_string(endpoint.address));
    }
    return endpoint;
}

Result<void> add_interface(ConfigurationDescriptor& configuration, InterfaceDescriptor added) {
    const auto same = [&](const InterfaceDescriptor& other) {
        return other.interface.number == added.interface.number &&
               other.interface.alternate_setting == added.interface.alternate_setting;
    };
    const std::string name =
        std::to_string(added.interface.number) + "." + std::to_string(added.interface.alternate_setting);
    if (std::any_of(configuration.interfaces.begin(), configuration.interfaces.end(), same)) {
        return fail(EPROTO, "configuration descriptor", "alternate setting " + name + " appears twice");
    }
    if (configuration.interfaces.size() >= interface_limit) {
        return fail(EPROTO, "configuration descriptor", "more than 256 alternate settings");
    }
    configuration.interfaces.push_back(std::move(added));
    return {};
}

Result<void> add_endpoint(ConfigurationDescriptor& configuration, const Endpoint& added) {
    if (configuration.interfaces.empty()) {
        return fail(EPROTO, "configuration descriptor", "an endpoint before the first interface");
    }
    auto& endpoints = configuration.interfaces.back().interface.endpoints;
    const auto same = [&](const Endpoint& other) { return other.address == added.address; };
    if (std::any_of(endpoints.begin(), endpoints.end(), same)) {
        return fail(EPROTO, "configuration descriptor",
                    "endpoint " + std::to_string(added.address) + " appears twice in an alternate setting");
    }
    endpoints.push_back(added);
    return {};
}

// A descriptor behind an endpoint's. One that is too short says nothing.
void add_extra(std::uint8_t type, ByteReader body, const Interface& interface, Endpoint& endpoint) {
    if (type == static_cast<std::uint8_t>(DescriptorType::pipe_usage) &&
        interface.interface_class == class_mass_storage) {
        endpoint.pipe_usage = body.u8();  // bPipeID
    } else if (type == static_cast<std::uint8_t>(DescriptorType::endpoint_companion) &&
               endpoint.type() == TransferType::bulk) {
        body.skip(1);  // bMaxBurst
        const unsigned exponent = body.u8() & max_streams_mask;
        endpoint.stream_limit = exponent == 0 || exponent > max_streams_limit
                                    ? std::uint16_t{0}
                                    : static_cast<std::uint16_t>(1U << exponent);
    }
}

}  // namespace

Result<DeviceDescriptor> parse_device_descriptor(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint8_t length = reader.u8();
    const std::uint8_t type = reader.u8();
    DeviceDescriptor descriptor;
    (void)reader.u16le();  // bcdUSB
    descriptor.identity.device_class = reader.u8();
    descriptor.identity.device_subclass = reader.u8();
    descriptor.identity.device_protocol = reader.u8();
    (void)reader.u8();  // bMaxPacketSize0
    descriptor.identity.vendor_id = reader.u16le();
    descriptor.identity.product_id = reader.u16le();
    descriptor.identity.device_release = reader.u16le();
    descriptor.manufacturer_index = reader.u8();
    descriptor.product_index = reader.u8();
    descriptor.serial_number_index = reader.u8();
    descriptor.configuration_count = reader.u8();
    if (!reader.ok()) {
        return fail(EPROTO, "device descriptor", "only " + std::to_string(bytes.size()) + " of 18 bytes");
    }
    if (length < device_descriptor_size || type != static_cast<std::uint8_t>(DescriptorType::device)) {
        return fail(EPROTO, "device descriptor",
                    "bLength is " + std::to_string(length) + ", bDescriptorType " + std::to_string(type));
    }
    return descriptor;
}

Result<std::uint16_t> parse_configuration_length(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint8_t length = reader.u8();
    const std::uint8_t type = reader.u8();
    const std::uint16_t total_length = reader.u16le();
    reader.skip(5);  // bNumInterfaces to bMaxPower
    if (!reader.ok()) {
        return fail(EPROTO, "configuration descriptor", "only " + std::to_string(bytes.size()) + " of 9 bytes");
    }
    if (length < configuration_header_size || type != static_cast<std::uint8_t>(DescriptorType::configuration)) {
        return fail(EPROTO, "configuration descriptor",
                    "bLength is " + std::to_string(length) + ", bDescriptorType " + std::to_string(type));
    }
    if (total_length < length) {
        return fail(EPROTO, "configuration descriptor", "wTotalLength is " + std::to_string(total_length));
    }
    return total_length;
}

void read_endpoint_extras(std::span<const std::byte> chain, const Interface& interface, Endpoint& endpoint) {
    ByteReader reader(chain);
    while (reader.remaining() > 0) {
        const auto head = next_descriptor(reader);
        if (!head) {
            return;
        }
        add_extra(head->type, head->body, interface, endpoint);
    }
}

Result<ConfigurationDescriptor> parse_configuration(std::span<const std::byte> bytes) {
    PLUGFS_ASSIGN(const std::uint16_t total_length, parse_configuration_length(bytes));
    if (bytes.size() < total_length) {
        return fail(EPROTO, "configuration descriptor",
                    "wTotalLength is " + std::to_string(total_length) + ", but only " + std::to_string(bytes.size()) +
                        " bytes came");
    }
    ByteReader reader(bytes.first(total_length));
    PLUGFS_ASSIGN(Head first, next_descriptor(reader));
    ConfigurationDescriptor configuration;
    first.body.skip(3);  // wTotalLength, bNumInterfaces
    configuration.value = first.body.u8();

    while (reader.remaining() > 0) {
        PLUGFS_ASSIGN(Head head, next_descriptor(reader));
        if (head.type == static_cast<std::uint8_t>(DescriptorType::interface)) {
            PLUGFS_ASSIGN(auto interface, parse_interface(head.body));
            PLUGFS_TRY(add_interface(configuration, std::move(interface)));
        } else if (head.type == static_cast<std::uint8_t>(DescriptorType::endpoint)) {
            PLUGFS_ASSIGN(const auto endpoint, parse_endpoint(head.body));
            PLUGFS_TRY(add_endpoint(configuration, endpoint));
        } else if (!configuration.interfaces.empty()) {
            auto& interface = configuration.interfaces.back().interface;
            if (!interface.endpoints.empty()) {
                add_extra(head.type, head.body, interface, interface.endpoints.back());
            }
        }
    }
    return configuration;
}

}  // namespace plugfs::usb
