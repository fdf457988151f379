// What a process that crashed has left in the dirty log: nothing that stands there makes its successor read or write
// where it must not, and what it takes for records can be read and written back.

#include "drivers/storage/cache/dirty_log.h"
#include "drivers/storage/cache/extent_map.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace plugfs::storage;

namespace {

constexpr DirtyLog::Medium medium{7, 512, 1000};
constexpr std::size_t memory_size = DirtyLog::smallest;

alignas(4096) std::array<std::byte, memory_size> memory;

template <class Number>
Number get(std::size_t at) {
    Number value{};
    std::memcpy(&value, memory.data() + at, sizeof value);
    return value;
}
template <class Number>
void put(std::size_t at, Number value) {
    std::memcpy(memory.data() + at, &value, sizeof value);
}

// Checksums that match, so that the fuzzer gets behind them: of each record, as far as their lengths lead.
void sign() {
    const std::uint64_t ring = memory_size - DirtyLog::header_size;
    std::uint64_t position = get<std::uint64_t>(40);
    const std::uint64_t end = get<std::uint64_t>(48);
    for (int i = 0; i < 2000 && position < end && position % 64 == 0; ++i) {
        const std::size_t at = DirtyLog::header_size + (position % ring);
        const std::uint64_t content = std::uint64_t{get<std::uint32_t>(at + 32)} * medium.block_size;
        const auto kind = get<std::uint32_t>(at + 36);
        const bool writes = kind == 1 || kind == 5;
        if (writes && content > memory_size - at - 64) {
            return;
        }
        put(at, std::uint64_t{0x44524f4345523a44});
        put(at + 48, checksum64({memory.data() + at + 64, writes ? content : 0}));
        put(at + 56, checksum64({memory.data() + at, 56}, position));
        const auto length = get<std::uint64_t>(at + 40);
        if (length == 0 || length > ring) {
            return;
        }
        position += length;
    }
}

void use(DirtyLog& log) {
    ExtentMap newest(medium.block_size);
    for (const auto& record : log.records()) {
        if (record.block >= medium.block_count || record.count > medium.block_count - record.block) {
            std::abort();
        }
        newest.put({record.block, record.count, record.bytes, record.sequence});
    }
    std::uint64_t sum = 0;
    newest.each(0, medium.block_count, [&sum](const ExtentMap::Extent& extent) {
        if (extent.bytes != nullptr) {
            sum += checksum64({extent.bytes, extent.count * medium.block_size});
        }
    });
    // Work goes on behind what was found.
    const std::vector<std::byte> block(medium.block_size, static_cast<std::byte>(sum));
    const std::size_t before = log.records().size();
    const bool fits = log.fits(block.size());
    if (fits) {
        (void)log.append(before == 0 ? 1 : log.records().back().epoch, 3, block);
        log.commit();
    }
    log.release(before);
    auto again = DirtyLog::open(memory, medium);
    if (!again || (*again)->records().size() != (fits ? 1 : 0) || !(*again)->found().damage.empty()) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) {
        return 0;
    }
    memory.fill(std::byte{0});
    // The first byte says whether it is signed; the next ones are the header, the rest is the ring.
    const std::size_t header = std::min<std::size_t>(size - 1, 80);
    std::memcpy(memory.data(), data + 1, header);
    std::memcpy(memory.data() + DirtyLog::header_size, data + 1 + header,
                std::min(size - 1 - header, memory_size - DirtyLog::header_size));
    if ((data[0] & 1U) != 0) {
        put(0, std::uint64_t{0x31474f4c59545244});
        put(8, medium.identity);
        put(16, std::uint64_t{medium.block_size});
        put(24, medium.block_count);
        put(32, std::uint64_t{memory_size - DirtyLog::header_size});
        sign();
    }
    auto log = DirtyLog::open(memory, medium);
    if (log) {
        use(**log);
    }
    return 0;
}
