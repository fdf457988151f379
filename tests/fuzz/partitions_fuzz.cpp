// Partition tables with patches in them. Checksums of a GPT are made right again after the patches, unless the input
// says otherwise.

#include "drivers/storage/partitions/crc32.h"
#include "drivers/storage/partitions/partition_device.h"
#include "drivers/storage/text/little_endian.h"
#include "volume_fuzzing.h"

#include <array>
#include <cstdlib>

using namespace plugfs;
using namespace plugfs::fuzz;
using storage::get_le;
using storage::put_le;

namespace {

constexpr std::size_t disk_size = 256 * 1024;
constexpr std::uint8_t flag_gpt = 1;
constexpr std::uint8_t flag_large_blocks = 2;
constexpr std::uint8_t flag_leave_checksums = 4;

void put_mbr_entry(std::span<std::byte> table, std::size_t index, std::uint8_t type, std::uint32_t first,
                   std::uint32_t count) {
    const auto entry = table.subspan(446 + 16 * index, 16);
    put_le<std::uint8_t>(entry, 4, type);
    put_le<std::uint32_t>(entry, 8, first);
    put_le<std::uint32_t>(entry, 12, count);
}

void put_mbr(std::span<std::byte> bytes, std::size_t block) {
    const auto blocks = static_cast<std::uint32_t>(bytes.size() / block);
    put_le<std::uint16_t>(bytes, 510, 0xaa55);
    put_mbr_entry(bytes, 0, 0x0c, 8, 8);
    put_mbr_entry(bytes, 1, 0x0f, 16, blocks - 16);
    for (std::uint32_t i = 0; i < 3; ++i) {
        const auto table = bytes.subspan((16 + 8 * i) * block);
        put_le<std::uint16_t>(table, 510, 0xaa55);
        put_mbr_entry(table, 0, 0x83, 1, 4);
        if (i < 2) {
            put_mbr_entry(table, 1, 0x05, 8 * (i + 1), 8);
        }
    }
}

void seal_gpt(std::span<std::byte> bytes, std::size_t block, std::uint64_t header_block) {
    const auto header = bytes.subspan(header_block * block, block);
    const auto entries = get_le<std::uint64_t>(header, 72);
    const std::uint64_t length = std::uint64_t{get_le<std::uint32_t>(header, 80)} * get_le<std::uint32_t>(header, 84);
    const auto size = get_le<std::uint32_t>(header, 12);
    if (entries < bytes.size() / block && length <= bytes.size() - entries * block) {
        put_le<std::uint32_t>(header, 88, storage::crc32(bytes.subspan(entries * block, length)));
    }
    if (size <= block) {
        put_le<std::uint32_t>(header, 16, 0);
        put_le<std::uint32_t>(header, 16, storage::crc32(header.first(size)));
    }
}

void put_gpt(std::span<std::byte> bytes, std::size_t block) {
    const std::uint64_t blocks = bytes.size() / block;
    put_le<std::uint16_t>(bytes, 510, 0xaa55);
    put_mbr_entry(bytes, 0, 0xee, 1, UINT32_MAX);
    for (const std::uint64_t at : {std::uint64_t{1}, blocks - 1}) {
        const auto header = bytes.subspan(at * block, block);
        put_le<std::uint64_t>(header, 0, 0x5452415020494645);  // "EFI PART"
        put_le<std::uint32_t>(header, 12, 92);
        put_le<std::uint64_t>(header, 24, at);
        put_le<std::uint64_t>(header, 72, at == 1 ? 2 : at - 1);
        put_le<std::uint32_t>(header, 80, 4);
        put_le<std::uint32_t>(header, 84, 128);
        const auto entries = bytes.subspan((at == 1 ? 2 : at - 1) * block, block);
        for (std::size_t i = 0; i < 3; ++i) {
            put_le<std::uint64_t>(entries, 128 * i, 0x1234);
            put_le<std::uint64_t>(entries, 128 * i + 32, 8 * (i + 1));
            put_le<std::uint64_t>(entries, 128 * i + 40, 8 * (i + 1) + 7);
            put_le<std::uint16_t>(entries, 128 * i + 56, static_cast<std::uint16_t>('A' + i));
        }
    }
}

void must(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader input({reinterpret_cast<const std::byte*>(data), size});
    const unsigned flags = input.u8();
    const std::uint32_t block = (flags & flag_large_blocks) != 0 ? 4096 : 512;
    std::vector<std::byte> image(disk_size);
    if ((flags & flag_gpt) != 0) {
        put_gpt(image, block);
    } else {
        put_mbr(image, block);
    }
    patch(image, input);
    if ((flags & flag_gpt) != 0 && (flags & flag_leave_checksums) == 0) {
        seal_gpt(image, block, 1);
        seal_gpt(image, block, image.size() / block - 1);
    }
    MemoryDevice device(std::move(image), block);
    const auto partitions = storage::read_partitions(device);
    if (!partitions) {
        must(partitions.error().code > 0);
        return 0;
    }
    must(partitions->size() <= 128);
    for (const auto& partition : *partitions) {
        must(partition.length > 0 && partition.offset <= disk_size && partition.length <= disk_size - partition.offset);
        storage::PartitionDevice part(device, partition);
        std::array<std::byte, 512> bytes{};
        must(part.read(part.size() - bytes.size(), bytes, storage::BlockDevice::Use::data).ok());
        must(!part.write(part.size() - 1, bytes, storage::BlockDevice::Use::data).ok());
    }
    return 0;
}
