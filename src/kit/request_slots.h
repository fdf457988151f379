// RequestSlots: the journal of requests in the vault, from the worker's side.
//
// Every request that wants a reply stands in a slot from the moment the kernel hands it out until the kernel has the
// reply. What a worker that dies leaves there, its successor answers. (Layout and reasons: common/vault.h.)
//
// Used by the FUSE thread alone.
#pragma once

#include "common/vault.h"

#include <bitset>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

// Whether the kernel waits for a reply to requests of this kind; the others have no place in the journal.
[[nodiscard]] bool wants_reply(std::uint32_t opcode);

class RequestSlots {
  public:
    // `vault` must outlive this. Finds the slots that a predecessor left filled.
    explicit RequestSlots(const VaultMapping& vault);

    // A free large slot to read the next request into; its length word is zero. Empty when none is free: then no
    // request may be taken from the kernel until one has been answered.
    [[nodiscard]] std::span<std::byte> reading_slot();

    // A request of `length` bytes has arrived in `slot`, which reading_slot() gave. If it fits it moves to a small
    // slot, so that the large one is free again. Returns where it stands now. Requests without a reply are not for the
    // journal: see discard().
    std::span<std::byte> settle(std::span<std::byte> slot, std::size_t length);

    // A request without a reply (FORGET, INTERRUPT) in `slot` has been dealt with.
    static void discard(std::span<std::byte> slot);

    // The request `unique` has been answered: its slot is free.
    void answered(std::uint64_t unique);

    // The requests that a predecessor left unanswered, each once, oldest first by number.
    [[nodiscard]] std::vector<std::span<std::byte>> unanswered() const;

    // One of them; empty if it has been answered.
    [[nodiscard]] std::span<std::byte> find(std::uint64_t unique) const;
    // How many slots a predecessor left in a state that makes no sense.
    [[nodiscard]] std::size_t damaged() const { return damaged_; }
    // Forgets the requests that a predecessor left: the kernel is asked for them instead.
    void give_up_unanswered();

  private:
    struct Slot {
        std::span<std::byte> bytes;
        bool large = false;
    };
    [[nodiscard]] Slot slot(std::size_t index) const;
    void adopt(std::size_t index);

    const VaultMapping& vault_;
    std::size_t damaged_ = 0;
    std::vector<std::size_t> free_small_;
    std::vector<std::size_t> free_large_;
    std::bitset<large_slot_count> large_there_;                 // faulted in
    std::unordered_map<std::uint64_t, std::size_t> by_unique_;  // slot index: small ones first, then large ones
};

}  // namespace plugfs::kit
