// Containers: what carries every PTP message over USB (Still Image Capture Device Definition 1.0, 7.1).
//
// Twelve bytes, little-endian: ContainerLength (these included), ContainerType, Code, TransactionID; then parameters of
// four bytes each (command, response, event) or data. Pure functions; everything that is read is foreign and checked.
#pragma once

#include "drivers/mtp/codes.h"

#include <plugfs/bytes.h>
#include <plugfs/result.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace plugfs::mtp {

inline constexpr std::size_t container_header_size = 12;
inline constexpr std::size_t parameter_limit = 5;
// A command, response or event with all its parameters.
inline constexpr std::size_t largest_message = container_header_size + (4 * parameter_limit);
// ContainerLength of data whose length does not fit 32 bits; 7.1.1.
inline constexpr std::uint32_t length_not_in_32_bits = 0xFFFFFFFF;

struct ContainerHeader {
    std::uint32_t length = 0;
    std::uint16_t type = 0;  // a ContainerType, or anything else
    std::uint16_t code = 0;
    std::uint32_t transaction = 0;

    [[nodiscard]] bool is(ContainerType wanted) const { return type == static_cast<std::uint16_t>(wanted); }
};
using Parameters = std::array<std::uint32_t, parameter_limit>;

// The header as it stands; the fields are not judged.
[[nodiscard]] ContainerHeader read_container_header(std::span<const std::byte, container_header_size> bytes);
// Parameters that are not there are 0.
[[nodiscard]] Parameters read_parameters(std::span<const std::byte> bytes);

// A command container; at most parameter_limit parameters.
[[nodiscard]] std::vector<std::byte> command_container(std::uint16_t operation, std::uint32_t transaction,
                                                       std::span<const std::uint32_t> parameters);

// The header of a data container with `size` bytes of data.
[[nodiscard]] std::vector<std::byte> data_header_bytes(std::uint16_t operation, std::uint32_t transaction,
                                                       std::uint64_t size);

// 7.3.1: what comes on the interrupt endpoint.
struct Event {
    std::uint16_t code = 0;
    Parameters parameters{};
};
// The event at the beginning of `bytes`. Nothing: there is less than the length says, more may come. EIO: it is no
// event (the detail names the field).
[[nodiscard]] Result<std::optional<Event>> read_event(std::span<const std::byte> bytes);

}  // namespace plugfs::mtp
