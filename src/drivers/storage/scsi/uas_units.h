// Information units of UAS (USB Attached SCSI; T10/2095-D, section 6). Numbers in them are big-endian.
#pragma once

#include "drivers/storage/scsi/transport.h"

namespace plugfs::storage {

inline constexpr std::size_t command_unit_size = 32;
inline constexpr std::size_t task_unit_size = 16;
inline constexpr std::size_t sense_unit_header_size = 16;
inline constexpr std::size_t status_unit_limit = sense_unit_header_size + sense_limit;

// TASK MANAGEMENT FUNCTION; SAM-5, 7.
enum class TaskFunction : std::uint8_t { abort_task = 0x01, logical_unit_reset = 0x08, nexus_reset = 0x10 };

[[nodiscard]] std::array<std::byte, command_unit_size> command_unit(std::uint16_t tag, std::uint8_t unit,
                                                                    const ScsiCommand& command);
// `about`: the tag of the task that abort_task is about.
[[nodiscard]] std::array<std::byte, task_unit_size> task_unit(std::uint16_t tag, std::uint8_t unit,
                                                              TaskFunction function, std::uint16_t about = 0);

// RESPONSE CODE; table 22.
enum class ResponseCode : std::uint8_t {
    function_complete = 0x00,
    invalid_unit = 0x02,
    function_not_supported = 0x04,
    function_failed = 0x05,
    function_succeeded = 0x08,
    wrong_logical_unit = 0x09,
    overlapped_tag = 0x0a,
};

// What comes through the status pipe.
struct StatusUnit {
    enum class Kind : std::uint8_t { sense, response, read_ready, write_ready };
    Kind kind = Kind::sense;
    std::uint16_t tag = 0;
    std::uint8_t status = 0;                                  // sense: SAM-5, 5.3.1
    std::vector<std::byte> sense;                             // likewise; sense_limit bytes at most
    ResponseCode response = ResponseCode::function_complete;  // response
};
// EIO, naming the field, when it is none of these.
[[nodiscard]] Result<StatusUnit> parse_status_unit(std::span<const std::byte> bytes);

}  // namespace plugfs::storage
