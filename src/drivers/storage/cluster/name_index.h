// NameIndex: what is needed to make entries in a folder without reading all of it each time: which names are taken, and
// which slots (directory entries of 32 bytes) are free.
//
// Names are here as hashes with the slot of their entry; who finds one looks at the entry itself. Eight to sixteen
// bytes for each name, one bit for each slot.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace plugfs::storage {

class NameIndex {
  public:
    static constexpr std::uint32_t slot_limit = 1U << 23U;  // exFAT: a folder has at most 256 MiB
    static constexpr std::uint32_t set_limit = 32;          // slots of one entry

    // `slots` there are, all free; `slots_per_unit` of them reach the medium together.
    NameIndex(std::uint32_t slots, std::uint32_t slots_per_unit);

    void add_name(std::uint64_t hash, std::uint32_t slot);
    void remove_name(std::uint64_t hash, std::uint32_t slot);
    // The slots of names with this hash, until `stop` returns true. Returns whether it did.
    bool find_name(std::uint64_t hash, const std::function<bool(std::uint32_t slot)>& stop) const;
    [[nodiscard]] std::size_t names() const { return count_; }

    [[nodiscard]] std::uint32_t slots() const { return slots_; }
    void grow(std::uint32_t slots);
    void mark(std::uint32_t first, std::uint32_t count, bool used);
    // Where the folder ends: the first slot that has never been used; those behind it are not looked at by anybody.
    [[nodiscard]] std::uint32_t end() const { return end_; }
    void set_end(std::uint32_t slot) { end_ = slot; }
    // `count` (up to set_limit) free slots in a row, if they can be within one unit. Otherwise across units; then not
    // with only `least_in_first` - 1 or fewer of them in the first.
    [[nodiscard]] std::optional<std::uint32_t> find_free(std::uint32_t count, std::uint32_t least_in_first);
    // The same within the unit that holds `slot` only.
    [[nodiscard]] std::optional<std::uint32_t> find_free_beside(std::uint32_t slot, std::uint32_t count) const;

  private:
    [[nodiscard]] bool used(std::uint32_t slot) const { return ((used_[slot / 64] >> (slot % 64)) & 1U) != 0; }
    [[nodiscard]] std::optional<std::uint32_t> search(std::uint32_t from, std::uint32_t count,
                                                      std::uint32_t least_in_first) const;
    void make_room();
    void lower_hints(std::uint32_t slot);

    // Open addressing: hash in the upper bits, slot + 1 in the lower 24; 0 is empty.
    std::vector<std::uint64_t> table_;
    std::size_t count_ = 0;
    std::size_t filled_ = 0;  // with removed ones
    std::vector<std::uint64_t> used_;
    std::uint32_t slots_ = 0;
    std::uint32_t slots_per_unit_;
    std::uint32_t end_ = 0;
    // No free row of that many is before: within a unit, and across.
    std::array<std::uint32_t, set_limit + 1> whole_hint_{};
    std::array<std::uint32_t, set_limit + 1> split_hint_{};
};

}  // namespace plugfs::storage
