#include "drivers/storage/udf/medium.h"

#include <algorithm>

namespace plugfs::storage::udf {

namespace {

constexpr std::size_t extent_limit = std::size_t{1} << 19U;  // of one file
constexpr unsigned more_limit = 1U << 14U;                   // blocks in which they are described

std::string words(Address at) {
    return "block " + std::to_string(at.block) + " of partition " + std::to_string(at.partition);
}

}  // namespace

Result<Medium> Medium::create(BlockDevice& device, const LogicalVolume& volume,
                              std::span<const PartitionDescriptor> partitions, const Report& report) {
    Medium out(device, volume.block_size);
    out.partitions_.resize(volume.maps.size());
    for (const auto kind : {PartitionMap::Kind::physical, PartitionMap::Kind::metadata}) {
        for (std::size_t i = 0; i < volume.maps.size(); ++i) {
            if (volume.maps[i].kind != kind) {
                continue;
            }
            PLUGFS_ASSIGN(out.partitions_[i], kind == PartitionMap::Kind::physical
                                                  ? out.physical(volume.maps[i], partitions)
                                                  : out.metadata(volume, volume.maps[i], report));
        }
    }
    return out;
}

Result<Medium::Partition> Medium::physical(const PartitionMap& map,
                                           std::span<const PartitionDescriptor> partitions) const {
    const auto found = std::find_if(partitions.begin(), partitions.end(),
                                    [&map](const PartitionDescriptor& one) { return one.number == map.number; });
    if (found == partitions.end()) {
        return fail(EUCLEAN, "UDF partition map", "there is no partition " + std::to_string(map.number));
    }
    const std::uint64_t blocks = device_->size() / block_size_;
    if (found->count == 0 || found->first >= blocks || found->count > blocks - found->first) {
        return fail(EUCLEAN, "UDF partition",
                    std::to_string(found->count) + " blocks from " + std::to_string(found->first) +
                        " lie past the end, " + std::to_string(blocks));
    }
    return Partition{{found->first, found->count}};
}

Result<Medium::Partition> Medium::metadata(const LogicalVolume& volume, const PartitionMap& map, const Report& report) {
    const auto below = std::find_if(volume.maps.begin(), volume.maps.end(), [&map](const PartitionMap& one) {
        return one.kind == PartitionMap::Kind::physical && one.number == map.number;
    });
    if (below == volume.maps.end()) {
        return fail(EUCLEAN, "UDF partition map", "a metadata partition lies in none");
    }
    const auto number = static_cast<std::uint16_t>(below - volume.maps.begin());
    auto found = in_file({number, map.file});
    if (!found && found.error().code == EUCLEAN) {
        report(found.error());
        found = in_file({number, map.mirror});
    }
    return found;
}

Result<Medium::Partition> Medium::in_file(Address at) {
    PLUGFS_ASSIGN(FileEntry file, this->file({Extent::Kind::recorded, block_size_, at}));
    PLUGFS_TRY(complete(file));
    Partition out;
    for (const Extent& extent : file.extents) {
        if (extent.kind != Extent::Kind::recorded || extent.length % block_size_ != 0) {
            return fail(EUCLEAN, "UDF metadata file", "it has holes");
        }
        PLUGFS_ASSIGN(const Run run, find(extent.at));
        const std::uint32_t count = extent.length / block_size_;
        if (count > run.count) {
            return fail(EUCLEAN, "UDF metadata file", "it lies past the end");
        }
        out.push_back({run.first, count});
    }
    return out;
}

std::uint64_t Medium::size() const {
    std::uint64_t blocks = 0;
    for (const Partition& partition : partitions_) {
        // What lies in another one is counted there.
        blocks = std::max<std::uint64_t>(blocks, partition.empty() ? 0 : partition.front().count);
    }
    return blocks * block_size_;
}

Result<Medium::Run> Medium::find(Address at) const {
    if (at.partition >= partitions_.size()) {
        return fail(EUCLEAN, "UDF address", words(at) + ": there is no such partition");
    }
    std::uint32_t left = at.block;
    for (const Run& run : partitions_[at.partition]) {
        if (left < run.count) {
            return Run{run.first + left, run.count - left};
        }
        left -= run.count;
    }
    return fail(EUCLEAN, "UDF address", words(at) + " lies past its end");
}

Result<std::uint32_t> Medium::number(Address at) const {
    PLUGFS_ASSIGN(const Run run, find(at));
    return run.first;
}

Result<std::vector<std::byte>> Medium::descriptor(Address at) {
    PLUGFS_ASSIGN(const Run run, find(at));
    std::vector<std::byte> out(block_size_);
    PLUGFS_TRY(device_->read(std::uint64_t{run.first} * block_size_, out, BlockDevice::Use::metadata));
    PLUGFS_TRY(check_tag(out, at.block));
    return out;
}

Result<FileEntry> Medium::file(const Extent& entry) {
    if (entry.kind != Extent::Kind::recorded || entry.length == 0) {
        return fail(EUCLEAN, "UDF file entry", words(entry.at) + ": it has not been recorded");
    }
    PLUGFS_ASSIGN(const auto block, descriptor(entry.at));
    return parse_file_entry(block, entry.at.partition);
}

Result<void> Medium::complete(FileEntry& file) {
    if (file.form == ExtentForm::within) {
        return {};
    }
    for (unsigned i = 0; !file.extents.empty() && file.extents.back().kind == Extent::Kind::more; ++i) {
        if (i == more_limit || file.extents.size() > extent_limit) {
            return fail(EUCLEAN, "UDF extents", "a file has too many of them");
        }
        const Extent more = file.extents.back();
        file.extents.pop_back();
        PLUGFS_ASSIGN(const auto block, descriptor(more.at));
        file.partition = more.at.partition;
        PLUGFS_TRY(parse_more_extents(block, file));
    }
    std::uint64_t length = 0;
    for (const Extent& extent : file.extents) {
        length += extent.length;
    }
    // Linux appends to a last block without making its extent longer.
    if (length < file.size && !file.extents.empty()) {
        std::uint32_t& last = file.extents.back().length;
        const std::uint32_t missing = (block_size_ - last % block_size_) % block_size_;
        last += missing;
        length += missing;
    }
    if (length < file.size) {
        return fail(EUCLEAN, "UDF extents",
                    "they have " + std::to_string(length) + " bytes of a file's " + std::to_string(file.size));
    }
    return {};
}

Result<void> Medium::read(const FileEntry& file, std::uint64_t offset, std::span<std::byte> out, BlockDevice::Use use) {
    if (file.form == ExtentForm::within) {
        std::copy_n(file.content.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return {};
    }
    for (const Extent& extent : file.extents) {
        if (offset >= extent.length) {
            offset -= extent.length;
            continue;
        }
        while (offset < extent.length && !out.empty()) {
            std::uint64_t length = std::min<std::uint64_t>(extent.length - offset, out.size());
            if (extent.kind != Extent::Kind::recorded) {
                std::fill_n(out.begin(), length, std::byte{});
            } else {
                const auto blocks = static_cast<std::uint32_t>(offset / block_size_);
                if (blocks > UINT32_MAX - extent.at.block) {
                    return fail(EUCLEAN, "UDF extents", "one goes on past the end");
                }
                PLUGFS_ASSIGN(const Run run, find({extent.at.partition, extent.at.block + blocks}));
                const std::uint64_t within = offset % block_size_;
                length = std::min(length, std::uint64_t{run.count} * block_size_ - within);
                PLUGFS_TRY(device_->read(std::uint64_t{run.first} * block_size_ + within,
                                         out.first(static_cast<std::size_t>(length)), use));
            }
            out = out.subspan(static_cast<std::size_t>(length));
            offset += length;
        }
        if (out.empty()) {
            break;
        }
        offset = 0;
    }
    return {};
}

}  // namespace plugfs::storage::udf
