#include "drivers/mtp/device_controls.h"

#include "drivers/mtp/outgoing_datasets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace plugfs::mtp {

namespace {

constexpr std::size_t property_limit = 256;
constexpr std::size_t dataset_limit = std::size_t{256} << 10U;
// A text in UTF-16 has at most 254 units, each of which takes at most three bytes in UTF-8.
constexpr std::size_t longest_text = 3 * string_limit;

struct Name {
    std::uint16_t property;
    const char* name;
};
constexpr std::array names = {Name{0x5001, "battery-level"},
                              Name{0x5002, "functional-mode"},
                              Name{0x5003, "image-size"},
                              Name{0x5004, "compression-setting"},
                              Name{0x5005, "white-balance"},
                              Name{0x5006, "rgb-gain"},
                              Name{0x5007, "f-number"},
                              Name{0x5008, "focal-length"},
                              Name{0x5009, "focus-distance"},
                              Name{0x500A, "focus-mode"},
                              Name{0x500B, "exposure-metering-mode"},
                              Name{0x500C, "flash-mode"},
                              Name{0x500D, "exposure-time"},
                              Name{0x500E, "exposure-program-mode"},
                              Name{0x500F, "exposure-index"},
                              Name{0x5010, "exposure-bias-compensation"},
                              Name{0x5011, "date-time"},
                              Name{0x5012, "capture-delay"},
                              Name{0x5013, "still-capture-mode"},
                              Name{0x5014, "contrast"},
                              Name{0x5015, "sharpness"},
                              Name{0x5016, "digital-zoom"},
                              Name{0x5017, "effect-mode"},
                              Name{0x5018, "burst-number"},
                              Name{0x5019, "burst-interval"},
                              Name{0x501A, "timelapse-number"},
                              Name{0x501B, "timelapse-interval"},
                              Name{0x501C, "focus-metering-mode"},
                              Name{0x501D, "upload-url"},
                              Name{0x501E, "artist"},
                              Name{0x501F, "copyright-info"},
                              Name{0xD401, "synchronization-partner"},
                              Name{0xD402, "friendly-name"},
                              Name{0xD403, "volume"},
                              Name{0xD404, "supported-formats-ordered"},
                              Name{0xD406, "session-initiator-version-info"},
                              Name{0xD407, "perceived-device-type"},
                              Name{0xD410, "playback-rate"},
                              Name{0xD411, "playback-object"},
                              Name{0xD412, "playback-container-index"},
                              Name{0xD413, "playback-position"}};

bool digits(const std::string& text, std::size_t at, std::size_t count) {
    return at + count <= text.size() && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                                                    text.begin() + static_cast<std::ptrdiff_t>(at + count),
                                                    [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t number(const std::string& text, std::int64_t otherwise) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

}  // namespace

std::string control_name(std::uint16_t property) {
    const auto* found =
        std::find_if(names.begin(), names.end(), [property](const Name& name) { return name.property == property; });
    if (found != names.end()) {
        return found->name;
    }
    std::array<char, 16> text{};
    (void)std::snprintf(text.data(), text.size(), "property-%04x", property);
    return text.data();
}

std::string shown_date_time(const std::string& text) {
    if (!digits(text, 0, 8) || !digits(text, 9, 6) || text[8] != 'T') {
        return text;
    }
    return text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 5) + ":" + text.substr(11, 2) + ":" +
           text.substr(13);
}

std::string sent_date_time(const std::string& text) {
    std::string sent;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool separator = (i < 10 && text[i] == '-') || (i < 19 && text[i] == ':');
        if (!separator) {
            sent += i == 10 && text[i] == ' ' ? 'T' : text[i];
        }
    }
    return parse_date_time(sent) ? sent : text;
}

Control control_for(const DevicePropDesc& description) {
    Control control;
    const std::uint16_t type = description.data_type;
    control.name = control_name(description.property_code);
    control.writable = description.writable && (is_integer(type) || type == data_type::string);
    control.value = description.current_value;
    control.longest = longest_text;
    if (description.form == DevicePropDesc::Form::enumeration) {
        control.type = Control::Type::choice;
        control.choices = description.supported_values;
    } else if (is_integer(type)) {
        control.type = Control::Type::number;
        const auto [minimum, maximum] = integer_range(type);
        control.minimum = number(description.minimum_value, minimum);
        control.maximum = number(description.maximum_value, maximum);
        control.step = std::max<std::int64_t>(number(description.step_size, 1), 1);
        if (control.minimum > control.maximum) {
            // A range that nothing lies in says nothing.
            control.minimum = minimum;
            control.maximum = maximum;
        }
    }
    return control;
}

Result<DevicePropDesc> DeviceControls::describe(std::uint16_t property) {
    DevicePropDesc description;
    PLUGFS_TRY(alone_([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_device_prop_desc, {property}, dataset_limit));
        PLUGFS_ASSIGN(description, parse_device_prop_desc(dataset));
        if (description.property_code != property) {
            return fail(EIO, "DevicePropDesc",
                        "DevicePropertyCode is " + control_name(description.property_code) + ", asked for " +
                            control_name(property));
        }
        return {};
    }));
    return description;
}

std::string DeviceControls::shown(std::uint16_t property, const std::string& value) const {
    if (property == device_property::date_time) {
        return shown_date_time(value);
    }
    if (property == device_property::playback_object) {
        return objects_.path(static_cast<std::uint32_t>(number(value, 0)));
    }
    return value;
}

Result<std::vector<Control>> DeviceControls::list() {
    std::vector<Control> controls;
    data_types_.clear();
    for (const std::uint16_t property : info_.device_properties_supported) {
        if (controls.size() >= property_limit || data_types_.count(property) != 0) {
            continue;
        }
        const auto description = describe(property);
        if (!description) {
            if (description.error().code == ENODEV) {
                return description.error();
            }
            host_.log(LogLevel::warning, control_name(property) + ": " + description.error().text() + "; left out");
            continue;
        }
        // Pictures and the like: bytes, not something that is set.
        if (!description->current_value) {
            continue;
        }
        data_types_[property] = description->data_type;
        auto control = control_for(*description);
        control.value = shown(property, *description->current_value);
        if (property == device_property::playback_object) {
            control.type = Control::Type::text;
            control.longest = std::size_t{4} << 10U;
        }
        controls.push_back(std::move(control));
    }
    return controls;
}

Result<std::uint16_t> DeviceControls::property_of(const std::string& name) const {
    for (const std::uint16_t property : info_.device_properties_supported) {
        if (control_name(property) == name) {
            return property;
        }
    }
    return fail(ENOENT, name, "the device has no such property");
}

Result<std::string> DeviceControls::get(const std::string& name) {
    PLUGFS_ASSIGN(const auto property, property_of(name));
    if (data_types_.count(property) == 0) {
        PLUGFS_ASSIGN(const auto description, describe(property));
        data_types_[property] = description.data_type;
    }
    std::string value;
    PLUGFS_TRY(alone_([&]() -> Result<void> {
        PLUGFS_ASSIGN(const auto dataset,
                      session_.dataset(operation::get_device_prop_value, {property}, dataset_limit));
        ByteReader reader(dataset);
        auto text = read_value_text(reader, data_types_.at(property));
        if (!text) {
            return fail(EIO, "DevicePropValue", name + ": " + std::to_string(dataset.size()) + " bytes are no value");
        }
        value = std::move(*text);
        return {};
    }));
    return shown(property, value);
}

Result<void> DeviceControls::set(const std::string& name, const std::string& value) {
    PLUGFS_ASSIGN(const auto property, property_of(name));
    if (data_types_.count(property) == 0) {
        PLUGFS_ASSIGN(const auto description, describe(property));
        data_types_[property] = description.data_type;
    }
    std::string sent = value;
    if (property == device_property::date_time) {
        sent = sent_date_time(value);
        if (!parse_date_time(sent)) {
            return fail(EINVAL, name, "allowed is a moment like 2026-11-25T16:20:00");
        }
    } else if (property == device_property::playback_object) {
        PLUGFS_ASSIGN(const auto handle, objects_.handle(value));
        sent = std::to_string(handle);
    }
    PLUGFS_ASSIGN(const auto bytes, encode_value(data_types_.at(property), sent));
    return alone_([&]() -> Result<void> {
        std::size_t at = 0;
        PLUGFS_ASSIGN(const auto response, session_.send(operation::set_device_prop_value, {property}, bytes.size(),
                                                         [&](std::span<std::byte> out) -> Result<void> {
                                                             std::copy_n(
                                                                 bytes.begin() + static_cast<std::ptrdiff_t>(at),
                                                                 out.size(), out.begin());
                                                             at += out.size();
                                                             return {};
                                                         }));
        (void)response;
        return {};
    });
}

}  // namespace plugfs::mtp
