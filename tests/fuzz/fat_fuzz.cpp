// FAT volumes with patches in them, open for writing, and a script of operations.

#include "drivers/storage/text/little_endian.h"
#include "volume_fuzzing.h"

#include <array>

using namespace plugfs;
using namespace plugfs::fuzz;
using storage::put_le;

namespace {

struct Shape {
    std::uint16_t reserved;
    std::uint16_t root_slots;  // 0: FAT32
    std::uint16_t table_sectors;
    std::uint16_t sectors;
};

// FAT16 is so by its number of clusters, FAT32 by its fields.
constexpr Shape shapes[] = {{1, 64, 1, 160}, {2, 64, 17, 4200}, {3, 0, 2, 200}};

std::vector<std::byte> fresh_fat(const Shape& shape) {
    std::vector<std::byte> image(std::size_t{shape.sectors} * 512);
    const std::span<std::byte> bytes(image);
    const bool fat32 = shape.root_slots == 0;
    put_le<std::uint32_t>(bytes, 0, 0x00903ceb);
    put_le<std::uint16_t>(bytes, 11, 512);
    put_le<std::uint8_t>(bytes, 13, 1);
    put_le<std::uint16_t>(bytes, 14, shape.reserved);
    put_le<std::uint8_t>(bytes, 16, 2);
    put_le<std::uint16_t>(bytes, 17, shape.root_slots);
    put_le<std::uint16_t>(bytes, 19, shape.sectors);
    put_le<std::uint8_t>(bytes, 21, 0xf8);
    put_le<std::uint16_t>(bytes, fat32 ? 36 : 22, shape.table_sectors);
    put_le<std::uint8_t>(bytes, fat32 ? 66 : 38, 0x29);
    if (fat32) {
        put_le<std::uint32_t>(bytes, 44, 2);
        put_le<std::uint16_t>(bytes, 48, 1);
        put_le<std::uint32_t>(bytes, 512, 0x41615252);
        put_le<std::uint32_t>(bytes, 512 + 484, 0x61417272);
        put_le<std::uint64_t>(bytes, 512 + 488, UINT64_MAX);
        put_le<std::uint16_t>(bytes, 512 + 510, 0xaa55);
    }
    put_le<std::uint16_t>(bytes, 510, 0xaa55);
    for (std::size_t table = 0; table < 2; ++table) {
        const std::size_t at = (shape.reserved + table * shape.table_sectors) * 512U;
        if (fat32) {
            put_le<std::uint64_t>(bytes, at, 0x0fffffff0ffffff8);
            put_le<std::uint32_t>(bytes, at + 8, 0x0fffffff);
        } else {
            put_le<std::uint32_t>(bytes, at, shape.table_sectors == 1 ? 0x00fffff8 : 0xfffffff8);
        }
    }
    MemoryDevice device(std::move(image));
    populate(device);
    return std::move(device.image());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::array<std::vector<std::byte>, 3> images = {fresh_fat(shapes[0]), fresh_fat(shapes[1]),
                                                                 fresh_fat(shapes[2])};
    run_on_one_of(images, std::as_bytes(std::span(data, size)));
    return 0;
}
