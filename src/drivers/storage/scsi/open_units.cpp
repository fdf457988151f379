#include "drivers/storage/scsi/open_units.h"

#include "drivers/storage/scsi/bulk_only_transport.h"
#include "drivers/storage/scsi/commands.h"
#include "drivers/storage/scsi/scsi_unit.h"
#include "drivers/storage/scsi/uas_transport.h"

#include <algorithm>
#include <optional>

namespace plugfs::storage {

namespace {

// USB Mass Storage Class Overview, 1.4, sections 2 and 3
constexpr std::uint8_t class_mass_storage = 0x08;
constexpr std::uint8_t subclass_scsi = 0x06;
constexpr std::uint8_t protocol_bulk_only = 0x50;
constexpr std::uint8_t protocol_uas = 0x62;

constexpr std::chrono::seconds setting_limit{5};

const usb::Endpoint* bulk_endpoint(const usb::Interface& interface, bool in) {
    const auto found = std::ranges::find_if(interface.endpoints, [in](const usb::Endpoint& endpoint) {
        return endpoint.type() == usb::TransferType::bulk && endpoint.in() == in;
    });
    return found == interface.endpoints.end() ? nullptr : &*found;
}

const usb::Interface* find_interface(const usb::Device& device, std::uint8_t protocol) {
    const auto interfaces = device.interfaces();
    const auto found = std::ranges::find_if(interfaces, [protocol](const usb::Interface& interface) {
        return interface.interface_class == class_mass_storage && interface.interface_subclass == subclass_scsi &&
               interface.interface_protocol == protocol;
    });
    return found == interfaces.end() ? nullptr : &*found;
}

std::optional<BulkOnlyPipes> find_bulk_only(const usb::Device& device) {
    const auto* interface = find_interface(device, protocol_bulk_only);
    if (interface == nullptr) {
        return std::nullopt;
    }
    const auto* in = bulk_endpoint(*interface, true);
    const auto* out = bulk_endpoint(*interface, false);
    if (in == nullptr || out == nullptr) {
        return std::nullopt;
    }
    return BulkOnlyPipes{interface->number, interface->alternate_setting, *in, *out};
}

std::optional<UasPipes> find_uas(const usb::Device& device) {
    const auto* interface = find_interface(device, protocol_uas);
    if (interface == nullptr) {
        return std::nullopt;
    }
    UasPipes pipes{interface->number, interface->alternate_setting, {}, {}, {}, {}};
    unsigned found = 0;
    const std::array<usb::Endpoint*, 4> by_usage = {&pipes.command, &pipes.status, &pipes.data_in, &pipes.data_out};
    for (const auto& endpoint : interface->endpoints) {
        const std::size_t usage = endpoint.pipe_usage;
        if (usage < 1 || usage > by_usage.size() || endpoint.type() != usb::TransferType::bulk) {
            continue;
        }
        // Commands and data out go to the device, status and data in come from it.
        const bool in = usage == 2 || usage == 3;
        if (endpoint.in() == in && by_usage.at(usage - 1)->address == 0) {
            *by_usage.at(usage - 1) = endpoint;
            ++found;
        }
    }
    return found == by_usage.size() ? std::optional(pipes) : std::nullopt;
}

Result<void> claim(usb::Device& device, OpenedUnits& opened, std::uint8_t interface_number) {
    PLUGFS_TRY(device.claim(interface_number));
    opened.interface_number = interface_number;
    return {};
}

Result<std::shared_ptr<ScsiTransport>> create_bulk_only(usb::Device& device, const BulkOnlyPipes& pipes) {
    // Only where there is a choice: some devices with one setting stall when asked for it.
    const auto settings = std::ranges::count_if(device.interfaces(), [&pipes](const usb::Interface& interface) {
        return interface.number == pipes.interface_number;
    });
    if (settings > 1) {
        PLUGFS_TRY(device.set_alternate_setting(pipes.interface_number, pipes.alternate_setting,
                                                Deadline::after(setting_limit)));
    }
    PLUGFS_ASSIGN(std::shared_ptr<ScsiTransport> transport, BulkOnlyTransport::create(device, pipes));
    return transport;
}

Result<std::shared_ptr<ScsiTransport>> create_transport(usb::Device& device, const TransportChoice& choice,
                                                        OpenedUnits& opened) {
    const auto uas = choice.uas ? find_uas(device) : std::nullopt;
    const auto bulk_only = find_bulk_only(device);
    if (uas) {
        PLUGFS_TRY(claim(device, opened, uas->interface_number));
        auto created = UasTransport::create(device, *uas);
        if (created) {
            opened.transport = "UAS";
            return std::shared_ptr<ScsiTransport>(std::move(*created));
        }
        if (created.error().code == ENODEV || !bulk_only) {
            return created.error();
        }
        PLUGFS_TRY(device.release(uas->interface_number));
    }
    if (!bulk_only) {
        return fail(ENOTSUP, "mass storage", "no interface for SCSI over Bulk-Only Transport or UAS");
    }
    PLUGFS_TRY(claim(device, opened, bulk_only->interface_number));
    opened.transport = "Bulk-Only Transport";
    return create_bulk_only(device, *bulk_only);
}

// Which logical units there are. A device that cannot say has one.
Result<std::vector<std::uint8_t>> list_units(ScsiTransport& transport) {
    std::vector<std::uint8_t> units;
    if (!transport.reports_units()) {
        for (unsigned number = 0; number <= transport.last_unit(); ++number) {
            units.push_back(static_cast<std::uint8_t>(number));
        }
        return units;
    }
    std::array<std::byte, 8 * (1 + unit_limit)> bytes{};
    const auto command = report_luns(bytes);
    Patience patience;
    auto verdict = Verdict::again;
    while (verdict == Verdict::again || verdict == Verdict::changed) {
        const auto batch = transport.run(0, std::span(&command, 1));
        if (batch.good == 1) {
            verdict = Verdict::done;
        } else {
            verdict = patience.judge(command, batch.stopped);
        }
        if (verdict == Verdict::done) {
            const std::size_t length = batch.good == 1 ? bytes.size() : batch.stopped->moved;
            if (auto listed = parse_report_luns(std::span(bytes).first(length)); listed && !listed->empty()) {
                return listed;
            }
        }
    }
    if (verdict == Verdict::failed && patience.error().code == ENODEV) {
        return patience.error();
    }
    return std::vector<std::uint8_t>{0};
}

}  // namespace

Result<OpenedUnits> open_units(usb::Device& device, const TransportChoice& choice) {
    OpenedUnits opened;
    PLUGFS_ASSIGN(const auto transport, create_transport(device, choice, opened));
    PLUGFS_TRY(transport->begin(0));
    PLUGFS_ASSIGN(const auto numbers, list_units(*transport));
    Error why = fail(ENOTSUP, "mass storage", "no logical unit is a block device");
    for (const std::uint8_t number : numbers) {
        const auto begun = number == 0 ? Result<void>() : transport->begin(number);
        auto unit = begun ? ScsiUnit::create(transport, number) : begun.error();
        if (unit && *unit) {
            opened.units.push_back(std::move(*unit));
        } else if (!unit) {
            if (unit.error().code == ENODEV) {
                return unit.error();
            }
            why = unit.error();  // one slot of a card reader may be broken
        }
    }
    return opened.units.empty() ? Result<OpenedUnits>(why) : Result<OpenedUnits>(std::move(opened));
}

}  // namespace plugfs::storage
