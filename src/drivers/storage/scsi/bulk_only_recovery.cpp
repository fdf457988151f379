// BulkOnlyTransport: what gets a device back into a known state; Bulk-Only Transport 1.0, sections 3 and 5.3.4.

#include "drivers/storage/scsi/bulk_only_transport.h"

namespace plugfs::storage {

namespace {

// bmRequestType: class, to the interface; without the direction
constexpr std::uint8_t class_interface = 0x21;
constexpr std::uint8_t request_reset = 0xff;
constexpr std::uint8_t request_get_max_lun = 0xfe;
constexpr std::uint8_t highest_unit = 15;

constexpr std::chrono::seconds control_limit{5};
constexpr std::chrono::seconds reset_limit{10};

}  // namespace

Result<std::uint8_t> BulkOnlyTransport::ask_last_unit() {
    std::array<std::byte, 1> answer{};
    const auto got = device_.control_in(
        {.request_type = class_interface, .request = request_get_max_lun, .index = pipes_.interface_number}, answer,
        Deadline::after(control_limit));
    if (!got && got.error().code == ENODEV) {
        return got.error();
    }
    // "Devices that do not support multiple LUNs may STALL this command", and some do worse.
    const auto highest = std::to_integer<std::uint8_t>(answer[0]);
    return got && *got == answer.size() && highest <= highest_unit ? highest : std::uint8_t{0};
}

Result<void> BulkOnlyTransport::reset_recovery() {
    const auto deadline = Deadline::after(control_limit);
    if (const auto reset = device_.control_out(
            {.request_type = class_interface, .request = request_reset, .index = pipes_.interface_number}, {},
            deadline);
        !reset) {
        return reset.error();
    }
    PLUGFS_TRY(device_.clear_halt(pipes_.in.address, deadline));
    return device_.clear_halt(pipes_.out.address, deadline);
}

Result<void> BulkOnlyTransport::recover() {
    const bool again = recovered_just_now_;
    recovered_just_now_ = true;
    ++resets_;
    if (!again) {
        auto done = reset_recovery();
        if (done || done.error().code == ENODEV) {
            return done;
        }
    }
    return device_.reset(Deadline::after(reset_limit));
}

}  // namespace plugfs::storage
