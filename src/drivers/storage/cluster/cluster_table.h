// ClusterTable: the file allocation table of FAT12, FAT16, FAT32 and exFAT: for each cluster of the heap (the first has
// number 2) the one that follows it. Microsoft FAT specification (2005) 4, exFAT specification 4.1.
#pragma once

#include "drivers/storage/cluster/paged_region.h"

#include <optional>

namespace plugfs::storage {

// Clusters in a row.
struct Run {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    friend bool operator==(const Run&, const Run&) = default;
};

inline constexpr std::uint32_t first_cluster_number = 2;

class ClusterTable {
  public:
    // Bits of an entry; FAT32 has 28, the upper four belong to nobody and are kept.
    enum class Width : std::uint8_t { fat12 = 12, fat16 = 16, fat32 = 28, exfat = 32 };

    // What an entry can say besides a number, whatever its width.
    static constexpr std::uint32_t free = 0;
    static constexpr std::uint32_t bad = 0xfffffff7;
    static constexpr std::uint32_t end = 0xffffffff;

    // `cluster_count` clusters, whose entries lie within `region`. `atomic_unit`: bytes that reach the medium whole.
    ClusterTable(PagedRegion region, Width width, std::uint32_t cluster_count, std::uint32_t atomic_unit);

    [[nodiscard]] std::uint32_t cluster_count() const { return cluster_count_; }
    [[nodiscard]] std::uint32_t last() const { return cluster_count_ + 1; }
    [[nodiscard]] bool valid(std::uint32_t cluster) const {
        return cluster >= first_cluster_number && cluster <= last();
    }

    // Any entry of the table, the two reserved ones included. Numbers are not checked.
    [[nodiscard]] Result<std::uint32_t> get(std::uint32_t cluster);
    [[nodiscard]] Result<void> set(std::uint32_t cluster, std::uint32_t value);
    // Makes `run` a chain that ends in `next` (a cluster, or `end`).
    [[nodiscard]] Result<void> link(const Run& run, std::uint32_t next);
    // The next free clusters in a row from `from` on and before `before`, at most `most` of them.
    [[nodiscard]] Result<std::optional<Run>> next_free(std::uint32_t from, std::uint32_t before, std::uint32_t most);
    // Whether these entries reach the medium together.
    [[nodiscard]] bool together(std::uint32_t a, std::uint32_t b) const;
    // Whether the entry may reach the medium half: one of FAT12 that lies in two sectors.
    [[nodiscard]] bool torn(std::uint32_t cluster) const;

    [[nodiscard]] Result<void> write_out(BlockDevice::Rank rank = BlockDevice::Rank::content) {
        return region_.write_out(rank);
    }
    void forget() { region_.forget(); }

  private:
    [[nodiscard]] std::uint64_t offset(std::uint32_t cluster) const;
    [[nodiscard]] std::size_t width_in_bytes() const;
    [[nodiscard]] Result<std::uint32_t> raw(std::uint32_t cluster);

    PagedRegion region_;
    Width width_;
    std::uint32_t cluster_count_;
    std::uint32_t atomic_unit_;
};

}  // namespace plugfs::storage
