// SCSI command descriptor blocks: SPC-4 (section 6) and SBC-3 (section 5). Numbers in them are big-endian.
#pragma once

#include "drivers/storage/scsi/transport.h"

namespace plugfs::storage {

enum class Operation : std::uint8_t {
    test_unit_ready = 0x00,
    request_sense = 0x03,
    inquiry = 0x12,
    mode_sense_6 = 0x1a,
    start_stop_unit = 0x1b,
    prevent_allow_medium_removal = 0x1e,
    read_capacity_10 = 0x25,
    read_10 = 0x28,
    write_10 = 0x2a,
    synchronize_cache_10 = 0x35,
    unmap = 0x42,
    mode_sense_10 = 0x5a,
    read_16 = 0x88,
    write_16 = 0x8a,
    service_action_in_16 = 0x9e,  // READ CAPACITY(16) with service action 10h
    report_luns = 0xa0,
};

[[nodiscard]] constexpr std::byte operation_byte(Operation operation) {
    return static_cast<std::byte>(operation);
}

// Lengths of the answers that are asked for. Some devices fail when asked for more than these, or for other lengths.
inline constexpr std::size_t standard_inquiry_length = 36;
inline constexpr std::size_t request_sense_length = 18;
inline constexpr std::size_t capacity_10_length = 8;
inline constexpr std::size_t capacity_16_length = 32;
inline constexpr std::size_t mode_sense_length = 192;

// VPD pages; SPC-4, 7.8, and SBC-3, 6.5.
enum class VitalPage : std::uint8_t {
    supported_pages = 0x00,
    unit_serial_number = 0x80,
    block_limits = 0xb0,
    logical_block_provisioning = 0xb2,
};

// START STOP UNIT; SBC-3, 5.25.
enum class StartStop : std::uint8_t { stop = 0, start = 1, eject = 2, load = 3 };

// Each returns the command; its data go to, or come from, the given bytes.
[[nodiscard]] ScsiCommand test_unit_ready();
[[nodiscard]] ScsiCommand request_sense(std::span<std::byte> in);
[[nodiscard]] ScsiCommand inquiry(std::span<std::byte> in);
[[nodiscard]] ScsiCommand inquiry_page(VitalPage page, std::span<std::byte> in);
[[nodiscard]] ScsiCommand report_luns(std::span<std::byte> in);
[[nodiscard]] ScsiCommand read_capacity_10(std::span<std::byte> in);
[[nodiscard]] ScsiCommand read_capacity_16(std::span<std::byte> in);
// All pages: what they begin with is in every answer.
[[nodiscard]] ScsiCommand mode_sense_6(std::span<std::byte> in);
[[nodiscard]] ScsiCommand mode_sense_10(std::span<std::byte> in);
[[nodiscard]] ScsiCommand start_stop_unit(StartStop what);
[[nodiscard]] ScsiCommand prevent_allow_medium_removal(bool prevent);
[[nodiscard]] ScsiCommand synchronize_cache();
[[nodiscard]] ScsiCommand unmap(std::span<const std::byte> parameters);

// READ and WRITE of `count` blocks (1 to 65,535) from `block` on: the 10-byte commands as far as they reach, the
// 16-byte ones beyond.
[[nodiscard]] ScsiCommand read_blocks(std::uint64_t block, std::uint32_t count, std::span<std::byte> in);
[[nodiscard]] ScsiCommand write_blocks(std::uint64_t block, std::uint32_t count, std::span<const std::byte> out);

}  // namespace plugfs::storage
