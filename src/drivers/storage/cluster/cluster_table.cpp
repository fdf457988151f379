#include "drivers/storage/cluster/cluster_table.h"

#include <algorithm>
#include <array>

namespace plugfs::storage {

ClusterTable::ClusterTable(PagedRegion region, Width width, std::uint32_t cluster_count, std::uint32_t atomic_unit)
    : region_(std::move(region)), width_(width), cluster_count_(cluster_count), atomic_unit_(atomic_unit) {}

std::uint64_t ClusterTable::offset(std::uint32_t cluster) const {
    const std::uint64_t number = cluster;
    switch (width_) {
        case Width::fat12:
            return number + number / 2;
        case Width::fat16:
            return number * 2;
        default:
            return number * 4;
    }
}

std::size_t ClusterTable::width_in_bytes() const {
    return width_ == Width::fat12 || width_ == Width::fat16 ? 2 : 4;
}

// The bytes that hold the entry as a number: of FAT12, four bits of it are the neighbour's.
Result<std::uint32_t> ClusterTable::raw(std::uint32_t cluster) {
    const std::uint64_t at = offset(cluster);
    const std::size_t width = width_in_bytes();
    std::uint32_t value = 0;
    PLUGFS_ASSIGN(auto bytes, region_.read(at));
    for (std::size_t i = 0; i < width; ++i) {
        if (i == bytes.size()) {  // an entry of FAT12 across two pages
            PLUGFS_ASSIGN(const auto rest, region_.read(at + i));
            value |= static_cast<std::uint32_t>(rest[0]) << (8 * i);
            break;
        }
        value |= static_cast<std::uint32_t>(bytes[i]) << (8 * i);
    }
    return value;
}

Result<std::uint32_t> ClusterTable::get(std::uint32_t cluster) {
    PLUGFS_ASSIGN(std::uint32_t value, raw(cluster));
    if (width_ == Width::fat12) {
        value = (cluster & 1U) != 0 ? value >> 4U : value & 0xfffU;
    } else if (width_ == Width::fat32) {
        value &= 0x0fffffffU;
    }
    if (width_ == Width::exfat) {
        return value;
    }
    const std::uint32_t top = width_ == Width::fat12 ? 0xfff : (width_ == Width::fat16 ? 0xffff : 0x0fffffff);
    if (value >= top - 7) {
        return end;
    }
    return value == top - 8 ? bad : value;
}

Result<void> ClusterTable::set(std::uint32_t cluster, std::uint32_t value) {
    std::uint32_t bits = value;
    if (width_ == Width::fat12) {
        PLUGFS_ASSIGN(const std::uint32_t old, raw(cluster));
        bits = (cluster & 1U) != 0 ? (old & 0xfU) | ((value & 0xfffU) << 4U) : (old & 0xf000U) | (value & 0xfffU);
    } else if (width_ == Width::fat32) {
        PLUGFS_ASSIGN(const std::uint32_t old, raw(cluster));
        bits = (old & 0xf0000000U) | (value & 0x0fffffffU);
    }
    std::array<std::byte, 4> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(bits >> (8 * i));
    }
    return region_.write(offset(cluster), std::span(bytes).first(width_in_bytes()));
}

Result<void> ClusterTable::link(const Run& run, std::uint32_t next) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
        const std::uint32_t cluster = run.first + i;
        PLUGFS_TRY(set(cluster, i + 1 == run.count ? next : cluster + 1));
    }
    return {};
}

Result<std::optional<Run>> ClusterTable::next_free(std::uint32_t from, std::uint32_t before, std::uint32_t most) {
    std::optional<Run> run;
    for (std::uint32_t cluster = from; cluster < before; ++cluster) {
        PLUGFS_ASSIGN(const std::uint32_t value, get(cluster));
        if (value != free) {
            if (run) {
                break;
            }
            continue;
        }
        run = run ? Run{run->first, run->count + 1} : Run{cluster, 1};
        if (run->count == most) {
            break;
        }
    }
    return run;
}

bool ClusterTable::together(std::uint32_t a, std::uint32_t b) const {
    const auto block = [this](std::uint32_t cluster, std::size_t byte) {
        return (offset(cluster) + byte) / atomic_unit_;
    };
    const std::size_t last_byte = width_in_bytes() - 1;
    return block(a, 0) == block(b, 0) && block(a, last_byte) == block(b, last_byte) &&
           block(a, 0) == block(a, last_byte);
}

bool ClusterTable::torn(std::uint32_t cluster) const {
    return width_ == Width::fat12 && offset(cluster) / atomic_unit_ != (offset(cluster) + 1) / atomic_unit_;
}

}  // namespace plugfs::storage
