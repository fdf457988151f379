#include "drivers/storage/ntfs/log_file.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::ntfs {

namespace {

constexpr std::uint64_t log_file_record = 2;
constexpr std::uint32_t record_magic = 0x454c4946;  // "FILE"
constexpr std::uint32_t data_attribute = 0x80;
constexpr std::uint32_t end_of_attributes = 0xffffffff;
constexpr std::size_t sector = 512;  // what one fixup protects
constexpr std::size_t run_limit = 64;

Error damaged(const std::string& what) {
    return fail(EUCLEAN, "NTFS $LogFile", what);
}

// The last two bytes of each sector of a record stand in a table at its beginning; in their place is a number that
// tells whether the sectors belong together.
Result<void> put_right(std::span<std::byte> record) {
    const std::size_t at = get_le<std::uint16_t>(record, 4);
    const std::size_t count = get_le<std::uint16_t>(record, 6);
    if (count != record.size() / sector + 1 || at < 40 || at + count * 2 > sector - 2) {
        return damaged("its record has " + std::to_string(count) + " fixups at " + std::to_string(at));
    }
    const auto number = get_le<std::uint16_t>(record, at);
    for (std::size_t i = 1; i < count; ++i) {
        if (get_le<std::uint16_t>(record, i * sector - 2) != number) {
            return damaged("its record was not written whole");
        }
        put_le<std::uint16_t>(record, i * sector - 2, get_le<std::uint16_t>(record, at + i * 2));
    }
    return {};
}

// Mapping pairs: a byte that says how long what follows is, a length, and how far on from the last run this one is.
Result<std::vector<Range>> decode_runs(std::span<const std::byte> pairs, const BootSector& boot) {
    std::vector<Range> out;
    std::int64_t cluster = 0;
    for (std::size_t at = 0; at < pairs.size() && pairs[at] != std::byte{};) {
        const auto head = static_cast<unsigned>(pairs[at++]);
        const std::size_t length_size = head & 15U;
        const std::size_t move_size = head >> 4U;
        if (length_size == 0 || length_size > 7 || move_size == 0 || move_size > 7 ||
            at + length_size + move_size > pairs.size() || out.size() == run_limit) {
            return damaged("its mapping pairs cannot be read");
        }
        std::uint64_t length = 0;
        std::uint64_t move = 0;
        for (std::size_t i = 0; i < length_size; ++i) {
            length |= static_cast<std::uint64_t>(pairs[at++]) << (8 * i);
        }
        for (std::size_t i = 0; i < move_size; ++i) {
            move |= static_cast<std::uint64_t>(pairs[at++]) << (8 * i);
        }
        const unsigned unused = 64 - static_cast<unsigned>(8 * move_size);
        cluster += static_cast<std::int64_t>(move << unused) >> unused;
        if (cluster <= 0 || static_cast<std::uint64_t>(cluster) >= boot.cluster_count || length == 0 ||
            length > boot.cluster_count - static_cast<std::uint64_t>(cluster)) {
            return damaged("it has " + std::to_string(length) + " clusters at " + std::to_string(cluster));
        }
        out.push_back({static_cast<std::uint64_t>(cluster) * boot.cluster_size, length * boot.cluster_size});
    }
    return out;
}

Result<std::vector<Range>> read_data(std::span<const std::byte> attribute, const BootSector& boot) {
    if (attribute.size() < 64 || attribute[8] != std::byte{1} || get_le<std::uint64_t>(attribute, 16) != 0) {
        return damaged("its data is not where it should be");
    }
    const std::size_t pairs_at = get_le<std::uint16_t>(attribute, 32);
    const auto size = get_le<std::uint64_t>(attribute, 48);
    if (pairs_at < 64 || pairs_at >= attribute.size()) {
        return damaged("its mapping pairs are at " + std::to_string(pairs_at));
    }
    PLUGFS_ASSIGN(auto parts, decode_runs(attribute.subspan(pairs_at), boot));
    return part_of_file(parts, 0, size);
}

}  // namespace

Result<std::vector<Range>> find_log_file(BlockDevice& device, const BootSector& boot) {
    std::vector<std::byte> record(boot.record_size);
    const std::uint64_t offset = boot.mft_cluster * boot.cluster_size + log_file_record * boot.record_size;
    if (offset + record.size() > boot.size()) {
        return damaged("its record lies past the end");
    }
    PLUGFS_TRY(device.read(offset, record, BlockDevice::Use::metadata));
    if (get_le<std::uint32_t>(record, 0) != record_magic) {
        return damaged("its record is none");
    }
    PLUGFS_TRY(put_right(record));
    const std::size_t used = std::min<std::size_t>(get_le<std::uint32_t>(record, 24), record.size());
    for (std::size_t at = get_le<std::uint16_t>(record, 20); at + 16 <= used;) {
        const auto type = get_le<std::uint32_t>(record, at);
        const std::size_t length = get_le<std::uint32_t>(record, at + 4);
        if (type == end_of_attributes) {
            break;
        }
        if (length < 16 || length > used - at) {
            return damaged("an attribute has " + std::to_string(length) + " bytes");
        }
        if (type == data_attribute && record[at + 9] == std::byte{}) {
            return read_data(std::span<const std::byte>(record).subspan(at, length), boot);
        }
        at += length;
    }
    return damaged("it has no data");
}

std::vector<Range> part_of_file(const std::vector<Range>& parts, std::uint64_t offset, std::uint64_t length) {
    std::vector<Range> out;
    for (const Range& part : parts) {
        if (offset >= part.length) {
            offset -= part.length;
            continue;
        }
        const std::uint64_t take = std::min(part.length - offset, length);
        if (take != 0) {
            out.push_back({part.offset + offset, take});
        }
        length -= take;
        offset = 0;
    }
    return out;
}

}  // namespace plugfs::storage::ntfs
