#include "kit/request_slots.h"

#include <linux/fuse.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace plugfs::kit {

namespace {

std::atomic_ref<std::uint32_t> length_word(std::span<std::byte> slot) {
    return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(slot.data()));
}

fuse_in_header header_of(std::span<const std::byte> slot) {
    fuse_in_header header{};
    std::memcpy(&header, slot.data(), sizeof header);
    return header;
}

}  // namespace

bool wants_reply(std::uint32_t opcode) {
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
           opcode != FUSE_NOTIFY_REPLY;
}

RequestSlots::RequestSlots(const VaultMapping& vault) : vault_(vault) {
    // Free lists are stacks: the slot used last is used next, while it is in the processor's cache.
    for (std::size_t index = small_slot_count + large_slot_count; index-- > 0;) {
        adopt(index);
    }
}

RequestSlots::Slot RequestSlots::slot(std::size_t index) const {
    return index < small_slot_count ? Slot{vault_.small_slot(index), false}
                                    : Slot{vault_.large_slot(index - small_slot_count), true};
}

void RequestSlots::adopt(std::size_t index) {
    const auto [bytes, large] = slot(index);
    const std::uint32_t length = length_word(bytes).load(std::memory_order_acquire);
    const auto header = header_of(bytes);
    const bool valid = length >= sizeof(fuse_in_header) && length <= bytes.size() &&
                       (header.unique != 0 || !wants_reply(header.opcode));
    if (valid && wants_reply(header.opcode) && by_unique_.try_emplace(header.unique, index).second) {
        return;
    }
    damaged_ += length != 0 && !valid ? 1 : 0;
    // Free, nonsense, the second copy of a request that was being moved, or one without a reply, which may be lost.
    discard(bytes);
    (large ? free_large_ : free_small_).push_back(index);
}

std::span<std::byte> RequestSlots::reading_slot() {
    if (free_large_.empty()) {
        return {};
    }
    const std::size_t index = free_large_.back();
    const auto bytes = slot(index).bytes;
    if (const std::size_t large = index - small_slot_count; !large_there_.test(large)) {
        VaultMapping::fault_in(bytes);
        large_there_.set(large);
    }
    return bytes;
}

std::span<std::byte> RequestSlots::settle(std::span<std::byte> from, std::size_t length) {
    const auto header = header_of(from);
    if (length > small_slot_size || free_small_.empty()) {
        by_unique_[header.unique] = free_large_.back();
        free_large_.pop_back();
        return from;
    }
    const std::size_t index = free_small_.back();
    free_small_.pop_back();
    const auto to = slot(index).bytes;
    constexpr std::size_t word = sizeof(std::uint32_t);
    std::memcpy(to.data() + word, from.data() + word, length - word);
    // The length makes the copy count; only then may the original go.
    length_word(to).store(header.len, std::memory_order_release);
    discard(from);
    by_unique_[header.unique] = index;
    return to;
}

void RequestSlots::discard(std::span<std::byte> slot) {
    length_word(slot).store(0, std::memory_order_release);
}

void RequestSlots::answered(std::uint64_t unique) {
    const auto found = by_unique_.find(unique);
    if (found == by_unique_.end()) {
        return;
    }
    const auto [bytes, large] = slot(found->second);
    discard(bytes);
    (large ? free_large_ : free_small_).push_back(found->second);
    by_unique_.erase(found);
}

std::span<std::byte> RequestSlots::find(std::uint64_t unique) const {
    const auto found = by_unique_.find(unique);
    return found == by_unique_.end() ? std::span<std::byte>() : slot(found->second).bytes;
}

void RequestSlots::give_up_unanswered() {
    while (!by_unique_.empty()) {
        answered(by_unique_.begin()->first);
    }
}

std::vector<std::span<std::byte>> RequestSlots::unanswered() const {
    std::vector<std::pair<std::uint64_t, std::size_t>> order(by_unique_.begin(), by_unique_.end());
    std::sort(order.begin(), order.end());
    std::vector<std::span<std::byte>> requests;
    requests.reserve(order.size());
    for (const auto& [unique, index] : order) {
        requests.push_back(slot(index).bytes);
    }
    return requests;
}

}  // namespace plugfs::kit
