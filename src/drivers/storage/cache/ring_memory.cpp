#include "drivers/storage/cache/ring_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>

namespace plugfs::storage {

namespace {

constexpr std::size_t page_size = 4096;
constexpr std::size_t long_piece = std::size_t{64} << 10U;

// Of whole pages within the bytes; that it fails, as on old kernels, does not matter.
void advise(std::span<std::byte> bytes, int advice) {
    const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page_size - 1) / page_size * page_size;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page_size * page_size;
    if (begin < end) {
        (void)::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
    }
}

}  // namespace

void RingMemory::prepare(std::size_t offset, std::size_t length) {
    const std::size_t end = offset + length;
    held_ = std::max(held_, end);
    if (end > prepared_ && length >= long_piece) {
        advise(ring_.subspan(offset, length), MADV_POPULATE_WRITE);
    }
    prepared_ = std::max(prepared_, end);
}

void RingMemory::give_back(std::size_t kept) {
    if (held_ <= kept) {
        return;
    }
    advise(ring_.subspan(kept, held_ - kept), MADV_REMOVE);
    held_ = kept;
    prepared_ = std::min(prepared_, kept);
}

}  // namespace plugfs::storage
