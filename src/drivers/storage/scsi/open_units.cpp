#include "drivers/storage/scsi/open_units.h"

#include "drivers/storage/scsi/bulk_only_transport.h"
#include "drivers/storage/scsi/scsi_unit.h"

#include <algorithm>
#include <optional>

namespace plugfs::storage {

namespace {

// USB Mass Storage Class Overview, 1.4, sections 2 and 3
constexpr std::uint8_t class_mass_storage = 0x08;
constexpr std::uint8_t subclass_scsi = 0x06;
constexpr std::uint8_t protocol_bulk_only = 0x50;

constexpr std::chrono::seconds setting_limit{5};

const usb::Endpoint* bulk_endpoint(const usb::Interface& interface, bool in) {
    const auto found = std::ranges::find_if(interface.endpoints, [in](const usb::Endpoint& endpoint) {
        return endpoint.type() == usb::TransferType::bulk && endpoint.in() == in;
    });
    return found == interface.endpoints.end() ? nullptr : &*found;
}

struct Choice {
    const usb::Interface* interface = nullptr;
    BulkOnlyPipes pipes;
};

std::optional<Choice> choose(const usb::Device& device) {
    for (const auto& interface : device.interfaces()) {
        if (interface.interface_class != class_mass_storage || interface.interface_subclass != subclass_scsi ||
            interface.interface_protocol != protocol_bulk_only) {
            continue;
        }
        const auto* in = bulk_endpoint(interface, true);
        const auto* out = bulk_endpoint(interface, false);
        if (in != nullptr && out != nullptr) {
            return Choice{&interface, {interface.number, *in, *out}};
        }
    }
    return std::nullopt;
}

}  // namespace

Result<OpenedUnits> open_units(usb::Device& device, const TransportChoice& /*choice*/) {
    const auto chosen = choose(device);
    if (!chosen) {
        return fail(ENOTSUP, "mass storage", "no interface for SCSI over Bulk-Only Transport or UAS");
    }
    OpenedUnits opened;
    opened.interface_number = chosen->interface->number;
    PLUGFS_TRY(device.claim(opened.interface_number));
    if (chosen->interface->alternate_setting != 0) {
        PLUGFS_TRY(device.set_alternate_setting(opened.interface_number, chosen->interface->alternate_setting,
                                                Deadline::after(setting_limit)));
    }
    PLUGFS_ASSIGN(std::shared_ptr<ScsiTransport> transport, BulkOnlyTransport::create(device, chosen->pipes));
    opened.transport = "Bulk-Only Transport";
    for (unsigned number = 0; number <= transport->last_unit(); ++number) {
        PLUGFS_ASSIGN(std::unique_ptr<LogicalUnit> unit,
                      ScsiUnit::create(transport, static_cast<std::uint8_t>(number)));
        if (unit) {
            opened.units.push_back(std::move(unit));
        }
    }
    if (opened.units.empty()) {
        return fail(ENOTSUP, "mass storage", "no logical unit is a block device");
    }
    return opened;
}

}  // namespace plugfs::storage
