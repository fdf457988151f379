// Numbers of SPC-4 and SBC-3 that a virtual stick knows. (The driver's own are in src/drivers: a test double that
// shared them would share their mistakes.)
#pragma once

#include "virtual/stick/unit.h"

namespace plugfs::virtual_usb::stick_codes {

// SAM-5, 5.3.1
inline constexpr std::uint8_t status_check_condition = 0x02;
inline constexpr std::uint8_t status_busy = 0x08;

enum OperationCode : std::uint8_t {
    test_unit_ready_6 = 0x00,
    request_sense_6 = 0x03,
    inquiry_6 = 0x12,
    mode_sense_6 = 0x1a,
    start_stop_6 = 0x1b,
    prevent_allow_6 = 0x1e,
    read_capacity_10 = 0x25,
    read_10 = 0x28,
    write_10 = 0x2a,
    verify_10 = 0x2f,
    synchronize_cache_10 = 0x35,
    unmap_10 = 0x42,
    mode_sense_10 = 0x5a,
    read_16 = 0x88,
    write_16 = 0x8a,
    synchronize_cache_16 = 0x91,
    service_action_in_16 = 0x9e,
    report_luns_12 = 0xa0,
};
inline constexpr std::uint8_t action_read_capacity_16 = 0x10;

inline constexpr StickSense sense_becoming_ready{0x02, 0x04, 0x01, {}};
inline constexpr StickSense sense_to_be_started{0x02, 0x04, 0x02, {}};
inline constexpr StickSense sense_no_medium{0x02, 0x3a, 0x00, {}};
inline constexpr StickSense sense_read_error{0x03, 0x11, 0x00, {}};
inline constexpr StickSense sense_write_error{0x03, 0x0c, 0x02, {}};
inline constexpr StickSense sense_image_failed{0x04, 0x44, 0x00, {}};
inline constexpr StickSense sense_operation{0x05, 0x20, 0x00, {}};
inline constexpr StickSense sense_out_of_range{0x05, 0x21, 0x00, {}};
inline constexpr StickSense sense_field{0x05, 0x24, 0x00, {}};
inline constexpr StickSense sense_no_unit{0x05, 0x25, 0x00, {}};
inline constexpr StickSense sense_parameter{0x05, 0x26, 0x00, {}};
inline constexpr StickSense sense_removal_prevented{0x05, 0x53, 0x02, {}};
inline constexpr StickSense sense_medium_changed{0x06, 0x28, 0x00, {}};
inline constexpr StickSense sense_reset{0x06, 0x29, 0x00, {}};
inline constexpr StickSense sense_write_protected{0x07, 0x27, 0x00, {}};
inline constexpr StickSense sense_no_room{0x07, 0x27, 0x07, {}};
inline constexpr StickSense sense_aborted{0x0b, 0x00, 0x00, {}};

}  // namespace plugfs::virtual_usb::stick_codes
