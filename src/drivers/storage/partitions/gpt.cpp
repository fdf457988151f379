// The GUID partition table: a header in the second block and one in the last, each with a copy of the entries. UEFI
// specification 5.3.

#include "drivers/storage/partitions/crc32.h"
#include "drivers/storage/partitions/partition_tables.h"
#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/utf16.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace plugfs::storage {

namespace {

constexpr std::string_view signature = "EFI PART";
constexpr std::uint32_t least_header = 92;
constexpr std::uint32_t least_entry = 128;
constexpr std::uint32_t most_entry = 4096;
constexpr std::uint64_t most_entries_bytes = std::uint64_t{1} << 20U;
constexpr std::size_t at_header_checksum = 16;
constexpr std::size_t guid_bytes = 16;
constexpr std::size_t name_units = 36;

struct Header {
    std::uint64_t first_usable = 0;  // blocks
    std::uint64_t last_usable = 0;
    std::uint64_t entries_block = 0;
    std::uint32_t entry_count = 0;
    std::uint32_t entry_bytes = 0;
    std::uint32_t entries_checksum = 0;
};

// The header in that block, if there is a whole one.
Result<std::optional<Header>> read_header(BlockDevice& device, std::uint64_t block) {
    std::vector<std::byte> bytes(device.block_size());
    PLUGFS_TRY(device.read(block * device.block_size(), bytes, BlockDevice::Use::metadata));
    const auto size = get_le<std::uint32_t>(bytes, 12);
    const auto sum = get_le<std::uint32_t>(bytes, at_header_checksum);
    const bool named = std::equal(signature.begin(), signature.end(), bytes.begin(),
                                  [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
    if (!named || size < least_header || size > bytes.size() || get_le<std::uint64_t>(bytes, 24) != block) {
        return std::optional<Header>();
    }
    put_le<std::uint32_t>(bytes, at_header_checksum, 0);
    if (crc32(std::span<const std::byte>(bytes).first(size)) != sum) {
        return std::optional<Header>();
    }
    return std::optional(Header{get_le<std::uint64_t>(bytes, 40), get_le<std::uint64_t>(bytes, 48),
                                get_le<std::uint64_t>(bytes, 72), get_le<std::uint32_t>(bytes, 80),
                                get_le<std::uint32_t>(bytes, 84), get_le<std::uint32_t>(bytes, 88)});
}

std::string guid_text(std::span<const std::byte> guid) {
    std::array<char, 40> text{};
    const auto byte = [&](std::size_t at) { return static_cast<unsigned>(guid[at]); };
    std::snprintf(text.data(), text.size(), "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                  get_le<std::uint32_t>(guid, 0), static_cast<unsigned>(get_le<std::uint16_t>(guid, 4)),
                  static_cast<unsigned>(get_le<std::uint16_t>(guid, 6)), byte(8), byte(9), byte(10), byte(11), byte(12),
                  byte(13), byte(14), byte(15));
    return text.data();
}

std::optional<Partition> parse_entry(std::span<const std::byte> entry, unsigned number, const BlockDevice& device) {
    if (std::all_of(entry.begin(), entry.begin() + guid_bytes, [](std::byte byte) { return byte == std::byte{}; })) {
        return std::nullopt;
    }
    const auto first = get_le<std::uint64_t>(entry, 32);
    const auto last = get_le<std::uint64_t>(entry, 40);
    const std::uint64_t blocks = device.size() / device.block_size();
    if (first == 0 || last < first || last >= blocks) {
        return std::nullopt;
    }
    std::u16string name;
    for (std::size_t i = 0; i < name_units; ++i) {
        const auto unit = static_cast<char16_t>(get_le<std::uint16_t>(entry, 56 + 2 * i));
        if (unit == 0) {
            break;
        }
        name += unit;
    }
    return Partition{number, first * device.block_size(), (last - first + 1) * device.block_size(),
                     guid_text(entry.first(guid_bytes)), to_utf8(name)};
}

// The entries that belong to a header, if they are whole.
Result<std::optional<std::vector<Partition>>> read_entries(BlockDevice& device, const Header& header) {
    using Found = std::optional<std::vector<Partition>>;
    const std::uint64_t length = std::uint64_t{header.entry_count} * header.entry_bytes;
    const std::uint64_t blocks = device.size() / device.block_size();
    if (header.entry_bytes < least_entry || header.entry_bytes > most_entry || length > most_entries_bytes ||
        header.entries_block >= blocks || length > (blocks - header.entries_block) * device.block_size()) {
        return Found();
    }
    std::vector<std::byte> bytes(length);
    PLUGFS_TRY(device.read(header.entries_block * device.block_size(), bytes, BlockDevice::Use::metadata));
    if (crc32(bytes) != header.entries_checksum) {
        return Found();
    }
    std::vector<Partition> out;
    for (std::uint32_t i = 0; i < header.entry_count && out.size() < partition_limit; ++i) {
        const auto entry = std::span<const std::byte>(bytes).subspan(std::size_t{i} * header.entry_bytes, least_entry);
        if (auto found = parse_entry(entry, i + 1, device); found) {
            out.push_back(std::move(*found));
        }
    }
    return Found(std::move(out));
}

}  // namespace

Result<std::optional<std::vector<Partition>>> read_gpt(BlockDevice& device) {
    const std::uint64_t blocks = device.size() / device.block_size();
    if (blocks < 3) {
        return std::optional<std::vector<Partition>>();
    }
    for (const std::uint64_t block : {std::uint64_t{1}, blocks - 1}) {
        PLUGFS_ASSIGN(const auto header, read_header(device, block));
        if (!header) {
            continue;
        }
        PLUGFS_ASSIGN(auto entries, read_entries(device, *header));
        if (entries) {
            return entries;
        }
    }
    return std::optional<std::vector<Partition>>();
}

}  // namespace plugfs::storage
