// CRC-32 as in ISO 3309 and UEFI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs::storage {

[[nodiscard]] inline std::uint32_t crc32(std::span<const std::byte> bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const std::byte byte : bytes) {
        crc ^= static_cast<std::uint32_t>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
        }
    }
    return ~crc;
}

}  // namespace plugfs::storage
