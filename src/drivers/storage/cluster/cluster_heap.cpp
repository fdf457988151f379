#include "drivers/storage/cluster/cluster_heap.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::size_t zero_piece = std::size_t{256} << 10U;
// Of which it is known beforehand whether they lie in a row, in bytes.
constexpr std::uint64_t most_at_once = std::uint64_t{16} << 20U;

Result<void> write_zeroes(BlockDevice& device, std::uint64_t offset, std::uint64_t length, BlockDevice::Use use) {
    const std::vector<std::byte> zeroes(std::min<std::uint64_t>(length, zero_piece));
    while (length > 0) {
        const auto count = std::min<std::uint64_t>(length, zeroes.size());
        PLUGFS_TRY(device.write(offset, std::span(zeroes).first(count), use));
        offset += count;
        length -= count;
    }
    return {};
}

}  // namespace

Result<std::optional<ClusterHeap::Place>> ClusterHeap::locate(const Content& content, std::uint64_t offset,
                                                              std::uint64_t length) {
    const std::uint64_t index = offset / layout_.cluster_size;
    if (index >= table_.cluster_count()) {
        return std::optional<Place>();
    }
    const std::uint64_t last = (offset + std::min(length, most_at_once) - 1) / layout_.cluster_size;
    PLUGFS_ASSIGN(auto run,
                  chains_.at(content, static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(last - index) + 1));
    if (!run) {
        return std::optional<Place>();
    }
    const std::uint64_t within = offset % layout_.cluster_size;
    return std::optional(
        Place{offset_of(run->first) + within, std::uint64_t{run->count} * layout_.cluster_size - within});
}

Result<ClusterHeap::Place> ClusterHeap::place(const Content& content, std::uint64_t offset, std::uint64_t length) {
    PLUGFS_ASSIGN(const auto found, locate(content, offset, length));
    if (!found) {
        return fail(EUCLEAN, "cluster chain",
                    "the one that begins at " + std::to_string(content.first_cluster) + " ends before byte " +
                        std::to_string(offset));
    }
    return *found;
}

Result<void> ClusterHeap::read(const Content& content, std::uint64_t offset, std::span<std::byte> out,
                               BlockDevice::Use use) {
    while (!out.empty()) {
        PLUGFS_ASSIGN(const auto at, place(content, offset, out.size()));
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), at.length));
        PLUGFS_TRY(device_.read(at.offset, out.first(count), use));
        out = out.subspan(count);
        offset += count;
    }
    return {};
}

Result<void> ClusterHeap::write(const Content& content, std::uint64_t offset, std::span<const std::byte> bytes,
                                BlockDevice::Use use) {
    while (!bytes.empty()) {
        PLUGFS_ASSIGN(const auto at, place(content, offset, bytes.size()));
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), at.length));
        PLUGFS_TRY(device_.write(at.offset, bytes.first(count), use));
        bytes = bytes.subspan(count);
        offset += count;
    }
    return {};
}

Result<void> ClusterHeap::zero(const Content& content, std::uint64_t from, std::uint64_t to, BlockDevice::Use use) {
    while (from < to) {
        PLUGFS_ASSIGN(const auto at, place(content, from, to - from));
        const std::uint64_t count = std::min(to - from, at.length);
        PLUGFS_TRY(write_zeroes(device_, at.offset, count, use));
        from += count;
    }
    return {};
}

Result<void> ClusterHeap::zero_clusters(std::span<const Run> runs) {
    for (const auto& run : runs) {
        PLUGFS_TRY(write_zeroes(device_, offset_of(run.first), std::uint64_t{run.count} * layout_.cluster_size,
                                BlockDevice::Use::metadata));
    }
    device_.order();
    return {};
}

Result<Content> ClusterHeap::extend(const Content& content, std::uint32_t count, bool zeroed) {
    PLUGFS_ASSIGN(const std::uint32_t have, chains_.length(content));
    std::uint32_t tail = 0;
    if (have > 0) {
        PLUGFS_ASSIGN(const auto last, chains_.at(content, have - 1));
        if (!last) {
            return fail(EUCLEAN, "cluster chain", "it has lost its last cluster");
        }
        tail = last->first;
    }
    PLUGFS_ASSIGN(const auto runs, allocator_->find(count, tail));
    if (zeroed) {
        PLUGFS_TRY(zero_clusters(runs));
    }
    PLUGFS_TRY(allocator_->take(runs));
    Content grown = content;
    if (have == 0) {
        grown.first_cluster = runs.front().first;
    }
    if (layout_.contiguous_files && (content.clusters || have == 0)) {
        grown.clusters = have + count;
    }
    const bool row = runs.size() == 1 && (have == 0 || (content.contiguous && runs.front().first == tail + 1));
    grown.contiguous = layout_.contiguous_files && row && grown.clusters.has_value();
    if (!grown.contiguous) {
        PLUGFS_TRY(append_chain(content, {have, tail}, runs));
    }
    PLUGFS_TRY(allocator_->write_out());
    PLUGFS_TRY(table_.write_out());
    return grown;
}

// The new clusters are a chain before the old one leads to them.
Result<void> ClusterHeap::append_chain(const Content& content, const End& end, std::span<const Run> runs) {
    const std::uint32_t tail = end.cluster;
    if (content.contiguous) {  // nobody looks at the table before the directory entry says so
        PLUGFS_TRY(table_.link({content.first_cluster, *content.clusters}, runs.front().first));
    }
    bool together = true;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        PLUGFS_TRY(table_.link(runs[i], i + 1 < runs.size() ? runs[i + 1].first : ClusterTable::end));
        together = together && table_.together(tail, runs[i].first) &&
                   table_.together(tail, runs[i].first + runs[i].count - 1);
    }
    if (tail != 0 && !content.contiguous) {
        if (!together) {
            PLUGFS_TRY(allocator_->write_out());
            PLUGFS_TRY(table_.write_out());
        }
        PLUGFS_TRY(table_.set(tail, runs.front().first));
        if (!together) {
            PLUGFS_TRY(table_.write_out(BlockDevice::Rank::link));
        }
        chains_.appended(content.first_cluster, end.length, runs);
    } else {
        chains_.cut(runs.front().first, 0);
        chains_.cut(content.first_cluster, 0);
    }
    return {};
}

Result<void> ClusterHeap::cut(const Content& content, std::uint32_t keep, std::span<const Run> runs) {
    if (runs.empty()) {
        return {};
    }
    chains_.cut(content.first_cluster, 0);
    if (keep > 0 && !content.contiguous) {
        PLUGFS_ASSIGN(const auto last, chains_.at(content, keep - 1));
        if (!last) {
            return fail(EUCLEAN, "cluster chain", "it is shorter than it was");
        }
        PLUGFS_TRY(table_.set(last->first, ClusterTable::end));
        PLUGFS_TRY(table_.write_out());
        device_.order();
        chains_.cut(content.first_cluster, 0);
    }
    PLUGFS_TRY(allocator_->give_back(runs));
    PLUGFS_TRY(allocator_->write_out());
    PLUGFS_TRY(table_.write_out());
    for (const auto& run : runs) {  // nobody refers to them since the last barrier
        device_.discard(offset_of(run.first), std::uint64_t{run.count} * layout_.cluster_size);
    }
    return {};
}

void ClusterHeap::forget() {
    chains_.forget();
    table_.forget();
    allocator_->forget();
}

}  // namespace plugfs::storage
