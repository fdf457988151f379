#include "kit/freed_memory.h"

#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <memory>

// The sanitizers have a malloc() of their own, which keeps what it likes.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLUGFS_OTHER_MALLOC
#endif
#endif
#if !defined(PLUGFS_OTHER_MALLOC) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace plugfs::kit {

namespace {

// Bytes that this process has in memory (proc(5), statm: the second number, in pages).
std::size_t resident() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t pages = 0;
    statm >> total >> pages;
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void use(std::size_t bytes) {
    const auto block = std::make_unique_for_overwrite<unsigned char[]>(bytes);
    std::fill_n(block.get(), bytes, static_cast<unsigned char>(bytes >> 12U));
    volatile unsigned char last = block[bytes - 1];  // so that all of that is done
    (void)last;
}

}  // namespace

TEST_CASE("freed memory is kept for the next block, and given back when nothing has been done for a while") {
    constexpr std::size_t block = std::size_t{4} << 20U;
    constexpr std::size_t most = block / 2;
    FreedMemory memory;
    const auto start = FreedMemory::Clock::now();
    const std::size_t before = resident();
    use(block);
    memory.used(start);
    CHECK(resident() > before + most);
    CHECK_FALSE(memory.idle(start + FreedMemory::idle_time / 2));
    CHECK(resident() > before + most);
    CHECK(memory.idle(start + FreedMemory::idle_time));
    CHECK(resident() < before + most);
    // Once is enough, until something has been done again.
    CHECK_FALSE(memory.idle(start + 2 * FreedMemory::idle_time));
}

}  // namespace plugfs::kit
#endif
