// ClusterHeap: files and folders as strings of bytes on clusters: read, written, made longer and cut.
//
// What changes goes to the device in an order in which a pulled cable costs clusters at worst: a cluster belongs to
// nobody before it is complete, and nobody refers to it when it is free again. The caller writes the directory entry,
// behind a barrier (BlockDevice::order()): after extend(), and before cut().
#pragma once

#include "drivers/storage/cluster/allocator.h"
#include "drivers/storage/cluster/chains.h"

#include <memory>

namespace plugfs::storage {

struct HeapLayout {
    std::uint64_t offset = 0;        // of the first cluster on the device, bytes
    std::uint32_t cluster_size = 0;  // bytes, a power of two
    bool contiguous_files = false;   // whether a file can do without a chain (exFAT)
};

class ClusterHeap {
  public:
    // The allocator's clusters are the table's; it may use the table that it finds here.
    ClusterHeap(BlockDevice& device, const HeapLayout& layout, ClusterTable table)
        : device_(device), layout_(layout), table_(std::move(table)), chains_(table_) {}
    ~ClusterHeap() = default;
    ClusterHeap(const ClusterHeap&) = delete;
    ClusterHeap& operator=(const ClusterHeap&) = delete;

    [[nodiscard]] const HeapLayout& layout() const { return layout_; }
    [[nodiscard]] ClusterTable& table() { return table_; }
    [[nodiscard]] Chains& chains() { return chains_; }
    [[nodiscard]] Allocator& allocator() { return *allocator_; }
    void set_allocator(std::unique_ptr<Allocator> allocator) { allocator_ = std::move(allocator); }
    [[nodiscard]] std::uint32_t clusters_for(std::uint64_t bytes) const {
        return static_cast<std::uint32_t>((bytes + layout_.cluster_size - 1) / layout_.cluster_size);
    }

    // Where a byte of the content lies on the device, and how many follow in a row, of `length` that are of use.
    // Nothing: past its clusters.
    struct Place {
        std::uint64_t offset = 0;
        std::uint64_t length = 0;
    };
    [[nodiscard]] Result<std::optional<Place>> locate(const Content& content, std::uint64_t offset,
                                                      std::uint64_t length = 1);

    // EUCLEAN: the content has fewer clusters than that.
    [[nodiscard]] Result<void> read(const Content& content, std::uint64_t offset, std::span<std::byte> out,
                                    BlockDevice::Use use);
    [[nodiscard]] Result<void> write(const Content& content, std::uint64_t offset, std::span<const std::byte> bytes,
                                     BlockDevice::Use use);
    [[nodiscard]] Result<void> zero(const Content& content, std::uint64_t from, std::uint64_t to, BlockDevice::Use use);

    // Gives the content `count` more clusters. `zeroed`: they hold zeroes before the content can be seen to have them.
    [[nodiscard]] Result<Content> extend(const Content& content, std::uint32_t count, bool zeroed);
    // Takes away all but the first `keep` clusters: `runs` are the others, as Chains::runs() gives them.
    [[nodiscard]] Result<void> cut(const Content& content, std::uint32_t keep, std::span<const Run> runs);
    // Forgets what may differ from the device after an operation that has failed.
    void forget();

  private:
    struct End {
        std::uint32_t length = 0;   // clusters
        std::uint32_t cluster = 0;  // the last one; 0: there is none
    };

    [[nodiscard]] Result<void> zero_clusters(std::span<const Run> runs);
    [[nodiscard]] Result<void> append_chain(const Content& content, const End& end, std::span<const Run> runs);
    [[nodiscard]] std::uint64_t offset_of(std::uint32_t cluster) const {
        return layout_.offset + std::uint64_t{cluster - first_cluster_number} * layout_.cluster_size;
    }
    [[nodiscard]] Result<Place> place(const Content& content, std::uint64_t offset, std::uint64_t length);

    BlockDevice& device_;
    HeapLayout layout_;
    ClusterTable table_;
    Chains chains_;
    std::unique_ptr<Allocator> allocator_;
};

}  // namespace plugfs::storage
