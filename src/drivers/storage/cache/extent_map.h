// ExtentMap: which bytes count for which blocks, where several writes overlap: the newest.
//
// The bytes belong to somebody else (the dirty log) and must stay where they are as long as they are in the map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

namespace plugfs::storage {

class ExtentMap {
  public:
    struct Extent {
        std::uint64_t block = 0;
        std::uint64_t count = 0;           // blocks
        const std::byte* bytes = nullptr;  // count * block size; null: the content does not matter any more
        std::uint64_t sequence = 0;        // of the write that it comes from
    };

    explicit ExtentMap(std::uint32_t block_size) : block_size_(block_size) {}

    // Takes in a write that is newer than all that is there.
    void put(const Extent& extent);
    // Takes out what is left of the write `sequence` within these blocks.
    void remove(std::uint64_t block, std::uint64_t count, std::uint64_t sequence);
    // The parts of extents within these blocks, in order. `give` must not change the map.
    void each(std::uint64_t block, std::uint64_t count, const std::function<void(const Extent&)>& give) const;
    [[nodiscard]] bool empty() const { return extents_.empty(); }
    void clear() { extents_.clear(); }

  private:
    using Map = std::map<std::uint64_t, Extent>;  // by their first block; they do not overlap
    // The first extent that ends behind `block`.
    [[nodiscard]] Map::const_iterator first_behind(std::uint64_t block) const;
    // Cuts in two what lies across `block`, so that an extent begins there, or none reaches over it.
    void cut(std::uint64_t block);
    [[nodiscard]] Extent part(const Extent& extent, std::uint64_t from, std::uint64_t to) const;

    std::uint32_t block_size_;
    Map extents_;
};

}  // namespace plugfs::storage
