#include "drivers/storage/partitions/partition_device.h"

#include <algorithm>

namespace plugfs::storage {

PartitionDevice::PartitionDevice(BlockDevice& disk, const Partition& partition)
    : disk_(disk),
      offset_(std::min(partition.offset, disk.size())),
      size_(std::min(partition.length, disk.size() - offset_) / disk.block_size() * disk.block_size()) {}

Result<void> PartitionDevice::read(std::uint64_t offset, std::span<std::byte> out, Use use) {
    if (!within(offset, out.size())) {
        return fail(EINVAL, "partition", "byte " + std::to_string(offset) + " lies past its end");
    }
    return disk_.read(offset_ + offset, out, use);
}

Result<void> PartitionDevice::write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) {
    if (!within(offset, bytes.size())) {
        return fail(EINVAL, "partition", "byte " + std::to_string(offset) + " lies past its end");
    }
    return disk_.write(offset_ + offset, bytes, use);
}

Result<void> PartitionDevice::write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use use, Rank rank) {
    if (!within(offset, bytes.size())) {
        return fail(EINVAL, "partition", "byte " + std::to_string(offset) + " lies past its end");
    }
    return disk_.write_ranked(offset_ + offset, bytes, use, rank);
}

void PartitionDevice::discard(std::uint64_t offset, std::uint64_t length) {
    if (within(offset, length)) {
        disk_.discard(offset_ + offset, length);
    }
}

}  // namespace plugfs::storage
