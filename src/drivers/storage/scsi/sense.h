// Sense data: why a command ended with CHECK CONDITION; SPC-4, 4.5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace plugfs::storage {

// SPC-4, table 48.
enum class SenseKey : std::uint8_t {
    no_sense = 0x0,
    recovered_error = 0x1,
    not_ready = 0x2,
    medium_error = 0x3,
    hardware_error = 0x4,
    illegal_request = 0x5,
    unit_attention = 0x6,
    data_protect = 0x7,
    blank_check = 0x8,
    vendor_specific = 0x9,
    copy_aborted = 0xa,
    aborted_command = 0xb,
    volume_overflow = 0xd,
    miscompare = 0xe,
    completed = 0xf,
};

struct Sense {
    SenseKey key = SenseKey::no_sense;
    std::uint8_t code = 0;                     // ADDITIONAL SENSE CODE
    std::uint8_t qualifier = 0;                // ADDITIONAL SENSE CODE QUALIFIER
    bool deferred = false;                     // about an earlier command than the one that it came with
    std::optional<std::uint64_t> information;  // for reads and writes: the block

    // "MEDIUM ERROR, unrecovered read error (11/00)".
    [[nodiscard]] std::string text() const;
};

// Fixed (response codes 70h, 71h) and descriptor format (72h, 73h). Nothing: the bytes are neither, or too few to say
// anything. Fields behind the end of what came are taken for 0, as the standard has it.
[[nodiscard]] std::optional<Sense> parse_sense(std::span<const std::byte> bytes);

}  // namespace plugfs::storage
