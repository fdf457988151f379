// A checksum against what a crash has left half written; not against somebody who means harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs {

// FNV-1a, 32 bits.
[[nodiscard]] inline std::uint32_t checksum(std::span<const std::byte> bytes) {
    std::uint32_t hash = 0x811c9dc5;
    for (const std::byte byte : bytes) {
        hash = (hash ^ static_cast<std::uint32_t>(byte)) * 0x01000193;
    }
    return hash;
}

}  // namespace plugfs
