// Memory of a driver's own that outlives its process (Host::lasting_memory()): the supervisor creates it for each
// device and keeps it, the worker maps it when its driver asks. It takes memory only where it was written to.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <cstddef>
#include <span>

namespace plugfs {

inline constexpr std::size_t lasting_memory_size = (std::size_t{64} << 20U) + 4096;  // bytes

// A new one, all zeroes; its size cannot be changed.
[[nodiscard]] Result<UniqueFd> create_lasting_memory();

// Maps it, page-aligned, until the process ends. EINVAL: it is of another size.
[[nodiscard]] Result<std::span<std::byte>> map_lasting_memory(int fd);

}  // namespace plugfs
