#include "drivers/storage/ext/super_block_seal.h"

#include "drivers/storage/text/little_endian.h"

#include <ext2fs/ext2fs.h>

#include <array>
#include <bit>

namespace plugfs::storage::ext {

namespace {

constexpr std::size_t checksum_at = 0x3fc;
constexpr std::size_t last_mounted_at = 0x88;
constexpr std::size_t last_mounted_size = 64;
constexpr std::size_t free_at = last_mounted_at + last_mounted_size - 4;

std::uint32_t checksum_with(std::span<std::byte> super_block, std::uint32_t free_bytes) {
    put_le<std::uint32_t>(super_block, free_at, free_bytes);
    return ext2fs_crc32c_le(~0U, reinterpret_cast<const unsigned char*>(super_block.data()), checksum_at);
}

}  // namespace

// A CRC is linear: each bit of the four bytes, if set, changes the same bits of the sum whatever the others are. So
// this is a system of 32 equations, solved bit by bit.
bool keep_checksum(std::span<std::byte> super_block) {
    const auto text = super_block.subspan(last_mounted_at, last_mounted_size - 4);
    if (text.back() != std::byte{}) {
        return false;
    }
    struct Row {
        std::uint32_t effect = 0;  // on the sum
        std::uint32_t bits = 0;    // of the four bytes
    };
    const auto wanted = get_le<std::uint32_t>(super_block, checksum_at);
    const std::uint32_t base = checksum_with(super_block, 0);
    std::array<Row, 32> by_top_bit{};
    for (unsigned i = 0; i < 32; ++i) {
        Row row{checksum_with(super_block, 1U << i) ^ base, 1U << i};
        while (row.effect != 0) {
            Row& known = by_top_bit[static_cast<std::size_t>(std::bit_width(row.effect)) - 1];
            if (known.effect == 0) {
                known = row;
                break;
            }
            row.effect ^= known.effect;
            row.bits ^= known.bits;
        }
    }
    Row missing{base ^ wanted, 0};
    while (missing.effect != 0) {
        const Row& known = by_top_bit[static_cast<std::size_t>(std::bit_width(missing.effect)) - 1];
        if (known.effect == 0) {
            break;  // cannot be: four bytes in a row reach every sum
        }
        missing.effect ^= known.effect;
        missing.bits ^= known.bits;
    }
    return checksum_with(super_block, missing.bits) == wanted;
}

}  // namespace plugfs::storage::ext
