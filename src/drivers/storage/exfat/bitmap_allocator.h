// BitmapAllocator: on exFAT, a bit for each cluster says whether it is taken. exFAT specification 7.1.
#pragma once

#include "drivers/storage/cluster/allocator.h"

namespace plugfs::storage::exfat {

class BitmapAllocator : public Allocator {
  public:
    // `bitmap` has at least a bit for each cluster.
    BitmapAllocator(PagedRegion bitmap, std::uint32_t cluster_count)
        : Allocator(cluster_count), bitmap_(std::move(bitmap)) {}

    Result<void> write_out() override { return bitmap_.write_out(); }
    void forget() override;

  protected:
    Result<std::optional<Run>> next_free(std::uint32_t from, std::uint32_t before, std::uint32_t most) override;
    Result<void> mark(const Run& run, bool used) override;

  private:
    PagedRegion bitmap_;
};

}  // namespace plugfs::storage::exfat
