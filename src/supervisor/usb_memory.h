// The memory that transfers through usbfs may have. The kernel has one limit for all programs together (usbcore's
// parameter usbfs_memory_mb, 16 MiB unless somebody has raised it). A fast stick has up to 8 MiB in transfers, so a few
// devices reach it; then transfers fail that have nothing to do with each other.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace plugfs {

// Raises the limit to what a dozen fast devices need, an eighth of the machine's memory at most. Never lowers it. The
// limit that holds then, in MiB; 0: there is none; nothing: it is not known. `root` is /sys, or a
// test's copy of it; `memory` is what the machine has, in bytes.
std::optional<unsigned> raise_usb_memory_limit(const std::filesystem::path& root, std::size_t memory);

// The same for this machine.
std::optional<unsigned> raise_usb_memory_limit();

// The bytes of it that the driver of one device may keep mapped, for transfers without copying.
[[nodiscard]] std::size_t mapped_share(std::optional<unsigned> limit_mib);

}  // namespace plugfs
