// Command Block Wrapper and Command Status Wrapper; USB Mass Storage Class, Bulk-Only Transport 1.0, section 5.
#pragma once

#include "drivers/storage/scsi/transport.h"

#include <optional>

namespace plugfs::storage {

inline constexpr std::size_t command_wrapper_size = 31;
inline constexpr std::size_t status_wrapper_size = 13;

// The CBW of a command. `unit` is below 16.
[[nodiscard]] std::array<std::byte, command_wrapper_size> command_wrapper(std::uint32_t tag, std::uint8_t unit,
                                                                          const ScsiCommand& command);

// bCSWStatus, table 5.3.
enum class WrapperStatus : std::uint8_t { passed = 0, failed = 1, phase_error = 2 };

struct StatusWrapper {
    WrapperStatus status = WrapperStatus::passed;
    std::uint32_t residue = 0;  // bytes of those asked for that were not processed; at most those
};

// A CSW that is valid and meaningful (6.3) for the command with this tag and so many bytes of data. EIO, naming the
// field, otherwise.
[[nodiscard]] Result<StatusWrapper> parse_status_wrapper(std::span<const std::byte> bytes, std::uint32_t tag,
                                                         std::size_t data_length);

// Whether these bytes, which came where data should have, are the CSW of the command with this tag.
[[nodiscard]] bool is_status_wrapper(std::span<const std::byte> bytes, std::uint32_t tag);

}  // namespace plugfs::storage
