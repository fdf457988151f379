// PartitionDevice: a part of a BlockDevice as a BlockDevice.
#pragma once

#include "drivers/storage/partitions/partition.h"

namespace plugfs::storage {

class PartitionDevice : public BlockDevice {
  public:
    // The whole blocks of `partition`, which lies within `disk`. `disk` outlives it. order(), commit() and flush() are
    // the disk's and go for all of its partitions.
    PartitionDevice(BlockDevice& disk, const Partition& partition);

    [[nodiscard]] std::uint32_t block_size() const override { return disk_.block_size(); }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] bool writable() const override { return disk_.writable(); }
    [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> out, Use use) override;
    [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) override;
    [[nodiscard]] Result<void> write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use use,
                                            Rank rank) override;
    void order() override { disk_.order(); }
    [[nodiscard]] Result<void> commit() override { return disk_.commit(); }
    [[nodiscard]] Result<void> flush() override { return disk_.flush(); }
    void discard(std::uint64_t offset, std::uint64_t length) override;

  private:
    [[nodiscard]] bool within(std::uint64_t offset, std::uint64_t length) const {
        return offset <= size_ && length <= size_ - offset;
    }

    BlockDevice& disk_;
    std::uint64_t offset_;
    std::uint64_t size_;
};

}  // namespace plugfs::storage
