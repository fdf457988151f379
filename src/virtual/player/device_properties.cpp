#include "virtual/player/device_properties.h"

#include "drivers/mtp/codes.h"
#include "virtual/player/strings.h"

#include <algorithm>
#include <charconv>

namespace plugfs::virtual_usb {

namespace rc = mtp::response;
namespace type = mtp::data_type;

namespace {

constexpr std::uint16_t vendor_property = 0xD123;

std::size_t width_of(std::uint16_t data_type) {
    return data_type <= type::uint8 ? 1 : (data_type <= type::uint16 ? 2 : 4);
}

}  // namespace

DeviceProperties::DeviceProperties(const std::string& friendly_name) {
    namespace prop = mtp::device_property;
    properties_[prop::battery_level] = {.data_type = type::uint8, .number = 80, .range = {0, 100, 1}};
    properties_[prop::date_time] = {.data_type = type::string, .writable = true, .text = "20260101T120000"};
    properties_[prop::synchronization_partner] = {.data_type = type::string, .writable = true};
    properties_[prop::device_friendly_name] = {.data_type = type::string, .writable = true, .text = friendly_name};
    properties_[prop::volume] = {.data_type = type::int32, .writable = true, .number = 20, .range = {0, 100, 5}};
    properties_[prop::playback_rate] = {
        .data_type = type::int32, .writable = true, .number = 1000, .choices = {-1000, 0, 500, 1000, 2000}};
    properties_[prop::playback_object] = {.data_type = type::uint32, .writable = true};
    properties_[prop::playback_position] = {.data_type = type::uint32, .writable = true};
    properties_[vendor_property] = {.data_type = type::uint16, .writable = true, .number = 7};
}

std::vector<std::uint16_t> DeviceProperties::codes() const {
    std::vector<std::uint16_t> codes;
    for (const auto& [code, property] : properties_) {
        codes.push_back(code);
    }
    return codes;
}

void DeviceProperties::write_value(ByteWriter& out, const Property& property, std::int64_t number) {
    if (property.data_type == type::string) {
        write_string(out, property.text);
        return;
    }
    for (std::size_t i = 0; i < width_of(property.data_type); ++i) {
        out.u8(static_cast<std::uint8_t>(static_cast<std::uint64_t>(number) >> (8 * i)));
    }
}

std::optional<std::vector<std::byte>> DeviceProperties::dataset(std::uint32_t code, bool description) const {
    const auto found = code > 0xFFFF ? properties_.end() : properties_.find(static_cast<std::uint16_t>(code));
    if (found == properties_.end()) {
        return std::nullopt;
    }
    const Property& property = found->second;
    ByteWriter out;
    if (description) {
        out.u16le(found->first);
        out.u16le(property.data_type);
        out.u8(property.writable ? 1 : 0);
        write_value(out, property, property.number);
    }
    write_value(out, property, property.number);
    if (!description) {
        return std::move(out).take();
    }
    out.u8(property.range.empty() ? (property.choices.empty() ? 0 : 2) : 1);
    if (!property.choices.empty()) {
        out.u16le(static_cast<std::uint16_t>(property.choices.size()));
    }
    for (const std::int64_t value : property.range.empty() ? property.choices : property.range) {
        write_value(out, property, value);
    }
    return std::move(out).take();
}

bool DeviceProperties::allowed(const Property& property, std::int64_t number) {
    const auto& range = property.range;
    if (!range.empty()) {
        return number >= range[0] && number <= range[1] && (number - range[0]) % range[2] == 0;
    }
    return property.choices.empty() ||
           std::find(property.choices.begin(), property.choices.end(), number) != property.choices.end();
}

std::uint16_t DeviceProperties::set(std::uint32_t code, std::span<const std::byte> value) {
    const auto found = code > 0xFFFF ? properties_.end() : properties_.find(static_cast<std::uint16_t>(code));
    if (found == properties_.end()) {
        return rc::device_prop_not_supported;
    }
    Property& property = found->second;
    if (!property.writable) {
        return rc::access_denied;
    }
    ByteReader reader(value);
    if (property.data_type == type::string) {
        const std::string text = take_string(reader);
        if (!reader.ok() || reader.remaining() > 0) {
            return rc::invalid_device_prop_format;
        }
        property.text = text;
        return rc::ok;
    }
    const std::size_t width = width_of(property.data_type);
    if (value.size() != width) {
        return rc::invalid_device_prop_format;
    }
    const std::uint64_t bits = width == 1 ? reader.u8() : (width == 2 ? reader.u16le() : reader.u32le());
    const auto number = property.data_type == type::int32
                            ? static_cast<std::int64_t>(static_cast<std::int32_t>(static_cast<std::uint32_t>(bits)))
                            : static_cast<std::int64_t>(bits);
    if (!allowed(property, number)) {
        return rc::invalid_device_prop_value;
    }
    property.number = number;
    return rc::ok;
}

bool DeviceProperties::set_text(std::uint32_t code, const std::string& value) {
    const auto found = code > 0xFFFF ? properties_.end() : properties_.find(static_cast<std::uint16_t>(code));
    if (found == properties_.end()) {
        return false;
    }
    Property& property = found->second;
    if (property.data_type == type::string) {
        property.text = value;
        return true;
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || !allowed(property, number)) {
        return false;
    }
    property.number = number;
    return true;
}

}  // namespace plugfs::virtual_usb
