#include "common/identity.h"

#include "common/names.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <limits>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr std::size_t string_limit = 255;
constexpr std::size_t interface_limit = 64;

template <class Number>
Result<void> read_number(const json& from, const char* field, Number& to) {
    const auto found = from.find(field);
    if (found == from.end() || !found->is_number_unsigned() ||
        found->get<std::uint64_t>() > std::numeric_limits<Number>::max()) {
        return fail(EPROTO, "identity", std::string(field) + " is missing or out of range");
    }
    to = found->get<Number>();
    return {};
}

Result<void> read_string(const json& from, const char* field, std::string& to) {
    const auto found = from.find(field);
    if (found == from.end() || !found->is_string()) {
        return fail(EPROTO, "identity", std::string(field) + " is missing or no string");
    }
    to = found->get<std::string>().substr(0, string_limit);
    return {};
}

}  // namespace

std::string stable_id(const DeviceIdentity& identity, const std::string& where) {
    std::array<char, 16> numbers{};
    (void)std::snprintf(numbers.data(), numbers.size(), "%04x:%04x-", identity.vendor_id, identity.product_id);
    return safe_name(numbers.data() + (identity.serial_number.empty() ? where : identity.serial_number));
}

Result<DeviceIdentity> identity_from_json(const json& message) {
    DeviceIdentity identity;
    PLUGFS_TRY(read_number(message, "vendor_id", identity.vendor_id));
    PLUGFS_TRY(read_number(message, "product_id", identity.product_id));
    PLUGFS_TRY(read_number(message, "class", identity.device_class));
    PLUGFS_TRY(read_number(message, "subclass", identity.device_subclass));
    PLUGFS_TRY(read_number(message, "protocol", identity.device_protocol));
    PLUGFS_TRY(read_string(message, "manufacturer", identity.manufacturer));
    PLUGFS_TRY(read_string(message, "product", identity.product));
    PLUGFS_TRY(read_string(message, "serial_number", identity.serial_number));
    const auto interfaces = message.find("interfaces");
    if (interfaces == message.end() || !interfaces->is_array() || interfaces->size() > interface_limit) {
        return fail(EPROTO, "identity", "interfaces is missing, no array, or too long");
    }
    for (const auto& item : *interfaces) {
        InterfaceIdentity interface;
        PLUGFS_TRY(read_number(item, "class", interface.interface_class));
        PLUGFS_TRY(read_number(item, "subclass", interface.interface_subclass));
        PLUGFS_TRY(read_number(item, "protocol", interface.interface_protocol));
        PLUGFS_TRY(read_string(item, "name", interface.name));
        identity.interfaces.push_back(std::move(interface));
    }
    return identity;
}

json identity_to_json(const DeviceIdentity& identity) {
    json interfaces = json::array();
    for (const auto& interface : identity.interfaces) {
        interfaces.push_back({{"class", interface.interface_class},
                              {"subclass", interface.interface_subclass},
                              {"protocol", interface.interface_protocol},
                              {"name", interface.name}});
    }
    return {{"type", "identity"},
            {"vendor_id", identity.vendor_id},
            {"product_id", identity.product_id},
            {"class", identity.device_class},
            {"subclass", identity.device_subclass},
            {"protocol", identity.device_protocol},
            {"manufacturer", identity.manufacturer},
            {"product", identity.product},
            {"serial_number", identity.serial_number},
            {"interfaces", interfaces}};
}

}  // namespace plugfs
