#include "drivers/storage/udf/udf_maker.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::test {

using storage::put_le;

namespace {

constexpr std::size_t block_size = 512;
constexpr std::size_t blocks = 500;
constexpr std::size_t partition_at = 260;
constexpr std::uint32_t main_at = 96;
constexpr std::uint32_t reserve_at = 112;
constexpr std::uint32_t entries_at = 10;  // in the partition; thirty blocks
constexpr std::uint32_t more_kind = 3U << 30U;

void put(std::span<std::byte> to, std::string_view text) {
    std::copy_n(reinterpret_cast<const std::byte*>(text.data()), text.size(), to.begin());
}

std::uint16_t crc_of(std::span<const std::byte> bytes) {
    unsigned crc = 0;
    for (const std::byte byte : bytes) {
        for (unsigned bit = 8; bit-- > 0;) {
            const bool one = ((crc >> 15U ^ std::to_integer<unsigned>(byte) >> bit) & 1U) != 0;
            crc = (crc << 1U & 0xffffU) ^ (one ? 0x1021U : 0U);
        }
    }
    return static_cast<std::uint16_t>(crc);
}

void put_dstring(std::span<std::byte> to, std::string_view text) {
    to[0] = std::byte{8};
    put(to.subspan(1), text);
    to.back() = static_cast<std::byte>(text.size() + 1);
}

// 2026-11-25 12:30:45, an hour ahead of UTC.
void put_time(std::span<std::byte> to) {
    put(to, std::string_view("\x3c\x10\xea\x07\x0b\x19\x0c\x1e\x2d", 9));
}

}  // namespace

void put_udf_tag(std::span<std::byte> descriptor, std::uint16_t id, std::uint32_t location) {
    put_le<std::uint16_t>(descriptor, 0, id);
    put_le<std::uint16_t>(descriptor, 2, 3);
    put_le<std::uint16_t>(descriptor, 8, crc_of(descriptor.subspan(16)));
    put_le<std::uint16_t>(descriptor, 10, static_cast<std::uint16_t>(descriptor.size() - 16));
    put_le<std::uint32_t>(descriptor, 12, location);
    descriptor[4] = {};
    unsigned sum = 0;
    for (const std::byte byte : descriptor.first(16)) {
        sum += std::to_integer<unsigned>(byte);
    }
    descriptor[4] = static_cast<std::byte>(sum);
}

UdfMaker::UdfMaker(bool metadata) : metadata_(metadata), image_(blocks * block_size) {
    put(std::span(image_).subspan(32768), std::string_view("\0BEA01\1", 7));
    put(std::span(image_).subspan(32768 + 2048), std::string_view("\0NSR03\1", 7));
    put(std::span(image_).subspan(32768 + 4096), std::string_view("\0TEA01\1", 7));
}

std::span<std::byte> UdfMaker::block(std::size_t at) {
    return std::span(image_).subspan(at, block_size);
}

std::size_t UdfMaker::place(std::uint32_t entry) const {
    const std::uint32_t piece = entry / 10;
    const std::uint32_t at = !metadata_ || piece == 0 ? entry : entry + (piece == 1 ? 10 : -10);
    return (partition_at + entries_at + at) * block_size;
}

void UdfMaker::seal(std::size_t at, std::uint16_t id, std::uint32_t location) {
    put_udf_tag(block(at), id, location);
}

void UdfMaker::seal_entry(std::uint32_t entry, bool extended) {
    seal(place(entry), extended ? 266 : 261, metadata_ ? entry : entry + entries_at);
}

std::uint32_t UdfMaker::put_data(std::string_view bytes) {
    const std::uint32_t at = next_data_;
    put(std::span(image_).subspan((partition_at + at) * block_size), bytes);
    next_data_ += static_cast<std::uint32_t>((bytes.size() + block_size - 1) / block_size) + 1;
    return at;
}

// Data is in the physical partition, which entries of a metadata partition have to say.
std::size_t UdfMaker::put_extent(std::span<std::byte> to, std::uint32_t length, std::uint32_t at) const {
    put_le<std::uint32_t>(to, 0, length);
    put_le<std::uint32_t>(to, 4, at);
    return metadata_ ? 16 : 8;
}

std::uint32_t UdfMaker::add(const File& file, std::string_view content) {
    const std::uint32_t number = next_entry_++;
    const auto entry = block(place(number));
    const std::size_t head = file.extended ? 216 : 176;
    put_le<std::uint16_t>(entry, 20, 4);
    put_le<std::uint8_t>(entry, 27, file.type);
    put_le<std::uint16_t>(entry, 34, file.within ? 3 : (metadata_ ? 1 : 0));
    put_le<std::uint64_t>(entry, 56, content.size());
    put_time(entry.subspan(file.extended ? 92 : 84));
    std::size_t used = 0;
    if (file.within) {
        put(entry.subspan(head), content);
        used = content.size();
    }
    auto extents = entry.subspan(head);
    std::size_t open = 0;  // the block of extents that is being filled, in the image
    std::uint32_t open_number = 0;
    for (unsigned i = 0; !file.within && i < file.pieces; ++i) {
        const std::size_t piece = (content.size() / file.pieces + block_size - 1) / block_size * block_size;
        const std::size_t from = std::min(i * piece, content.size());
        const std::size_t to = i + 1 == file.pieces ? content.size() : std::min(from + piece, content.size());
        std::size_t size =
            put_extent(extents, static_cast<std::uint32_t>(to - from), put_data(content.substr(from, to - from)));
        const bool chain = file.chained && i + 1 < file.pieces;
        const std::uint32_t next = chain ? put_data(std::string(block_size, '\0')) : 0;
        if (chain) {
            size += put_extent(extents.subspan(size), more_kind | block_size, next);
        }
        if (open != 0) {
            put_le<std::uint32_t>(block(open), 20, static_cast<std::uint32_t>(size));
            seal(open, 258, open_number);
        } else {
            used += size;
        }
        extents = extents.subspan(size);
        if (chain) {
            open = (partition_at + next) * block_size;
            open_number = next;
            extents = block(open).subspan(24);
        }
    }
    put_le<std::uint32_t>(entry, head - 4, static_cast<std::uint32_t>(used));
    seal_entry(number, file.extended);
    return number;
}

std::string UdfMaker::identifier(std::string_view name, std::uint32_t entry, std::uint8_t flags) const {
    std::vector<std::byte> bytes((38 + name.size() + 3) / 4 * 4);
    put_le<std::uint16_t>(bytes, 16, 1);
    put_le<std::uint8_t>(bytes, 18, flags);
    put_le<std::uint8_t>(bytes, 19, static_cast<std::uint8_t>(name.size()));
    put_le<std::uint32_t>(bytes, 20, block_size);
    put_le<std::uint32_t>(bytes, 24, metadata_ ? entry : entry + entries_at);
    put_le<std::uint16_t>(bytes, 28, metadata_ ? 1 : 0);
    put(std::span(bytes).subspan(38), name);
    put_udf_tag(bytes, 257, 0);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void UdfMaker::put_metadata_files() {
    for (const std::uint32_t number : {0U, 1U}) {
        const auto entry = block((partition_at + number) * block_size);
        put_le<std::uint16_t>(entry, 20, 4);
        put_le<std::uint8_t>(entry, 27, 250);
        put_le<std::uint64_t>(entry, 56, 30 * block_size);
        put_le<std::uint32_t>(entry, 212, 24);
        const std::uint32_t places[] = {entries_at, entries_at + 20, entries_at + 10};
        for (std::size_t i = 0; i < 3; ++i) {
            put_le<std::uint32_t>(entry, 216 + i * 8, 10 * block_size);
            put_le<std::uint32_t>(entry, 220 + i * 8, places[i]);
        }
        seal((partition_at + number) * block_size, 266, number);
    }
}

void UdfMaker::put_volume() {
    for (const std::uint32_t first : {main_at, reserve_at}) {
        const auto partition = block(first * block_size);
        put_le<std::uint32_t>(partition, 188, partition_at);
        put_le<std::uint32_t>(partition, 192, blocks - partition_at - 1);
        seal(first * block_size, 5, first);
        const auto volume = block((first + 1) * block_size);
        put_dstring(volume.subspan(84, 128), "STICK");
        put_le<std::uint32_t>(volume, 212, block_size);
        put_le<std::uint32_t>(volume, 248, block_size);
        put_le<std::uint32_t>(volume, 252, metadata_ ? 0 : entries_at);
        put_le<std::uint16_t>(volume, 256, metadata_ ? 1 : 0);
        put_le<std::uint32_t>(volume, 264, metadata_ ? 70 : 6);
        put_le<std::uint32_t>(volume, 268, metadata_ ? 2 : 1);
        put(volume.subspan(440), std::string_view("\1\6\1\0\0\0", 6));
        if (metadata_) {
            put(volume.subspan(446), "\2\100");
            put(volume.subspan(451), "*UDF Metadata Partition");
            put_le<std::uint32_t>(volume, 446 + 44, 1);
        }
        seal((first + 1) * block_size, 6, first + 1);
        seal((first + 2) * block_size, 8, first + 2);
    }
    for (const std::uint32_t at : {256U, static_cast<std::uint32_t>(blocks - 1)}) {
        const auto anchor = block(at * block_size);
        put_le<std::uint32_t>(anchor, 16, 16 * block_size);
        put_le<std::uint32_t>(anchor, 20, main_at);
        put_le<std::uint32_t>(anchor, 24, 16 * block_size);
        put_le<std::uint32_t>(anchor, 28, reserve_at);
        seal(at * block_size, 2, at);
    }
}

void UdfMaker::finish(std::uint32_t root) {
    const auto file_set = block(place(0));
    put_le<std::uint32_t>(file_set, 400, block_size);
    put_le<std::uint32_t>(file_set, 404, metadata_ ? root : root + entries_at);
    put_le<std::uint16_t>(file_set, 408, metadata_ ? 1 : 0);
    seal(place(0), 256, metadata_ ? 0 : entries_at);
    put_volume();
    if (metadata_) {
        put_metadata_files();
    }
}

std::vector<std::byte> make_udf(unsigned flavour) {
    using namespace std::string_view_literals;
    UdfMaker maker(flavour == 1);
    const bool other = flavour == 2;
    std::string content;
    for (unsigned i = 0; i < 1500; ++i) {
        content += static_cast<char>('a' + i / 100);
    }
    const auto within = maker.add({.within = true, .extended = other}, "hello\n");
    const auto pieces = maker.add({.extended = other, .pieces = 3}, content);
    const auto chained = maker.add({.extended = other, .chained = true, .pieces = 3}, content);
    const auto link = maker.add({.type = 12, .within = true}, "x");
    const auto inner = maker.add({.type = 4, .within = other}, maker.identifier("\10inner", within));
    std::string names = maker.identifier("", 7, 10) + maker.identifier("\10hello", within) +
                        maker.identifier("\10pieces", pieces) + maker.identifier("\10gone", pieces, 4) +
                        maker.identifier("\20\0c\0h\3\261"sv, chained) + maker.identifier("\10link", link) +
                        maker.identifier("\10second", within) + maker.identifier("\10folder", inner, 2);
    names += maker.identifier("\10" + std::string(253, 'n'), within);
    maker.finish(maker.add({.type = 4, .chained = other, .pieces = other ? 2U : 1U}, names));
    return maker.image();
}

}  // namespace plugfs::test
