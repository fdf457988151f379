// What the supervisor knows of a device: enough to choose a driver and a name, and nothing that it had to parse itself.
// It comes from sysfs (the kernel has read the descriptors) or from plugfs-probe (a sandboxed worker has).
#pragma once

#include <plugfs/result.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace plugfs {

struct InterfaceIdentity {
    std::uint8_t interface_class = 0;
    std::uint8_t interface_subclass = 0;
    std::uint8_t interface_protocol = 0;
    std::string name;  // iInterface string, as the device gave it
    bool operator==(const InterfaceIdentity&) const = default;
};

struct DeviceIdentity {
    std::uint16_t vendor_id = 0;
    std::uint16_t product_id = 0;
    std::uint8_t device_class = 0;
    std::uint8_t device_subclass = 0;
    std::uint8_t device_protocol = 0;
    std::string manufacturer;  // strings as the device gave them, cut to 255 bytes
    std::string product;
    std::string serial_number;
    std::vector<InterfaceIdentity> interfaces;
    bool operator==(const DeviceIdentity&) const = default;
};

// "1209:0001-SERIAL", or with `where` (a port) in place of the serial number that is missing. Made safe as a file name.
[[nodiscard]] std::string stable_id(const DeviceIdentity& identity, const std::string& where);

// The probe's message {"type":"identity",...} and back. Numbers out of range, missing members and too many interfaces
// are errors.
[[nodiscard]] Result<DeviceIdentity> identity_from_json(const nlohmann::json& message);
[[nodiscard]] nlohmann::json identity_to_json(const DeviceIdentity& identity);

}  // namespace plugfs
