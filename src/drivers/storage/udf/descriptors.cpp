#include "drivers/storage/udf/descriptors.h"

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/text/utf16.h"

#include <plugfs/driver.h>

#include <bit>
#include <chrono>
#include <string_view>

namespace plugfs::storage::udf {

namespace {

constexpr std::size_t maps_at = 440;  // in a logical volume descriptor
constexpr std::size_t short_map = 6;
constexpr std::size_t long_map = 64;
constexpr std::size_t map_limit = 8;

// CRC-16 with the polynomial 0x1021 (1/7.2.6).
std::uint16_t crc_of(std::span<const std::byte> bytes) {
    std::uint16_t crc = 0;
    for (const std::byte byte : bytes) {
        crc = static_cast<std::uint16_t>(crc ^ std::to_integer<unsigned>(byte) << 8U);
        for (unsigned i = 0; i < 8; ++i) {
            crc = static_cast<std::uint16_t>((crc & 0x8000U) != 0 ? crc << 1U ^ 0x1021U : crc << 1U);
        }
    }
    return crc;
}

unsigned byte_at(std::span<const std::byte> bytes, std::size_t at) {
    return std::to_integer<unsigned>(bytes[at]);
}

// A dstring (UDF 2.1.3): its last byte says how many are used.
std::string parse_dstring(std::span<const std::byte> bytes) {
    const std::size_t used = byte_at(bytes, bytes.size() - 1);
    return used < bytes.size() ? parse_text(bytes.first(used)).value_or("") : "";
}

Extent extent_of(std::uint32_t length, std::uint16_t partition, std::uint32_t block) {
    return {static_cast<Extent::Kind>(length >> 30U), length & 0x3fffffffU, {partition, block}};
}

Result<PartitionMap> parse_map(std::span<const std::byte> map) {
    PartitionMap out;
    if (byte_at(map, 0) == 1 && map.size() == short_map) {
        out.number = get_le<std::uint16_t>(map, 4);
        return out;
    }
    if (byte_at(map, 0) != 2 || map.size() != long_map) {
        return fail(EUCLEAN, "UDF partition map",
                    "type " + std::to_string(byte_at(map, 0)) + " with " + std::to_string(map.size()) + " bytes");
    }
    const auto* const text = reinterpret_cast<const char*>(map.data());
    const std::string name(text + 5, std::string_view(text + 5, 23).find_last_not_of('\0') + 1);
    if (name != "*UDF Metadata Partition") {
        return fail(ENOTSUP, "UDF partition map", quoted(name, 30) + " is not supported");
    }
    out.kind = PartitionMap::Kind::metadata;
    out.number = get_le<std::uint16_t>(map, 38);
    out.file = get_le<std::uint32_t>(map, 40);
    out.mirror = get_le<std::uint32_t>(map, 44);
    return out;
}

}  // namespace

TagId tag_id(std::span<const std::byte> bytes) {
    return static_cast<TagId>(get_le<std::uint16_t>(bytes, 0));
}

Result<void> check_tag(std::span<const std::byte> bytes, std::optional<std::uint32_t> location) {
    const std::string stage = "UDF descriptor " + std::to_string(get_le<std::uint16_t>(bytes, 0));
    unsigned sum = 0;
    for (std::size_t i = 0; i < tag_size; ++i) {
        sum += i == 4 ? 0 : byte_at(bytes, i);
    }
    if (sum % 256 != byte_at(bytes, 4)) {
        return fail(EUCLEAN, stage, "its tag's checksum is wrong");
    }
    const std::size_t length = get_le<std::uint16_t>(bytes, 10);
    if (length > bytes.size() - tag_size ||
        crc_of(bytes.subspan(tag_size, length)) != get_le<std::uint16_t>(bytes, 8)) {
        return fail(EUCLEAN, stage, "its CRC over " + std::to_string(length) + " bytes is wrong");
    }
    if (const auto said = get_le<std::uint32_t>(bytes, 12); location && said != *location) {
        return fail(EUCLEAN, stage,
                    "it lies in block " + std::to_string(*location) + " and says " + std::to_string(said));
    }
    return {};
}

Extent parse_short_extent(std::span<const std::byte> bytes, std::uint16_t partition) {
    return extent_of(get_le<std::uint32_t>(bytes, 0), partition, get_le<std::uint32_t>(bytes, 4));
}

Extent parse_long_extent(std::span<const std::byte> bytes) {
    return extent_of(get_le<std::uint32_t>(bytes, 0), get_le<std::uint16_t>(bytes, 8), get_le<std::uint32_t>(bytes, 4));
}

Anchor parse_anchor(std::span<const std::byte> bytes) {
    return {{get_le<std::uint32_t>(bytes, 16), get_le<std::uint32_t>(bytes, 20)},
            {get_le<std::uint32_t>(bytes, 24), get_le<std::uint32_t>(bytes, 28)}};
}

Sectors parse_pointer(std::span<const std::byte> bytes) {
    return {get_le<std::uint32_t>(bytes, 20), get_le<std::uint32_t>(bytes, 24)};
}

PartitionDescriptor parse_partition(std::span<const std::byte> bytes) {
    return {get_le<std::uint32_t>(bytes, 16), get_le<std::uint16_t>(bytes, 22), get_le<std::uint32_t>(bytes, 188),
            get_le<std::uint32_t>(bytes, 192)};
}

Result<LogicalVolume> parse_logical_volume(std::span<const std::byte> bytes) {
    LogicalVolume out;
    out.sequence = get_le<std::uint32_t>(bytes, 16);
    out.label = parse_dstring(bytes.subspan(84, 128));
    out.block_size = get_le<std::uint32_t>(bytes, 212);
    if (!std::has_single_bit(out.block_size) || out.block_size < 512 || out.block_size > 32768) {
        return fail(EUCLEAN, "UDF logical volume", "its block size is " + std::to_string(out.block_size));
    }
    out.file_set = parse_long_extent(bytes.subspan(248, 16));
    const auto length = get_le<std::uint32_t>(bytes, 264);
    const auto count = get_le<std::uint32_t>(bytes, 268);
    if (length > bytes.size() - maps_at || count == 0 || count > map_limit) {
        return fail(EUCLEAN, "UDF logical volume",
                    "it has " + std::to_string(count) + " partition maps in " + std::to_string(length) + " bytes");
    }
    auto maps = bytes.subspan(maps_at, length);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t size = maps.size() < short_map ? 0 : byte_at(maps, 1);
        if (size < short_map || size > maps.size()) {
            return fail(EUCLEAN, "UDF partition map", "its length is " + std::to_string(size));
        }
        PLUGFS_ASSIGN(const auto map, parse_map(maps.first(size)));
        out.maps.push_back(map);
        maps = maps.subspan(size);
    }
    return out;
}

Extent parse_file_set(std::span<const std::byte> bytes) {
    return parse_long_extent(bytes.subspan(400, 16));
}

std::optional<std::string> parse_text(std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return "";
    }
    const unsigned width = byte_at(bytes, 0);
    if (width != 8 && width != 16) {
        return std::nullopt;
    }
    std::u16string units;
    for (std::size_t i = 1; i + width / 8 <= bytes.size(); i += width / 8) {
        units +=
            static_cast<char16_t>(width == 8 ? byte_at(bytes, i) : byte_at(bytes, i) << 8U | byte_at(bytes, i + 1));
    }
    return to_utf8(units);
}

std::optional<std::int64_t> parse_time(std::span<const std::byte> bytes) {
    namespace ch = std::chrono;
    const unsigned zone = get_le<std::uint16_t>(bytes, 0) & 0xfffU;
    const auto year = static_cast<std::int16_t>(get_le<std::uint16_t>(bytes, 2));
    const ch::year_month_day date{ch::year(year), ch::month(byte_at(bytes, 4)), ch::day(byte_at(bytes, 5))};
    if (!date.ok() || byte_at(bytes, 6) > 23 || byte_at(bytes, 7) > 59 || byte_at(bytes, 8) > 60) {
        return std::nullopt;
    }
    // Minutes ahead of UTC, in twelve bits; -2047: not given.
    const int signed_zone = zone < 0x800 ? static_cast<int>(zone) : static_cast<int>(zone) - 0x1000;
    const std::int64_t minutes = signed_zone < -1440 || signed_zone > 1440 ? 0 : signed_zone;
    const std::int64_t days = ch::sys_days(date).time_since_epoch().count();
    return days * 86'400 + std::int64_t{byte_at(bytes, 6)} * 3600 + std::int64_t{byte_at(bytes, 7)} * 60 +
           byte_at(bytes, 8) - minutes * 60;
}

}  // namespace plugfs::storage::udf
