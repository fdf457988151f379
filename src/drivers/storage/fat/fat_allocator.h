// FatAllocator: on FAT, a cluster is free when its entry in the table is 0, and taken once it is linked.
#pragma once

#include "drivers/storage/cluster/allocator.h"

namespace plugfs::storage::fat {

class FatAllocator : public Allocator {
  public:
    explicit FatAllocator(ClusterTable& table) : Allocator(table.cluster_count()), table_(table) {}

    Result<void> write_out() override { return table_.write_out(); }

  protected:
    Result<std::optional<Run>> next_free(std::uint32_t from, std::uint32_t before, std::uint32_t most) override {
        return table_.next_free(from, before, most);
    }
    Result<void> mark(const Run& run, bool used) override {
        for (std::uint32_t i = 0; i < run.count && !used; ++i) {
            PLUGFS_ASSIGN(const std::uint32_t value, table_.get(run.first + i));
            if (value == ClusterTable::free) {
                return fail(EUCLEAN, "FAT", "cluster " + std::to_string(run.first + i) + " is free twice");
            }
            PLUGFS_TRY(table_.set(run.first + i, ClusterTable::free));
        }
        return {};
    }
    // The link from such a cluster to the next one could reach the medium half.
    bool last_resort(std::uint32_t cluster) const override { return table_.torn(cluster); }

  private:
    ClusterTable& table_;
};

}  // namespace plugfs::storage::fat
