// The vault: memory that the supervisor creates for each device (a memfd) and that outlives the device's workers.
//
// It holds what a successor needs to take a mount over: the kernel's FUSE_INIT and the reply that was given to it, and
// the journal of requests: a worker reads each request straight into a slot and clears the slot after its reply, so
// whatever is still filled when it dies was never answered.
//
//   offset 0        VaultHeader, one page
//   small slots     small_slot_count x small_slot_size: all requests but large writes
//   large slots     large_slot_count x large_slot_size: every read of /dev/fuse needs room for the largest write
//   node areas      2 x node_area_size: what the kernel knows of the tree, see kit/node_log.h; memory is taken as it
//                   is needed
//   operations      operation_count x operation_size: changes of names that are under way, see kit/operation_log.h
//
// A slot begins with the request's own fuse_in_header, whose first word is its length: 0 means free. The worker zeroes
// it before it reads, and the kernel copies a request whole or not at all, so the word alone tells whether there is a
// request.
//
// Both sides map it; the worker writes to it as it likes and may be hostile: whoever reads it back checks everything.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs {

inline constexpr std::uint64_t vault_magic = 0x37544c5641534750;  // "PGSAVLT7"
inline constexpr std::size_t vault_page_size = 4096;
inline constexpr std::size_t small_slot_size = 1024;
inline constexpr std::size_t small_slot_count = 256;
inline constexpr std::size_t large_slot_count = 4;
// The largest request: a write of 1 MiB behind its headers (libfuse and the kernel count one page for those).
inline constexpr std::size_t fuse_max_write = std::size_t{1} << 20U;
// How far the kernel may read ahead of a reader.
inline constexpr std::size_t read_ahead_limit = std::size_t{1} << 20U;
inline constexpr std::size_t large_slot_size = fuse_max_write + vault_page_size;

// Programs that wait in poll(2) for the device's events; more are told to look again at once.
inline constexpr std::size_t poll_handle_count = 64;

// FUSE_INIT and its reply are 104 and 88 bytes today; the kernel may let them grow.
inline constexpr std::size_t init_capacity = 512;

struct VaultHeader {
    std::uint64_t magic;
    std::uint32_t init_request_length;             // written by the supervisor before the first worker starts
    std::atomic<std::uint32_t> init_reply_length;  // 0 until the first worker has answered; then it never changes
    std::array<std::byte, init_capacity> init_request;
    std::array<std::byte, init_capacity> init_reply;
    std::atomic<std::uint64_t> heartbeat;  // counts up while the worker's FUSE thread turns
    // Counts up with each request that it takes from the kernel.
    std::atomic<std::uint64_t> requests_taken;
    // Counts up while the device thread lives: between two calls of the driver, and while a call waits for the device.
    std::atomic<std::uint64_t> device_heartbeat;
    // 1: the device thread starts the driver, or runs one of its calls.
    std::atomic<std::uint32_t> device_busy;
    // The request of a predecessor that is being tried alone at the moment (its `unique`); 0: none.
    std::atomic<std::uint64_t> request_on_trial;
    // 1 from when the present worker's driver has started: from then on it may have tried what is pending.
    std::atomic<std::uint32_t> driver_started;
    // 1: the worker is telling the kernel of a change, and may wait there for a lock that a pending request holds.
    std::atomic<std::uint32_t> notifying;
    std::atomic<std::uint32_t> writable;   // 1: a driver has said that the device can be written to
    std::atomic<std::uint32_t> node_area;  // which of the two counts, 0 or 1
    std::atomic<std::uint32_t> node_area_overflowed;
    std::array<std::atomic<std::uint64_t>, 2> node_area_used;  // bytes
    // Whom a worker has promised to wake (fuse_poll_in.kh); 0: free. A successor wakes them all: they ask again.
    std::array<std::atomic<std::uint64_t>, poll_handle_count> poll_handles;
};
static_assert(sizeof(VaultHeader) <= vault_page_size);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);

inline constexpr std::size_t small_slots_offset = vault_page_size;
inline constexpr std::size_t large_slots_offset = small_slots_offset + (small_slot_count * small_slot_size);
inline constexpr std::size_t node_areas_offset = large_slots_offset + (large_slot_count * large_slot_size);
// About 300,000 entries that the kernel knows at the same time.
inline constexpr std::size_t node_area_size = std::size_t{32} << 20U;
inline constexpr std::size_t operations_offset = node_areas_offset + (2 * node_area_size);
// Changes of names under way at the same time; more wait. A record has room for two long paths.
inline constexpr std::size_t operation_count = 32;
inline constexpr std::size_t operation_size = std::size_t{16} << 10U;
inline constexpr std::size_t vault_size = operations_offset + (operation_count * operation_size);

// A mapping of the vault; unmapped when destroyed.
class VaultMapping {
  public:
    // A new, empty vault with the supervisor's mapping of it. `fd` receives the descriptor to hand to workers.
    static Result<VaultMapping> create(UniqueFd& fd);
    // Maps an existing one. A SIGKILL while the kernel copies to a page that is not there would lose the request: the
    // small slots are faulted in, and what has been stays, locked, where the limit on locked memory allows; `locked`
    // says whether it does. The large ones are fault_in()'s, see there.
    static Result<VaultMapping> open(int fd, bool& locked);
    // Before the kernel is given a large slot for the first time: each is 1 MiB of memory, and most devices need one.
    static void fault_in(std::span<std::byte> slots);

    VaultMapping(VaultMapping&& other) noexcept;
    VaultMapping& operator=(VaultMapping&& other) noexcept;
    VaultMapping(const VaultMapping&) = delete;
    VaultMapping& operator=(const VaultMapping&) = delete;
    ~VaultMapping();

    [[nodiscard]] VaultHeader& header() const { return *reinterpret_cast<VaultHeader*>(base_); }
    [[nodiscard]] std::span<std::byte> small_slot(std::size_t index) const {
        return {base_ + small_slots_offset + (index * small_slot_size), small_slot_size};
    }
    [[nodiscard]] std::span<std::byte> large_slot(std::size_t index) const {
        return {base_ + large_slots_offset + (index * large_slot_size), large_slot_size};
    }

    [[nodiscard]] std::span<std::byte> node_area(std::size_t index) const {
        return {base_ + node_areas_offset + (index * node_area_size), node_area_size};
    }

    [[nodiscard]] std::span<std::byte> operation(std::size_t index) const {
        return {base_ + operations_offset + (index * operation_size), operation_size};
    }

  private:
    explicit VaultMapping(std::byte* base) : base_(base) {}
    std::byte* base_ = nullptr;
};

}  // namespace plugfs
