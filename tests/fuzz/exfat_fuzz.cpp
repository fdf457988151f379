// exFAT volumes with patches in them, open for writing, and a script of operations. Checksums are made right again
// after the patches, unless the input says otherwise: most of the parser is behind them.

#include "drivers/storage/text/little_endian.h"
#include "volume_fuzzing.h"

using namespace plugfs;
using namespace plugfs::fuzz;
using storage::get_le;
using storage::put_le;

namespace {

constexpr std::size_t sector = 512;
constexpr std::size_t table_at = 32 * sector;
constexpr std::uint32_t table_sectors = 4;
constexpr std::size_t heap_at = 40 * sector;
constexpr std::uint32_t clusters = 300;  // of one sector
constexpr std::size_t slot = 32;

std::size_t cluster_at(std::uint32_t cluster) {
    return heap_at + (cluster - 2) * sector;
}

void seal_boot_region(std::span<std::byte> bytes, std::size_t at) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 11 * sector; ++i) {
        if (i != 106 && i != 107 && i != 112) {
            sum = (sum << 31U | sum >> 1U) + static_cast<std::uint32_t>(bytes[at + i]);
        }
    }
    for (std::size_t i = 11 * sector; i < 12 * sector; i += 4) {
        put_le<std::uint32_t>(bytes, at + i, sum);
    }
}

// Wherever there may be an entry set.
void seal_entry_sets(std::span<std::byte> bytes) {
    for (std::size_t at = heap_at; at + slot <= bytes.size(); at += slot) {
        const std::size_t length = (std::size_t{get_le<std::uint8_t>(bytes, at + 1)} + 1) * slot;
        if (get_le<std::uint8_t>(bytes, at) != 0x85 || length > 19 * slot || length > bytes.size() - at) {
            continue;
        }
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < length; ++i) {
            if (i != 2 && i != 3) {
                sum = ((sum << 15U | sum >> 1U) + static_cast<std::uint32_t>(bytes[at + i])) & 0xffffU;
            }
        }
        put_le<std::uint16_t>(bytes, at + 2, static_cast<std::uint16_t>(sum));
    }
}

void put_boot_sector(std::span<std::byte> bytes, std::size_t at) {
    put_le<std::uint64_t>(bytes, at, 0x4146584590'76eb);  // the jump, "EXFA"
    put_le<std::uint32_t>(bytes, at + 7, 0x20202054);     // "T   "
    put_le<std::uint64_t>(bytes, at + 72, bytes.size() / sector);
    put_le<std::uint32_t>(bytes, at + 80, table_at / sector);
    put_le<std::uint32_t>(bytes, at + 84, table_sectors);
    put_le<std::uint32_t>(bytes, at + 88, heap_at / sector);
    put_le<std::uint32_t>(bytes, at + 92, clusters);
    put_le<std::uint32_t>(bytes, at + 96, 4);
    put_le<std::uint16_t>(bytes, at + 104, 0x100);
    put_le<std::uint8_t>(bytes, at + 108, 9);
    put_le<std::uint8_t>(bytes, at + 110, 1);
    put_le<std::uint16_t>(bytes, at + 510, 0xaa55);
    seal_boot_region(bytes, at);
}

// Bitmap in cluster 2, up-case table in 3, root folder in 4.
std::vector<std::byte> fresh_exfat() {
    std::vector<std::byte> image(heap_at + clusters * sector);
    const std::span<std::byte> bytes(image);
    put_boot_sector(bytes, 0);
    put_boot_sector(bytes, 12 * sector);
    put_le<std::uint64_t>(bytes, table_at, 0xfffffffffffffff8);
    for (std::size_t cluster = 2; cluster < 5; ++cluster) {
        put_le<std::uint32_t>(bytes, table_at + 4 * cluster, UINT32_MAX);
    }
    put_le<std::uint8_t>(bytes, cluster_at(2), 0x07);
    constexpr std::size_t units = 128;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < units; ++i) {
        const bool lower = i >= 'a' && i <= 'z';
        put_le<std::uint16_t>(bytes, cluster_at(3) + 2 * i, static_cast<std::uint16_t>(lower ? i - 32 : i));
    }
    for (std::size_t i = 0; i < 2 * units; ++i) {
        sum = (sum << 31U | sum >> 1U) + static_cast<std::uint32_t>(bytes[cluster_at(3) + i]);
    }
    const auto root = bytes.subspan(cluster_at(4));
    put_le<std::uint8_t>(root, 0, 0x81);
    put_le<std::uint32_t>(root, 20, 2);
    put_le<std::uint64_t>(root, 24, (clusters + 7) / 8);
    put_le<std::uint8_t>(root, slot, 0x82);
    put_le<std::uint32_t>(root, slot + 4, sum);
    put_le<std::uint32_t>(root, slot + 20, 3);
    put_le<std::uint64_t>(root, slot + 24, 2 * units);
    MemoryDevice device(std::move(image));
    populate(device);
    return std::move(device.image());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<std::byte> fresh = fresh_exfat();
    ByteReader input({reinterpret_cast<const std::byte*>(data), size});
    const unsigned flags = input.u8();
    auto image = fresh;
    patch(image, input);
    if ((flags & 1U) == 0) {
        seal_boot_region(image, 0);
    }
    if ((flags & 2U) == 0) {
        seal_entry_sets(image);
    }
    MemoryDevice device(std::move(image));
    run_script(device, input);
    return 0;
}
