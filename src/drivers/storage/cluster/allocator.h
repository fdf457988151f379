// Allocator: which clusters are free, and which of them a file gets: those behind its last one if it can be, else a
// free row that is long enough, else what there is.
#pragma once

#include "drivers/storage/cluster/cluster_table.h"

namespace plugfs::storage {

class Allocator {
  public:
    explicit Allocator(std::uint32_t cluster_count) : cluster_count_(cluster_count) {}
    virtual ~Allocator() = default;
    Allocator(const Allocator&) = delete;
    Allocator& operator=(const Allocator&) = delete;

    // `count` (at least 1) free clusters for a file whose last cluster is `tail` (0: it has none). They are not taken
    // yet. ENOSPC: there are fewer.
    [[nodiscard]] Result<std::vector<Run>> find(std::uint32_t count, std::uint32_t tail);
    [[nodiscard]] Result<void> take(std::span<const Run> runs);
    // EUCLEAN: one of them was free.
    [[nodiscard]] Result<void> give_back(std::span<const Run> runs);
    // To the device.
    [[nodiscard]] virtual Result<void> write_out() = 0;
    // What is in memory may not be what is on the device any more.
    virtual void forget();

    // Free clusters: those known by now. Each call looks at a bounded part of a large volume until all is known.
    [[nodiscard]] Result<std::uint32_t> count_free();
    [[nodiscard]] std::optional<std::uint32_t> free_count() const { return free_count_; }
    // What the volume says of itself. Where the next search begins.
    void believe_free_count(std::uint32_t count) { free_count_ = count; }
    [[nodiscard]] std::uint32_t cursor() const { return cursor_; }
    void set_cursor(std::uint32_t cluster) { cursor_ = cluster; }

  protected:
    // See ClusterTable::next_free().
    [[nodiscard]] virtual Result<std::optional<Run>> next_free(std::uint32_t from, std::uint32_t before,
                                                               std::uint32_t most) = 0;
    // Marks them. EUCLEAN: one of them was marked so already.
    [[nodiscard]] virtual Result<void> mark(const Run& run, bool used) = 0;
    // Whether it is better left alone as long as there are others.
    [[nodiscard]] virtual bool last_resort(std::uint32_t) const { return false; }

  private:
    struct Search {
        std::vector<Run> runs;
        std::uint32_t missing = 0;
        bool last_resort = false;
    };

    [[nodiscard]] std::uint32_t end() const { return cluster_count_ + first_cluster_number; }
    [[nodiscard]] Result<std::optional<Run>> long_row(std::uint32_t count);
    [[nodiscard]] Result<void> collect(Search& search, std::uint32_t from, std::uint32_t before);
    void add(Search& search, Run run) const;

    std::uint32_t cluster_count_;
    std::uint32_t cursor_ = first_cluster_number;
    std::optional<std::uint32_t> free_count_;
    // Counting in parts: all below `counted_to_` have been looked at, `counted_` of them are free.
    std::uint32_t counted_to_ = first_cluster_number;
    std::uint32_t counted_ = 0;
};

}  // namespace plugfs::storage
