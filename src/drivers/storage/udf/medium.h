// Medium: the blocks of a UDF volume: where a logical block is on the device, files' entries, and what is in them.
//
// A metadata partition (UDF 2.2.10) lies in a file of the physical one; where that file cannot be read, its mirror is.
#pragma once

#include "drivers/storage/block_device.h"
#include "drivers/storage/udf/file_entry.h"

#include <functional>

namespace plugfs::storage::udf {

class Medium {
  public:
    using Report = std::function<void(const Error&)>;

    // `report` is called for what is broken and has a copy. EUCLEAN: a partition is missing, or lies past the end.
    [[nodiscard]] static Result<Medium> create(BlockDevice& device, const LogicalVolume& volume,
                                               std::span<const PartitionDescriptor> partitions, const Report& report);

    [[nodiscard]] std::uint32_t block_size() const { return block_size_; }
    // Bytes of the partitions.
    [[nodiscard]] std::uint64_t size() const;

    // The number of the device's block that it is; the same for every process. EUCLEAN: there is none.
    [[nodiscard]] Result<std::uint32_t> number(Address at) const;
    // A block with a descriptor, whose tag has been checked.
    [[nodiscard]] Result<std::vector<std::byte>> descriptor(Address at);
    // A file's entry, as in its own block: the extents that are described elsewhere are missing.
    [[nodiscard]] Result<FileEntry> file(const Extent& entry);
    // Fetches them. EUCLEAN: there are too many, or they do not have the file's size.
    [[nodiscard]] Result<void> complete(FileEntry& file);
    // The whole of `out`, which lies within the file; that is complete.
    [[nodiscard]] Result<void> read(const FileEntry& file, std::uint64_t offset, std::span<std::byte> out,
                                    BlockDevice::Use use);

  private:
    struct Run {
        std::uint32_t first = 0;  // blocks of the device
        std::uint32_t count = 0;
    };
    using Partition = std::vector<Run>;

    Medium(BlockDevice& device, std::uint32_t block_size) : device_(&device), block_size_(block_size) {}
    [[nodiscard]] Result<Partition> physical(const PartitionMap& map,
                                             std::span<const PartitionDescriptor> partitions) const;
    [[nodiscard]] Result<Partition> metadata(const LogicalVolume& volume, const PartitionMap& map,
                                             const Report& report);
    [[nodiscard]] Result<Partition> in_file(Address at);
    // From there on, the blocks of the device in a row.
    [[nodiscard]] Result<Run> find(Address at) const;

    BlockDevice* device_;
    std::uint32_t block_size_;
    std::vector<Partition> partitions_;  // by their numbers in the logical volume
};

}  // namespace plugfs::storage::udf
