// DeviceProperties: what can be set on the virtual player, and what it says of itself (MTP appendix C).
//
// It has one of each kind: a level that can only be read, numbers with a range and with choices, texts, a moment, and
// one of a vendor's own.
#pragma once

#include <plugfs/bytes.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::virtual_usb {

class DeviceProperties {
  public:
    explicit DeviceProperties(const std::string& friendly_name);

    [[nodiscard]] std::vector<std::uint16_t> codes() const;
    // The value as a dataset, or with `description` the whole DevicePropDesc (MTP 5.1.2.1). Nothing: no such property.
    [[nodiscard]] std::optional<std::vector<std::byte>> dataset(std::uint32_t code, bool description) const;
    // A value that the initiator sends; a response code.
    std::uint16_t set(std::uint32_t code, std::span<const std::byte> value);
    // A value from the player's own buttons, in decimal or as text. False: not possible.
    bool set_text(std::uint32_t code, const std::string& value);

  private:
    struct Property {
        std::uint16_t data_type = 0;
        bool writable = false;
        std::int64_t number = 0;
        std::string text;
        std::vector<std::int64_t> range;    // minimum, maximum, step
        std::vector<std::int64_t> choices;  // or one of these
    };
    static void write_value(ByteWriter& out, const Property& property, std::int64_t number);
    static bool allowed(const Property& property, std::int64_t number);

    std::map<std::uint16_t, Property> properties_;
};

}  // namespace plugfs::virtual_usb
