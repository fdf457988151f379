#include "drivers/storage/cluster/chains.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

Error broken(std::uint32_t first_cluster, const std::string& how) {
    return fail(EUCLEAN, "cluster chain", "the one that begins at " + std::to_string(first_cluster) + " " + how);
}

}  // namespace

Result<void> Chains::check_row(const Content& content) const {
    const std::uint32_t count = content.clusters.value_or(0);
    if (!table_.valid(content.first_cluster) || count > table_.last() - content.first_cluster + 1) {
        return broken(content.first_cluster, "has " + std::to_string(count) + " clusters, more than there are");
    }
    return {};
}

Result<std::optional<Run>> Chains::at(const Content& content, std::uint32_t index, std::uint32_t wanted) {
    if (content.first_cluster == 0 || (content.clusters && index >= *content.clusters)) {
        return std::optional<Run>();
    }
    if (content.contiguous) {
        PLUGFS_TRY(check_row(content));
        return std::optional(Run{content.first_cluster + index, *content.clusters - index});
    }
    PLUGFS_ASSIGN(Chain * found, chain(content.first_cluster));
    PLUGFS_TRY(follow(*found, index));
    if (index >= found->known_end()) {
        return std::optional<Run>();
    }
    if (wanted > 1) {
        // Where the chain breaks farther on is told to whoever comes to that.
        constexpr std::uint32_t most = piece_limit / 4;
        const std::uint32_t last = content.clusters.value_or(table_.cluster_count()) - 1;
        const std::uint32_t ahead = std::min({wanted - 1, most, last > index ? last - index : 0});
        (void)follow(*found, index + ahead);
    }
    const auto after = std::upper_bound(found->pieces.begin(), found->pieces.end(), index,
                                        [](std::uint32_t value, const Piece& piece) { return value < piece.index; });
    const Piece& piece = *(after - 1);
    const std::uint32_t skip = index - piece.index;
    std::uint32_t count = piece.run.count - skip;
    if (content.clusters) {
        count = std::min(count, *content.clusters - index);
    }
    return std::optional(Run{piece.run.first + skip, count});
}

Result<std::uint32_t> Chains::length(const Content& content) {
    if (content.first_cluster == 0) {
        return std::uint32_t{0};
    }
    if (content.contiguous) {
        PLUGFS_TRY(check_row(content));
        return *content.clusters;
    }
    PLUGFS_ASSIGN(Chain * found, chain(content.first_cluster));
    PLUGFS_TRY(follow(*found, content.clusters ? *content.clusters - 1 : table_.cluster_count()));
    const std::uint32_t length = found->known_end();
    if (content.clusters && length < *content.clusters) {
        return broken(content.first_cluster,
                      "ends after " + std::to_string(length) + " of " + std::to_string(*content.clusters));
    }
    return content.clusters.value_or(length);
}

Result<std::vector<Run>> Chains::runs(const Content& content, std::uint32_t from) {
    std::vector<Run> found;
    PLUGFS_ASSIGN(const std::uint32_t end, length(content));
    while (from < end) {
        PLUGFS_ASSIGN(auto run, at(content, from));
        if (!run) {
            return broken(content.first_cluster, "changed while it was read");
        }
        run->count = std::min(run->count, end - from);
        from += run->count;
        found.push_back(*run);
    }
    return found;
}

void Chains::appended(std::uint32_t first_cluster, std::uint32_t length, std::span<const Run> runs) {
    Chain* found = find(first_cluster);
    if (found != nullptr && found->known_end() == length) {
        for (const auto& run : runs) {
            add(*found, run);
        }
    } else {
        cut(first_cluster, 0);
    }
}

void Chains::cut(std::uint32_t first_cluster, std::uint32_t count) {
    Chain* found = find(first_cluster);
    if (found == nullptr) {
        return;
    }
    auto& pieces = found->pieces;
    while (!pieces.empty() && pieces.back().index >= count) {
        pieces.pop_back();
    }
    if (pieces.empty()) {
        known_.pop_front();  // find() has put it there
        return;
    }
    auto& last = pieces.back();
    if (last.index + last.run.count >= count) {
        last.run.count = count - last.index;
        found->whole = true;
    }
}

Chains::Chain* Chains::find(std::uint32_t first_cluster) {
    const auto found = std::find_if(known_.begin(), known_.end(),
                                    [&](const Chain& chain) { return chain.first_cluster == first_cluster; });
    if (found == known_.end()) {
        return nullptr;
    }
    known_.splice(known_.begin(), known_, found);
    return &known_.front();
}

Result<Chains::Chain*> Chains::chain(std::uint32_t first_cluster) {
    if (Chain* found = find(first_cluster); found != nullptr) {
        return found;
    }
    if (!table_.valid(first_cluster)) {
        return broken(first_cluster, "begins outside the volume");
    }
    if (known_.size() == chain_limit) {
        known_.pop_back();
    }
    known_.emplace_front();
    start(known_.front(), first_cluster);
    return &known_.front();
}

// Until cluster number `index` is known, or the end.
Result<void> Chains::follow(Chain& chain, std::uint32_t index) {
    if (index < chain.pieces.front().index) {  // dropped
        start(chain, chain.first_cluster);
    }
    while (!chain.whole && chain.known_end() <= index) {
        const auto& last = chain.pieces.back().run;
        PLUGFS_ASSIGN(const std::uint32_t next, table_.get(last.first + last.count - 1));
        if (next == ClusterTable::end) {
            chain.whole = true;
        } else if (!table_.valid(next)) {
            return broken(chain.first_cluster, "leads to " + std::to_string(next) + ", which is no cluster of a file");
        } else if (goes_in_circles(chain, next)) {
            return broken(chain.first_cluster, "has no end");
        } else {
            add(chain, {next, 1});
        }
    }
    return {};
}

void Chains::start(Chain& chain, std::uint32_t first_cluster) {
    chain = {};
    chain.first_cluster = first_cluster;
    chain.pieces = {{0, {first_cluster, 1}}};
    chain.landmark = first_cluster;
}

bool Chains::goes_in_circles(Chain& chain, std::uint32_t next) {
    if (next == chain.landmark) {
        return true;
    }
    if (++chain.steps == chain.stride) {
        chain.landmark = next;
        chain.steps = 0;
        chain.stride *= 2;
    }
    return false;
}

void Chains::add(Chain& chain, const Run& run) {
    auto& last = chain.pieces.back();
    if (last.run.first + last.run.count == run.first) {
        last.run.count += run.count;
        return;
    }
    const std::uint32_t index = chain.known_end();
    if (chain.pieces.size() == piece_limit) {  // what is behind is found again from the start
        chain.pieces.erase(chain.pieces.begin(), chain.pieces.begin() + piece_limit / 2);
    }
    chain.pieces.push_back({index, run});
}

}  // namespace plugfs::storage
