// Reads USB descriptors (USB 2.0, 9.6) out of bytes that a device sent: every length and count is checked, nothing is
// believed.
//
// A configuration descriptor is a chain of descriptors, each beginning with its own length and type. A device may lie
// about all of them; what is read here is only what lies within both the bytes received and the length announced.
#pragma once

#include <plugfs/result.h>
#include <plugfs/usb.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace plugfs::usb {

// bDescriptorType, USB 2.0, table 9-5.
enum class DescriptorType : std::uint8_t {
    device = 1,
    configuration = 2,
    string = 3,
    interface = 4,
    endpoint = 5,
    pipe_usage = 0x24,          // of mass storage interfaces; UAS, 5.2.3.7
    endpoint_companion = 0x30,  // USB 3.2, table 9-6
};

inline constexpr std::size_t device_descriptor_size = 18;
inline constexpr std::size_t configuration_header_size = 9;
// The most alternate settings that are kept of one configuration; more than that is an error.
inline constexpr std::size_t interface_limit = 256;

// USB 2.0, 9.6.1. The strings are still to be read: the members ending in _index are string descriptor numbers, 0 for
// none.
struct DeviceDescriptor {
    Identity identity;  // without strings and speed
    std::uint8_t manufacturer_index = 0;
    std::uint8_t product_index = 0;
    std::uint8_t serial_number_index = 0;
    std::uint8_t configuration_count = 0;
};

struct InterfaceDescriptor {
    Interface interface;  // without its name
    std::uint8_t name_index = 0;
};

// USB 2.0, 9.6.3, with everything that hangs on it.
struct ConfigurationDescriptor {
    std::uint8_t value = 0;  // bConfigurationValue
    std::vector<InterfaceDescriptor> interfaces;
};

// EPROTO, naming the field, when the bytes are no such descriptor.
[[nodiscard]] Result<DeviceDescriptor> parse_device_descriptor(std::span<const std::byte> bytes);

// wTotalLength of a configuration descriptor's first 9 bytes: how many bytes to ask for.
[[nodiscard]] Result<std::uint16_t> parse_configuration_length(std::span<const std::byte> bytes);

// What the descriptors that follow an endpoint's say about it: `chain` is descriptors, each with its own length. Stops
// at the first one that makes no sense.
void read_endpoint_extras(std::span<const std::byte> chain, const Interface& interface, Endpoint& endpoint);

// A whole configuration descriptor. A chain that ends early (fewer bytes than wTotalLength) is an error, as is an
// endpoint before any interface, an endpoint 0, a length below 2 or one that passes the end. Descriptors of other
// types are skipped. An alternate setting that appears twice is an error; a wrong endpoint count
// (bNumEndpoints) is not: what is there counts.
[[nodiscard]] Result<ConfigurationDescriptor> parse_configuration(std::span<const std::byte> bytes);

}  // namespace plugfs::usb
