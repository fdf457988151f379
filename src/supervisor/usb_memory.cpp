#include "supervisor/usb_memory.h"

#include "common/log.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace plugfs {

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;
constexpr unsigned wanted_mib = 256;
constexpr unsigned usual_mib = 16;
constexpr unsigned devices = 16;  // as many share it
constexpr std::size_t largest_share = 16 * mib;

}  // namespace

std::optional<unsigned> raise_usb_memory_limit(const std::filesystem::path& root, std::size_t memory) {
    const auto path = root / "module/usbcore/parameters/usbfs_memory_mb";
    unsigned limit = 0;
    if (!(std::ifstream(path) >> limit)) {
        return std::nullopt;
    }
    const auto wanted = static_cast<unsigned>(std::min<std::size_t>(wanted_mib, memory / 8 / mib));
    if (limit == 0 || limit >= wanted) {
        return limit;
    }
    std::ofstream file(path);
    if (file << wanted << '\n' << std::flush) {
        log::info("usbfs_memory_mb, the memory for USB transfers: " + std::to_string(limit) + " MiB before, now " +
                  std::to_string(wanted));
        return wanted;
    }
    return limit;
}

std::optional<unsigned> raise_usb_memory_limit() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page = ::sysconf(_SC_PAGESIZE);
    return raise_usb_memory_limit("/sys", pages > 0 && page > 0
                                              ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page)
                                              : std::size_t{0});
}

std::size_t mapped_share(std::optional<unsigned> limit_mib) {
    if (limit_mib == 0U) {
        return largest_share;
    }
    return std::min(limit_mib.value_or(usual_mib) * mib / devices, largest_share);
}

}  // namespace plugfs
