#include "virtual/descriptors.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <bit>

namespace plugfs::virtual_usb {

namespace {

// USB 2.0, table 9-5
constexpr std::uint8_t type_device = 1;
constexpr std::uint8_t type_configuration = 2;
constexpr std::uint8_t type_string = 3;
constexpr std::uint8_t type_interface = 4;
constexpr std::uint8_t type_endpoint = 5;
constexpr std::uint8_t type_qualifier = 6;

enum StringIndex : std::uint8_t {
    string_none = 0,
    string_manufacturer = 1,
    string_product = 2,
    string_serial = 3,
    string_interfaces = 4
};

bool super_speed(const DeviceDescription& device) {
    return device.speed == usb::Speed::super;
}

std::vector<std::byte> device_descriptor(const DeviceDescription& device) {
    ByteWriter out;
    out.u8(18);
    out.u8(type_device);
    out.u16le(super_speed(device) ? 0x0300 : 0x0200);
    out.u8(0);  // class, subclass, protocol: see the interfaces
    out.u8(0);
    out.u8(0);
    out.u8(super_speed(device) ? 9 : 64);  // an exponent for SuperSpeed
    out.u16le(device.vendor_id);
    out.u16le(device.product_id);
    out.u16le(device.device_release);
    out.u8(string_manufacturer);
    out.u8(string_product);
    out.u8(static_cast<std::uint8_t>(device.serial_number.empty() ? string_none : string_serial));
    out.u8(1);
    return std::move(out).take();
}

void append_endpoint(ByteWriter& out, const usb::Endpoint& endpoint, bool companion) {
    out.u8(7);
    out.u8(type_endpoint);
    out.u8(endpoint.address);
    out.u8(endpoint.attributes);
    out.u16le(endpoint.max_packet_size);
    out.u8(endpoint.interval);
    if (companion) {
        // USB 3.0, 9.6.7: no burst; MaxStreams is an exponent
        out.u8(6);
        out.u8(0x30);
        out.u8(0);
        out.u8(static_cast<std::uint8_t>(endpoint.stream_limit == 0 ? 0 : std::bit_width(endpoint.stream_limit) - 1));
        out.u16le(endpoint.type() == usb::TransferType::interrupt ? endpoint.max_packet_size : 0);
    }
    if (endpoint.pipe_usage != 0) {  // UAS, 5.2.3.7
        out.u8(4);
        out.u8(0x24);
        out.u8(endpoint.pipe_usage);
        out.u8(0);
    }
}

std::vector<std::byte> configuration_descriptor(const DeviceDescription& device) {
    ByteWriter body;
    std::uint8_t name = string_interfaces;
    for (const auto& interface : device.interfaces) {
        body.u8(9);
        body.u8(type_interface);
        body.u8(interface.number);
        body.u8(interface.alternate_setting);
        body.u8(static_cast<std::uint8_t>(interface.endpoints.size()));
        body.u8(interface.interface_class);
        body.u8(interface.interface_subclass);
        body.u8(interface.interface_protocol);
        body.u8(interface.name.empty() ? std::uint8_t{0} : name);
        ++name;
        for (const auto& endpoint : interface.endpoints) {
            append_endpoint(body, endpoint, super_speed(device));
        }
    }
    ByteWriter out;
    out.u8(9);
    out.u8(type_configuration);
    out.u16le(static_cast<std::uint16_t>(9 + body.size()));
    out.u8(static_cast<std::uint8_t>(device.interfaces.size()));
    out.u8(1);
    out.u8(string_none);
    out.u8(0xC0);  // self-powered
    out.u8(50);
    out.append(body.bytes());
    return std::move(out).take();
}

std::vector<std::byte> string_descriptor(const std::string& text) {
    ByteWriter out;
    const std::size_t count = std::min<std::size_t>(text.size(), 126);
    out.u8(static_cast<std::uint8_t>(2 + (2 * count)));
    out.u8(type_string);
    for (std::size_t i = 0; i < count; ++i) {
        out.u16le(static_cast<unsigned char>(text[i]));  // names of virtual devices are ASCII
    }
    return std::move(out).take();
}

std::optional<std::vector<std::byte>> string_by_index(const DeviceDescription& device, std::uint8_t index) {
    switch (index) {
        case 0: {
            ByteWriter languages;
            languages.u8(4);
            languages.u8(type_string);
            languages.u16le(0x0409);
            return std::move(languages).take();
        }
        case string_manufacturer:
            return string_descriptor(device.manufacturer);
        case string_product:
            return string_descriptor(device.product);
        case string_serial:
            return string_descriptor(device.serial_number);
        default: {
            const std::size_t interface = index - string_interfaces;
            if (interface >= device.interfaces.size()) {
                return std::nullopt;
            }
            return string_descriptor(device.interfaces[interface].name);
        }
    }
}

std::vector<std::byte> qualifier_descriptor() {
    ByteWriter out;
    out.u8(10);
    out.u8(type_qualifier);
    out.u16le(0x0200);
    out.u8(0);
    out.u8(0);
    out.u8(0);
    out.u8(64);
    out.u8(1);
    out.u8(0);
    return std::move(out).take();
}

}  // namespace

std::optional<std::vector<std::byte>> descriptor(const DeviceDescription& device, std::uint8_t type, std::uint8_t index,
                                                 std::size_t length) {
    std::optional<std::vector<std::byte>> bytes;
    switch (type) {
        case type_device:
            bytes = device_descriptor(device);
            break;
        case type_configuration:
            if (index == 0) {
                bytes = configuration_descriptor(device);
            }
            break;
        case type_string:
            bytes = string_by_index(device, index);
            break;
        case type_qualifier:
            if (!super_speed(device)) {
                bytes = qualifier_descriptor();
            }
            break;
        default:
            break;
    }
    if (bytes && bytes->size() > length) {
        bytes->resize(length);
    }
    return bytes;
}

}  // namespace plugfs::virtual_usb
