// Chains: which clusters a file or folder has, in their order. Chains are followed as far as they are asked for, and
// the runs found are kept for those used last, within a bound. exFAT specification 7.6.2.2 (NoFatChain).
#pragma once

#include "drivers/storage/cluster/cluster_table.h"

#include <list>

namespace plugfs::storage {

// Where the bytes of a file or folder lie.
struct Content {
    std::uint32_t first_cluster = 0;  // 0: it has none
    bool contiguous = false;          // the clusters lie in a row, and the table says nothing of them (exFAT)
    // How many they are; absent: as many as the chain has (not when contiguous).
    std::optional<std::uint32_t> clusters = std::nullopt;
};

class Chains {
  public:
    explicit Chains(ClusterTable& table) : table_(table) {}

    // Cluster number `index` of the content, and how many follow it in a row (itself counted); nothing: the content
    // has no so many. `wanted`: how many are of use; what follows is looked up as far as that. EUCLEAN: the chain leads
    // outside the heap, to a free or bad cluster, or has no end.
    [[nodiscard]] Result<std::optional<Run>> at(const Content& content, std::uint32_t index, std::uint32_t wanted = 1);
    // How many clusters it has.
    [[nodiscard]] Result<std::uint32_t> length(const Content& content);
    // All from cluster number `from` on.
    [[nodiscard]] Result<std::vector<Run>> runs(const Content& content, std::uint32_t from);

    // The chain that begins at `first_cluster` and had `length` clusters has been made longer in the table, or cut to
    // its first `count`.
    void appended(std::uint32_t first_cluster, std::uint32_t length, std::span<const Run> runs);
    void cut(std::uint32_t first_cluster, std::uint32_t count);
    void forget() { known_.clear(); }

  private:
    struct Piece {
        std::uint32_t index = 0;  // of its first cluster in the chain
        Run run;
    };
    struct Chain {
        std::uint32_t first_cluster = 0;
        std::vector<Piece> pieces;  // in their order; the first may have been dropped
        bool whole = false;         // up to the end of the chain
        // To see circles (Brent): a cluster met earlier; it is replaced after 1, 2, 4, ... steps.
        std::uint32_t landmark = 0;
        std::uint32_t steps = 0;
        std::uint32_t stride = 1;
        [[nodiscard]] std::uint32_t known_end() const { return pieces.back().index + pieces.back().run.count; }
    };
    static constexpr std::size_t chain_limit = 64;
    static constexpr std::size_t piece_limit = 1U << 16U;  // of one chain

    [[nodiscard]] Result<Chain*> chain(std::uint32_t first_cluster);
    [[nodiscard]] Chain* find(std::uint32_t first_cluster);
    [[nodiscard]] Result<void> follow(Chain& chain, std::uint32_t index);
    static void start(Chain& chain, std::uint32_t first_cluster);
    [[nodiscard]] static bool goes_in_circles(Chain& chain, std::uint32_t next);
    static void add(Chain& chain, const Run& run);
    [[nodiscard]] Result<void> check_row(const Content& content) const;

    ClusterTable& table_;
    std::list<Chain> known_;  // the last used first
};

}  // namespace plugfs::storage
