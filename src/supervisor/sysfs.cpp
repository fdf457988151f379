#include "supervisor/sysfs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <optional>

namespace plugfs {

namespace fs = std::filesystem;

namespace {

constexpr std::uint8_t hub_class = 9;
constexpr std::size_t attribute_limit = 512;  // a string descriptor has at most 126 UTF-16 units: 378 bytes

std::optional<std::string> attribute(const fs::path& directory, const char* name) {
    std::ifstream file(directory / name, std::ios::binary);
    std::array<char, attribute_limit> buffer{};
    file.read(buffer.data(), buffer.size());
    if (file.bad() || (file.gcount() == 0 && !file.is_open())) {
        return std::nullopt;
    }
    std::string text(buffer.data(), static_cast<std::size_t>(file.gcount()));
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

template <class Number>
bool number(const fs::path& directory, const char* name, int base, Number& value) {
    const auto text = attribute(directory, name);
    if (!text) {
        return false;
    }
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value, base);
    return error == std::errc() && end == text->data() + text->size();
}

// Interfaces of the active configuration are sub-directories "1-1.2:1.0".
std::vector<InterfaceIdentity> interfaces_of(const fs::path& device, const std::string& port) {
    std::vector<std::pair<std::string, InterfaceIdentity>> found;
    std::error_code error;
    for (const auto& item : fs::directory_iterator(device, error)) {
        const std::string name = item.path().filename();
        InterfaceIdentity interface;
        if (name.starts_with(port + ":") && number(item.path(), "bInterfaceClass", 16, interface.interface_class) &&
            number(item.path(), "bInterfaceSubClass", 16, interface.interface_subclass) &&
            number(item.path(), "bInterfaceProtocol", 16, interface.interface_protocol)) {
            interface.name = attribute(item.path(), "interface").value_or("");
            found.emplace_back(name, std::move(interface));
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<InterfaceIdentity> interfaces;
    interfaces.reserve(found.size());
    for (auto& [name, interface] : found) {
        interfaces.push_back(std::move(interface));
    }
    return interfaces;
}

std::optional<LocalDevice> read_device(const fs::path& directory) {
    LocalDevice device;
    device.port = directory.filename();
    auto& identity = device.identity;
    const bool complete = number(directory, "busnum", 10, device.bus) &&
                          number(directory, "devnum", 10, device.address) &&
                          number(directory, "idVendor", 16, identity.vendor_id) &&
                          number(directory, "idProduct", 16, identity.product_id) &&
                          number(directory, "bDeviceClass", 16, identity.device_class) &&
                          number(directory, "bDeviceSubClass", 16, identity.device_subclass) &&
                          number(directory, "bDeviceProtocol", 16, identity.device_protocol);
    if (!complete || identity.device_class == hub_class) {
        return std::nullopt;
    }
    identity.manufacturer = attribute(directory, "manufacturer").value_or("");
    identity.product = attribute(directory, "product").value_or("");
    identity.serial_number = attribute(directory, "serial").value_or("");
    identity.interfaces = interfaces_of(directory, device.port);
    return device;
}

}  // namespace

std::string LocalDevice::node() const {
    std::array<char, 48> text{};
    (void)std::snprintf(text.data(), text.size(), "bus/usb/%03u/%03u", bus, address);
    return text.data();
}

std::vector<LocalDevice> list_usb_devices(const fs::path& root) {
    std::vector<LocalDevice> devices;
    std::error_code error;
    for (const auto& item : fs::directory_iterator(root / "bus/usb/devices", error)) {
        const std::string name = item.path().filename();
        // "usb1" is a root hub, "1-1:1.0" an interface.
        if (name.find(':') != std::string::npos || name.starts_with("usb")) {
            continue;
        }
        if (auto device = read_device(item.path())) {
            devices.push_back(std::move(*device));
        }
    }
    std::sort(devices.begin(), devices.end(), [](const auto& a, const auto& b) { return a.port < b.port; });
    return devices;
}

}  // namespace plugfs
