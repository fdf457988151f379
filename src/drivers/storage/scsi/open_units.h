// open_units(): from a USB device to its logical units.
#pragma once

#include "drivers/storage/logical_unit.h"

#include <plugfs/usb.h>

#include <memory>
#include <string>
#include <vector>

namespace plugfs::storage {

// Which transports may be used. Without UAS, a device that has both is used through Bulk-Only Transport.
struct TransportChoice {
    bool uas = true;
};

struct OpenedUnits {
    std::string transport;  // "Bulk-Only Transport" or "UAS", for people
    std::uint8_t interface_number = 0;
    std::vector<std::unique_ptr<LogicalUnit>> units;  // at least one; some of them may have no medium
};

// Finds the mass storage interface (class 08h, SCSI transparent command set), claims it, gets the device into a known
// state, whatever a predecessor left it in the middle of, and asks each of its logical units who it is. The units share
// the transport, and are to be used on one thread; `device` must outlive them. Media are not looked at: that is
// LogicalUnit::open().
//   ENOTSUP  no such interface, or no block device behind it
//   EBUSY    somebody else has claimed it
//   EIO, ENODEV, ETIMEDOUT  as in LogicalUnit
[[nodiscard]] Result<OpenedUnits> open_units(usb::Device& device, const TransportChoice& choice = {});

}  // namespace plugfs::storage
