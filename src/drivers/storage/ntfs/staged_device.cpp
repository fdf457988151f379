#include "drivers/storage/ntfs/staged_device.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

Result<void> StagedDevice::read(std::uint64_t offset, std::span<std::byte> out, BlockDevice::Use use) {
    PLUGFS_TRY(device_.read(offset, out, use));
    const std::uint64_t size = device_.block_size();
    const std::uint64_t end = offset + out.size();
    for (auto at = blocks_.lower_bound(offset / size * size); at != blocks_.end() && at->first < end; ++at) {
        const std::uint64_t from = std::max(offset, at->first);
        const std::uint64_t to = std::min(end, at->first + size);
        std::copy_n(at->second.begin() + static_cast<std::ptrdiff_t>(from - at->first), to - from,
                    out.begin() + static_cast<std::ptrdiff_t>(from - offset));
    }
    return {};
}

Result<void> StagedDevice::write(std::uint64_t offset, std::span<const std::byte> bytes) {
    const std::uint64_t size = device_.block_size();
    if (offset > device_.size() || bytes.size() > device_.size() - offset) {
        return fail(EINVAL, "write", "byte " + std::to_string(offset) + " lies past the end");
    }
    while (!bytes.empty()) {
        const std::uint64_t within = offset % size;
        const std::size_t length = std::min<std::size_t>(bytes.size(), size - within);
        auto found = blocks_.find(offset - within);
        if (found == blocks_.end()) {
            if ((blocks_.size() + 1) * size > limit) {
                return fail(EFBIG, "write", "more than fits in one operation");
            }
            std::vector<std::byte> block(size);
            if (length != size) {
                PLUGFS_TRY(device_.read(offset - within, block, BlockDevice::Use::metadata));
            }
            found = blocks_.emplace(offset - within, std::move(block)).first;
        }
        std::copy_n(bytes.begin(), length, found->second.begin() + static_cast<std::ptrdiff_t>(within));
        bytes = bytes.subspan(length);
        offset += length;
    }
    return {};
}

}  // namespace plugfs::storage::ntfs
