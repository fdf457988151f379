// DeviceControls: the device's properties (PTP 13, MTP appendix C) as controls.
//
// Each property that the device offers and describes is one: by its name where the specifications have one
// ("battery-level"), otherwise by its code ("property-d123"). What may be written follows from its description.
// A moment is shown and taken as 2026-11-25T16:20:00. A property whose description makes no sense is left out, and
// logged.
#pragma once

#include "drivers/mtp/property_value.h"
#include "drivers/mtp/session.h"

#include <plugfs/controls.h>
#include <plugfs/driver.h>

#include <functional>
#include <map>

namespace plugfs::mtp {

// "volume", "property-d123"
[[nodiscard]] std::string control_name(std::uint16_t property);
// "20261125T162000" and "2026-11-25T16:20:00"; what is neither stays as it is.
[[nodiscard]] std::string shown_date_time(const std::string& text);
[[nodiscard]] std::string sent_date_time(const std::string& text);
// What may be written to a property.
[[nodiscard]] Control control_for(const DevicePropDesc& description);

class DeviceControls : public Controls {
  public:
    // Runs an operation while no other transaction is open, and again after a recovery where that may help.
    using Alone = std::function<Result<void>(const std::function<Result<void>()>&)>;
    // Objects by their paths, for the property that says what is played.
    struct Objects {
        std::function<std::string(std::uint32_t handle)> path;  // "" if it is not known
        std::function<Result<std::uint32_t>(const std::string& path)> handle;
    };

    // All must outlive it.
    DeviceControls(Session& session, const DeviceInfo& info, Host& host, Alone alone, Objects objects)
        : session_(session), info_(info), host_(host), alone_(std::move(alone)), objects_(std::move(objects)) {}

    [[nodiscard]] Result<std::vector<Control>> list() override;
    [[nodiscard]] Result<std::string> get(const std::string& name) override;
    [[nodiscard]] Result<void> set(const std::string& name, const std::string& value) override;

  private:
    Result<DevicePropDesc> describe(std::uint16_t property);
    Result<std::uint16_t> property_of(const std::string& name) const;
    [[nodiscard]] std::string shown(std::uint16_t property, const std::string& value) const;

    Session& session_;
    const DeviceInfo& info_;
    Host& host_;
    Alone alone_;
    Objects objects_;
    std::map<std::uint16_t, std::uint16_t> data_types_;  // by property
};

}  // namespace plugfs::mtp
