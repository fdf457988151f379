#include "drivers/storage/cluster/allocator.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

// How far a search goes for a row that is long enough before it takes what there is.
constexpr std::uint32_t row_search_limit = 1U << 18U;  // clusters
// How much of a volume one call of count_free() looks at.
constexpr std::uint32_t count_limit = 1U << 22U;  // clusters

}  // namespace

// Of a run that was found, what the search wants: not more than is missing, and no cluster of last resort in it.
void Allocator::add(Search& search, Run run) const {
    while (run.count > 0 && search.missing > 0) {
        const bool wanted = search.last_resort || !last_resort(run.first);
        if (wanted && !search.runs.empty() && search.runs.back().first + search.runs.back().count == run.first) {
            ++search.runs.back().count;
        } else if (wanted) {
            search.runs.push_back({run.first, 1});
        }
        search.missing -= wanted ? 1 : 0;
        ++run.first;
        --run.count;
    }
}

Result<void> Allocator::collect(Search& search, std::uint32_t from, std::uint32_t before) {
    while (search.missing > 0) {
        PLUGFS_ASSIGN(const auto run, next_free(from, before, search.missing));
        if (!run) {
            break;
        }
        add(search, *run);
        from = run->first + run->count;
    }
    return {};
}

Result<std::optional<Run>> Allocator::long_row(std::uint32_t count) {
    std::uint32_t from = cursor_;
    const std::uint32_t before = end() - from > row_search_limit ? from + row_search_limit : end();
    while (true) {
        PLUGFS_ASSIGN(const auto run, next_free(from, before, count));
        if (!run || run->count == count) {
            return run;
        }
        from = run->first + run->count;
    }
}

Result<std::vector<Run>> Allocator::find(std::uint32_t count, std::uint32_t tail) {
    const auto no_space = fail(ENOSPC, "clusters", std::to_string(count) + " are needed");
    if (free_count_ && *free_count_ < count) {
        return no_space;
    }
    Search search{{}, count, false};
    if (tail != 0 && tail + 1 < end()) {
        PLUGFS_ASSIGN(const auto run, next_free(tail + 1, tail + 2, 1));
        if (run) {
            PLUGFS_ASSIGN(const auto row, next_free(tail + 1, end(), count));
            add(search, *row);
        }
    }
    if (search.missing > 0) {
        PLUGFS_ASSIGN(const auto row, long_row(search.missing));
        const bool behind_tail = row && !search.runs.empty() &&
                                 row->first < search.runs.back().first + search.runs.back().count &&
                                 row->first + row->count > search.runs.front().first;
        if (row && row->count == search.missing && !behind_tail) {
            add(search, *row);
        }
    }
    if (search.missing > 0) {  // whatever there is, once around
        search = {{}, count, false};
        PLUGFS_TRY(collect(search, cursor_, end()));
        PLUGFS_TRY(collect(search, first_cluster_number, cursor_));
    }
    if (search.missing > 0) {
        search = {{}, count, true};
        PLUGFS_TRY(collect(search, first_cluster_number, end()));
    }
    return search.missing > 0 ? Result<std::vector<Run>>(no_space) : Result<std::vector<Run>>(std::move(search.runs));
}

Result<void> Allocator::take(std::span<const Run> runs) {
    for (const auto& run : runs) {
        PLUGFS_TRY(mark(run, true));
        if (free_count_) {
            *free_count_ -= std::min(*free_count_, run.count);
        }
        cursor_ = run.first + run.count < end() ? run.first + run.count : first_cluster_number;
    }
    counted_to_ = free_count_ ? counted_to_ : first_cluster_number;
    return {};
}

Result<void> Allocator::give_back(std::span<const Run> runs) {
    for (const auto& run : runs) {
        PLUGFS_TRY(mark(run, false));
        if (free_count_) {
            *free_count_ = std::min(cluster_count_, *free_count_ + run.count);
        }
    }
    counted_to_ = free_count_ ? counted_to_ : first_cluster_number;
    return {};
}

void Allocator::forget() {
    free_count_.reset();
    counted_to_ = first_cluster_number;
}

Result<std::uint32_t> Allocator::count_free() {
    if (free_count_) {
        return *free_count_;
    }
    if (counted_to_ == first_cluster_number) {
        counted_ = 0;
    }
    const std::uint32_t before = end() - counted_to_ > count_limit ? counted_to_ + count_limit : end();
    while (true) {
        PLUGFS_ASSIGN(const auto run, next_free(counted_to_, before, cluster_count_));
        if (!run) {
            break;
        }
        counted_ += run->count;
        counted_to_ = run->first + run->count;
    }
    counted_to_ = before;
    if (before == end()) {
        free_count_ = counted_;
    }
    return counted_;
}

}  // namespace plugfs::storage
