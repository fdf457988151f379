#include "drivers/storage/exfat/bitmap_allocator.h"

#include <algorithm>

namespace plugfs::storage::exfat {

namespace {

constexpr auto all_taken = std::byte{0xff};

}  // namespace

void BitmapAllocator::forget() {
    Allocator::forget();
    bitmap_.forget();
}

Result<std::optional<Run>> BitmapAllocator::next_free(std::uint32_t from, std::uint32_t before, std::uint32_t most) {
    std::optional<Run> run;
    std::span<const std::byte> bytes;
    std::uint64_t bytes_at = 0;
    std::uint32_t cluster = from;
    while (cluster < before) {
        const std::uint32_t bit = cluster - first_cluster_number;
        const std::uint64_t at = bit / 8;
        if (at < bytes_at || at >= bytes_at + bytes.size()) {
            PLUGFS_ASSIGN(bytes, bitmap_.read(at));
            bytes_at = at;
        }
        const std::byte byte = bytes[at - bytes_at];
        if (!run && byte == all_taken && bit % 8 == 0) {
            cluster += 8;
            continue;
        }
        if ((byte & (std::byte{1} << (bit % 8))) != std::byte{}) {
            if (run) {
                break;
            }
        } else {
            run = run ? Run{run->first, run->count + 1} : Run{cluster, 1};
            if (run->count == most) {
                break;
            }
        }
        ++cluster;
    }
    return run;
}

Result<void> BitmapAllocator::mark(const Run& run, bool used) {
    std::uint32_t bit = run.first - first_cluster_number;
    const std::uint32_t end = bit + run.count;
    while (bit < end) {
        PLUGFS_ASSIGN(const auto bytes, bitmap_.read(bit / 8));
        const std::uint32_t count = std::min(end - bit, 8 - bit % 8);
        const auto mask = static_cast<std::byte>(((1U << count) - 1) << (bit % 8));
        std::byte byte = bytes[0];
        if ((byte & mask) != (used ? std::byte{} : mask)) {
            return fail(EUCLEAN, "allocation bitmap",
                        "near cluster " + std::to_string(bit + first_cluster_number) + ", one is " +
                            (used ? "taken" : "free") + " twice");
        }
        byte = used ? byte | mask : byte & ~mask;
        PLUGFS_TRY(bitmap_.write(bit / 8, {&byte, 1}));
        bit += count;
    }
    return {};
}

}  // namespace plugfs::storage::exfat
