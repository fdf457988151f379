// A checksum against what a crash has damaged; fast, and not against somebody who means harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs::storage {

[[nodiscard]] std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace plugfs::storage
