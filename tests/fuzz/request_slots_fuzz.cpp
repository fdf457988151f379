// The journal of requests in the vault, as the supervisor (after a crash) and a successor read it: its writer may have
// been damaged, or hostile. The input is pairs of a slot's number and the first bytes of what stands in it.

#include "kit/request_slots.h"
#include "supervisor/pending_requests.h"

#include <linux/fuse.h>

#include <fcntl.h>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

constexpr std::size_t piece = 40;  // a fuse_in_header
constexpr std::size_t slots = small_slot_count + large_slot_count;

std::span<std::byte> slot(const VaultMapping& vault, std::size_t index) {
    return index < small_slot_count ? vault.small_slot(index) : vault.large_slot(index - small_slot_count);
}

void read_as_successor(const VaultMapping& vault) {
    RequestSlots journal(vault);
    std::set<std::uint64_t> seen;
    for (const auto request : journal.unanswered()) {
        fuse_in_header header{};
        std::memcpy(&header, request.data(), sizeof header);
        // Each once, whole, and within its slot.
        if (header.len < sizeof header || header.len > request.size() || !seen.insert(header.unique).second) {
            std::abort();
        }
        if (journal.find(header.unique).data() != request.data()) {
            std::abort();
        }
    }
    for (const std::uint64_t unique : seen) {
        journal.answered(unique);
    }
    if (!journal.unanswered().empty()) {
        std::abort();
    }
    journal.give_up_unanswered();
    (void)journal.reading_slot();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static UniqueFd fd;
    static const UniqueFd kernel(::open("/dev/null", O_RDWR | O_CLOEXEC));
    static const VaultMapping vault = [] {
        auto made = VaultMapping::create(fd);
        if (!made) {
            std::abort();
        }
        return std::move(*made);
    }();
    std::set<std::size_t> used;
    for (std::size_t at = 0; at + 2 + piece <= size; at += 2 + piece) {
        const std::size_t index = (data[at] + (std::size_t{data[at + 1]} << 8U)) % slots;
        std::memcpy(slot(vault, index).data(), data + at + 2, piece);
        used.insert(index);
    }
    vault.header().request_on_trial = size > 8 ? data[size - 1] : 0;
    PendingRequests pending(kernel.get(), vault);
    if (pending.list().size() > slots) {
        std::abort();
    }
    // After three crashes nothing is left of what was there, unless one is on trial.
    const bool left = pending.after_crash() && pending.after_crash() && pending.after_crash();
    if (left && vault.header().request_on_trial == 0) {
        std::abort();
    }
    read_as_successor(vault);
    for (const std::size_t index : used) {
        std::memset(slot(vault, index).data(), 0, piece);
    }
    return 0;
}
