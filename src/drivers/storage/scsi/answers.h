// What a logical unit answers about itself: parsers for INQUIRY, READ CAPACITY, MODE SENSE, REPORT LUNS and VPD pages.
//
// An answer may be shorter than what was asked for, and its own lengths may lie: what is behind the end of the bytes
// that came is not read. Errors are EIO, and name the field.
#pragma once

#include "drivers/storage/logical_unit.h"

#include <optional>
#include <vector>

namespace plugfs::storage {

inline constexpr std::uint32_t smallest_block = 512;
inline constexpr std::uint32_t largest_block = 4096;
// What is kept of REPORT LUNS.
inline constexpr std::size_t unit_limit = 16;

// Standard INQUIRY data; SPC-4, 6.6.2.
struct InquiryAnswer {
    UnitIdentity identity;         // without the serial number
    std::uint8_t device_type = 0;  // 00h: a block device
    bool present = false;          // PERIPHERAL QUALIFIER 0: there is such a unit
    std::uint8_t version = 0;      // 0: claims no standard; 5 SPC-3, 6 SPC-4
};
[[nodiscard]] Result<InquiryAnswer> parse_inquiry(std::span<const std::byte> bytes);

// READ CAPACITY; SBC-3, 5.15 and 5.16.
struct CapacityAnswer {
    std::uint64_t last_block = 0;
    std::uint32_t block_size = 0;
    bool provisioning = false;  // LBPME: blocks can be unmapped
};
[[nodiscard]] Result<CapacityAnswer> parse_capacity_10(std::span<const std::byte> bytes);
[[nodiscard]] Result<CapacityAnswer> parse_capacity_16(std::span<const std::byte> bytes);
// READ CAPACITY(10) cannot say it: ask with READ CAPACITY(16).
[[nodiscard]] inline bool too_large_for_10(const CapacityAnswer& answer) {
    return answer.last_block == 0xffffffffU;
}
// A medium that this makes sense of: block size and count within what Medium promises.
[[nodiscard]] Result<Medium> medium_of(const CapacityAnswer& answer);

// The write-protect bit of the mode parameter header; SPC-4, 7.5.5, SBC-3, 6.4.1.
[[nodiscard]] Result<bool> parse_mode_sense_6_write_protect(std::span<const std::byte> bytes);
[[nodiscard]] Result<bool> parse_mode_sense_10_write_protect(std::span<const std::byte> bytes);

// Logical units with a single-level number below 256 (SAM-5, 4.7), in order, without repetition, unit_limit at most.
[[nodiscard]] Result<std::vector<std::uint8_t>> parse_report_luns(std::span<const std::byte> bytes);

// VPD page 00h: the pages that there are.
[[nodiscard]] Result<std::vector<std::uint8_t>> parse_supported_pages(std::span<const std::byte> bytes);
// VPD page 80h, without spaces around it.
[[nodiscard]] Result<std::string> parse_serial_number(std::span<const std::byte> bytes);

// VPD page B0h; SBC-3, 6.5.3. 0: no limit is given; for UNMAP: it is not offered.
struct BlockLimits {
    std::uint32_t longest_transfer = 0;  // blocks
    std::uint32_t best_transfer = 0;     // blocks
    std::uint32_t unmap_blocks = 0;      // in one command
    std::uint32_t unmap_ranges = 0;      // likewise
};
[[nodiscard]] Result<BlockLimits> parse_block_limits(std::span<const std::byte> bytes);
// VPD page B2h: whether the UNMAP command is offered (LBPU); SBC-3, 6.5.4.
[[nodiscard]] Result<bool> parse_offers_unmap(std::span<const std::byte> bytes);

}  // namespace plugfs::storage
