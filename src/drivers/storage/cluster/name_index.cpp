#include "drivers/storage/cluster/name_index.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::uint64_t slot_mask = 0xffffff;
constexpr std::uint64_t removed = slot_mask;  // in the place of a slot + 1

std::uint64_t packed(std::uint64_t hash, std::uint32_t slot) {
    return (hash & ~slot_mask) | (slot + 1);
}

std::size_t place(std::uint64_t hash, std::size_t size) {
    return static_cast<std::size_t>((hash >> 24U) * 0x9e3779b97f4a7c15U >> 20U) & (size - 1);
}

}  // namespace

NameIndex::NameIndex(std::uint32_t slots, std::uint32_t slots_per_unit) : table_(64), slots_per_unit_(slots_per_unit) {
    grow(slots);
}

void NameIndex::make_room() {
    if ((filled_ + 1) * 4 < table_.size() * 3) {
        return;
    }
    const auto old = std::move(table_);
    table_.assign(std::max<std::size_t>(64, count_ * 4 > old.size() * 2 ? old.size() * 2 : old.size()), 0);
    count_ = 0;
    filled_ = 0;
    for (const std::uint64_t item : old) {
        if ((item & slot_mask) != 0 && (item & slot_mask) != removed) {
            add_name(item & ~slot_mask, static_cast<std::uint32_t>((item & slot_mask) - 1));
        }
    }
}

void NameIndex::add_name(std::uint64_t hash, std::uint32_t slot) {
    make_room();
    std::size_t at = place(hash, table_.size());
    while ((table_[at] & slot_mask) != 0) {
        at = (at + 1) & (table_.size() - 1);
    }
    table_[at] = packed(hash, slot);
    ++count_;
    ++filled_;
}

void NameIndex::remove_name(std::uint64_t hash, std::uint32_t slot) {
    for (std::size_t at = place(hash, table_.size()); (table_[at] & slot_mask) != 0;
         at = (at + 1) & (table_.size() - 1)) {
        if (table_[at] == packed(hash, slot)) {
            table_[at] = removed;
            --count_;
            return;
        }
    }
}

bool NameIndex::find_name(std::uint64_t hash, const std::function<bool(std::uint32_t slot)>& stop) const {
    for (std::size_t at = place(hash, table_.size()); (table_[at] & slot_mask) != 0;
         at = (at + 1) & (table_.size() - 1)) {
        const std::uint64_t slot = table_[at] & slot_mask;
        if (slot != removed && (table_[at] & ~slot_mask) == (hash & ~slot_mask) &&
            stop(static_cast<std::uint32_t>(slot - 1))) {
            return true;
        }
    }
    return false;
}

void NameIndex::grow(std::uint32_t slots) {
    lower_hints(slots_);
    slots_ = slots;
    used_.resize((slots + 63) / 64);
}

// Slots from `slot` on may have become free; a row that they are part of begins at most set_limit before.
void NameIndex::lower_hints(std::uint32_t slot) {
    const std::uint32_t from = slot < set_limit ? 0 : slot - set_limit;
    for (std::size_t i = 0; i <= set_limit; ++i) {
        whole_hint_[i] = std::min(whole_hint_[i], from);
        split_hint_[i] = std::min(split_hint_[i], from);
    }
}

void NameIndex::mark(std::uint32_t first, std::uint32_t count, bool used) {
    for (std::uint32_t slot = first; slot < first + count; ++slot) {
        const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
        used_[slot / 64] = used ? used_[slot / 64] | bit : used_[slot / 64] & ~bit;
    }
    if (!used) {
        lower_hints(first);
    }
}

// The first free row at or after `from`. `least_in_first` 0: within one unit.
std::optional<std::uint32_t> NameIndex::search(std::uint32_t from, std::uint32_t count,
                                               std::uint32_t least_in_first) const {
    std::uint32_t row = 0;
    for (std::uint32_t slot = from; slot < slots_; ++slot) {
        if (used(slot)) {
            row = 0;
            continue;
        }
        if (row == 0) {
            const std::uint32_t left = slots_per_unit_ - slot % slots_per_unit_;
            if (left < count && (least_in_first == 0 || left < least_in_first)) {
                continue;
            }
        }
        if (++row == count) {
            return slot - count + 1;
        }
    }
    return std::nullopt;
}

std::optional<std::uint32_t> NameIndex::find_free(std::uint32_t count, std::uint32_t least_in_first) {
    if (count <= slots_per_unit_) {
        const auto whole = search(whole_hint_[count], count, 0);
        whole_hint_[count] = whole.value_or(slots_);
        if (whole) {
            return whole;
        }
    }
    const auto split = search(split_hint_[count], count, least_in_first);
    split_hint_[count] = split.value_or(slots_);
    return split;
}

std::optional<std::uint32_t> NameIndex::find_free_beside(std::uint32_t slot, std::uint32_t count) const {
    const std::uint32_t begin = slot - slot % slots_per_unit_;
    std::uint32_t row = 0;
    for (std::uint32_t at = begin; at < std::min(begin + slots_per_unit_, slots_); ++at) {
        row = used(at) ? 0 : row + 1;
        if (row == count) {
            return at - count + 1;
        }
    }
    return std::nullopt;
}

}  // namespace plugfs::storage
