#include "drivers/storage/udf/open_udf.h"

#include "drivers/storage/udf/udf_volume.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace plugfs::storage::udf {

namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t recognition_at = 32768;
constexpr std::uint64_t recognition_step = 2048;
constexpr unsigned recognition_limit = 64;
constexpr unsigned sequence_limit = 256;  // descriptors
constexpr unsigned pointer_limit = 8;
constexpr std::uint32_t anchor_sector = 256;

// Descriptors of a volume, the newest of each.
struct Found {
    std::optional<LogicalVolume> volume;
    std::vector<PartitionDescriptor> partitions;
};

Result<std::vector<std::byte>> read_sector(BlockDevice& device, std::uint32_t size, std::uint32_t number) {
    std::vector<std::byte> out(size);
    const std::uint64_t offset = std::uint64_t{number} * size;
    if (offset + size > device.size()) {
        return fail(EUCLEAN, "UDF descriptor", "sector " + std::to_string(number) + " lies past the end");
    }
    PLUGFS_TRY(device.read(offset, out, BlockDevice::Use::metadata));
    PLUGFS_TRY(check_tag(out, number));
    return out;
}

// The anchor says where it lies, in sectors: so their size is known as well.
std::optional<Anchor> find_anchor(BlockDevice& device, std::uint32_t sector_size) {
    const std::uint64_t count = device.size() / sector_size;
    for (const std::uint64_t number : {std::uint64_t{anchor_sector}, count - 1, count - 1 - anchor_sector}) {
        if (number >= count || number > UINT32_MAX) {
            continue;
        }
        const auto sector = read_sector(device, sector_size, static_cast<std::uint32_t>(number));
        if (sector && tag_id(*sector) == TagId::anchor) {
            return parse_anchor(*sector);
        }
    }
    return std::nullopt;
}

Result<void> take_logical_volume(std::span<const std::byte> sector, Found& found) {
    PLUGFS_ASSIGN(auto volume, parse_logical_volume(sector));
    if (!found.volume || volume.sequence >= found.volume->sequence) {
        found.volume = std::move(volume);
    }
    return {};
}

void take_partition(const PartitionDescriptor& partition, Found& found) {
    const auto known = std::find_if(found.partitions.begin(), found.partitions.end(),
                                    [&](const auto& one) { return one.number == partition.number; });
    if (known == found.partitions.end()) {
        found.partitions.push_back(partition);
    } else if (partition.sequence >= known->sequence) {
        *known = partition;
    }
}

Result<Found> read_sequence(BlockDevice& device, std::uint32_t sector_size, Sectors sectors) {
    Found found;
    unsigned pointers = 0;
    std::uint32_t left = sectors.length / sector_size;
    for (unsigned i = 0; i < sequence_limit && left > 0; ++i, --left) {
        PLUGFS_ASSIGN(const auto sector, read_sector(device, sector_size, sectors.first));
        ++sectors.first;
        const TagId id = tag_id(sector);
        if (id == TagId::terminating) {
            break;
        }
        if (id == TagId::pointer && pointers++ < pointer_limit) {
            sectors = parse_pointer(sector);
            left = sectors.length / sector_size + 1;
        } else if (id == TagId::partition) {
            take_partition(parse_partition(sector), found);
        } else if (id == TagId::logical_volume) {
            PLUGFS_TRY(take_logical_volume(sector, found));
        }
    }
    if (!found.volume) {
        return fail(EUCLEAN, "UDF volume descriptors", "there is no logical volume");
    }
    if (found.volume->block_size != sector_size) {
        return fail(EUCLEAN, "UDF logical volume",
                    "its block size is " + std::to_string(found.volume->block_size) + " on sectors of " +
                        std::to_string(sector_size));
    }
    return found;
}

Result<std::unique_ptr<Volume>> open_found(BlockDevice& device, const Found& found, const VolumeReport& report) {
    VolumeHealth health("UDF", "UDF is a file system to be read", report);
    PLUGFS_ASSIGN(auto medium, Medium::create(device, *found.volume, found.partitions,
                                              [&health](const Error& error) { (void)health.seen(error); }));
    PLUGFS_ASSIGN(const auto file_set, medium.descriptor(found.volume->file_set.at));
    if (tag_id(file_set) != TagId::file_set) {
        return fail(EUCLEAN, "UDF file set", "there is another descriptor in its place");
    }
    return UdfVolume::open(std::move(medium), found.volume->label, parse_file_set(file_set), std::move(health));
}

}  // namespace

bool looks_like_udf(BlockDevice& device) {
    for (unsigned i = 0; i < recognition_limit; ++i) {
        std::array<std::byte, 6> bytes{};
        const std::uint64_t offset = recognition_at + i * recognition_step;
        if (offset + bytes.size() > device.size() || !device.read(offset, bytes, BlockDevice::Use::metadata)) {
            return false;
        }
        const std::string_view name(reinterpret_cast<const char*>(bytes.data()) + 1, bytes.size() - 1);
        if (name == "NSR02" || name == "NSR03") {
            return true;
        }
        // Where sectors are larger than 2048 bytes, there are gaps.
        const bool goes_on = name == "BEA01" || name == "CD001" || name == "BOOT2" || name == "\0\0\0\0\0"sv;
        if (!goes_on) {
            return false;
        }
    }
    return false;
}

Result<std::unique_ptr<Volume>> open_udf(BlockDevice& device, const VolumeReport& report) {
    for (std::uint32_t size = 512; size <= 32768; size *= 2) {
        const auto anchor = find_anchor(device, size);
        if (!anchor) {
            continue;
        }
        auto found = read_sequence(device, size, anchor->main);
        if (!found && found.error().code != ENOTSUP) {
            auto reserve = read_sequence(device, size, anchor->reserve);
            found = reserve ? std::move(reserve) : std::move(found);
        }
        PLUGFS_TRY(found);
        return open_found(device, *found, report);
    }
    return fail(EUCLEAN, "UDF anchor", "there is none");
}

}  // namespace plugfs::storage::udf
