// device.json: who the device says it is, and what it can do. Unknown values are left out.

#include "drivers/mtp/mtp_driver.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>

namespace plugfs::mtp {

using nlohmann::json;

namespace {

// PTP 5.5.3
const char* storage_type(std::uint16_t type) {
    constexpr std::array<const char*, 5> names = {"undefined", "fixed-rom", "removable-rom", "fixed-ram",
                                                  "removable-ram"};
    return type < names.size() ? names[type] : "other";
}

void set_if_known(json& object, const char* member, const std::string& value) {
    if (!value.empty()) {
        object[member] = value;
    }
}

json described(const Storages::Storage& storage) {
    json object = {{"id", hexadecimal(storage.id)},
                   {"name", storage.name()},
                   {"type", storage_type(storage.info.storage_type)},
                   {"capacity", storage.info.max_capacity},
                   {"free", storage.info.free_space_in_bytes},
                   {"read_only", storage.info.access_capability != 0}};
    set_if_known(object, "description", storage.info.storage_description);
    set_if_known(object, "label", storage.info.volume_label);
    return object;
}

}  // namespace

std::string hexadecimal(std::uint32_t number) {
    std::array<char, 16> text{};
    (void)std::snprintf(text.data(), text.size(), "0x%04x", number);
    return text.data();
}

std::string device_description(const usb::Identity& identity, const DeviceInfo& info,
                               const std::vector<Storages::Storage>& storages, const Extra& extra) {
    json operations = json::array();
    for (const std::uint16_t code : info.operations_supported) {
        operations.push_back({{"code", hexadecimal(code)}, {"name", operation_name(code)}});
    }
    json storage_list = json::array();
    for (const auto& storage : storages) {
        storage_list.push_back(described(storage));
    }
    json description = {{"vendor_id", hexadecimal(identity.vendor_id)},
                        {"product_id", hexadecimal(identity.product_id)},
                        {"protocol", "MTP"},
                        {"functional_mode", info.functional_mode},
                        {"vendor_extension_id", info.vendor_extension_id},
                        {"operations", std::move(operations)},
                        {"storages", std::move(storage_list)}};
    set_if_known(description, "manufacturer", info.manufacturer.empty() ? identity.manufacturer : info.manufacturer);
    set_if_known(description, "model", info.model.empty() ? identity.product : info.model);
    set_if_known(description, "version", info.device_version);
    set_if_known(description, "serial_number",
                 info.serial_number.empty() ? identity.serial_number : info.serial_number);
    set_if_known(description, "vendor_extension", info.vendor_extension_description);
    set_if_known(description, "friendly_name", extra.friendly_name);
    if (extra.battery_level) {
        description["battery_level"] = *extra.battery_level;
    }
    return description.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace plugfs::mtp
