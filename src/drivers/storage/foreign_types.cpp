#include "drivers/storage/foreign_types.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace plugfs::storage {

namespace {

using namespace std::string_view_literals;

struct Mark {
    const char* type;
    std::uint64_t offset;
    std::string_view bytes;
};

constexpr Mark marks[] = {
    {"NTFS", 3, "NTFS    "sv},
    {"ReFS", 3, "ReFS\0\0\0\0"sv},
    {"a BitLocker volume", 3, "-FVE-FS-"sv},
    {"XFS", 0, "XFSB"sv},
    {"Btrfs", 0x10040, "_BHRfS_M"sv},
    {"F2FS", 0x400, "\x10\x20\xf5\xf2"sv},
    {"HFS+", 0x400, "H+"sv},
    {"HFS+", 0x400, "HX"sv},
    {"HFS", 0x400, "BD"sv},
    {"APFS", 32, "NXSB"sv},
    {"SquashFS", 0, "hsqs"sv},
    {"a LUKS volume", 0, "LUKS\xba\xbe"sv},
    {"an LVM volume", 0x218, "LVM2 001"sv},
    {"Linux swap", 4086, "SWAPSPACE2"sv},
};

bool has(BlockDevice& device, const Mark& mark) {
    std::array<std::byte, 16> bytes{};
    const auto found = std::span(bytes).first(mark.bytes.size());
    return mark.offset + found.size() <= device.size() &&
           device.read(mark.offset, found, BlockDevice::Use::metadata).ok() &&
           std::equal(found.begin(), found.end(), mark.bytes.begin(),
                      [](std::byte a, char b) { return a == static_cast<std::byte>(b); });
}

}  // namespace

std::string foreign_type(BlockDevice& device) {
    const auto* const found =
        std::find_if(std::begin(marks), std::end(marks), [&](const Mark& mark) { return has(device, mark); });
    return found == std::end(marks) ? "" : found->type;
}

}  // namespace plugfs::storage
