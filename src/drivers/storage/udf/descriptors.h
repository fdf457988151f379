// UDF on the medium: tags, extents, and the descriptors by which a volume is found. ECMA-167 (3rd edition) 3/7, 3/10
// and 4/14; UDF 2.60 2.1 and 2.2.
#pragma once

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::storage::udf {

inline constexpr std::size_t tag_size = 16;

// What a descriptor is (3/7.2.1, 4/7.2.1).
enum class TagId : std::uint16_t {
    anchor = 2,
    pointer = 3,
    partition = 5,
    logical_volume = 6,
    terminating = 8,
    file_set = 256,
    identifier = 257,
    extents = 258,
    file = 261,
    extended_file = 266,
};

// What a descriptor says it is; `bytes` has a tag at least.
[[nodiscard]] TagId tag_id(std::span<const std::byte> bytes);
// EUCLEAN: the tag's checksum or the descriptor's CRC is wrong, or it says that it lies elsewhere than in block
// `location`.
[[nodiscard]] Result<void> check_tag(std::span<const std::byte> bytes, std::optional<std::uint32_t> location);

// A logical block: of which partition (a number in the logical volume's table of them), and which there.
struct Address {
    std::uint16_t partition = 0;
    std::uint32_t block = 0;
};
// 4/14.14.1.
struct Extent {
    enum class Kind : std::uint8_t { recorded, allocated, hole, more };  // `more`: descriptors of extents
    Kind kind = Kind::recorded;
    std::uint32_t length = 0;  // bytes, less than 2^30
    Address at;
};
// `bytes`: 8, of a descriptor that means its own partition; or 16.
[[nodiscard]] Extent parse_short_extent(std::span<const std::byte> bytes, std::uint16_t partition);
[[nodiscard]] Extent parse_long_extent(std::span<const std::byte> bytes);

// Sectors in a row.
struct Sectors {
    std::uint32_t length = 0;  // bytes
    std::uint32_t first = 0;
};
struct Anchor {
    Sectors main;
    Sectors reserve;
};
// Each is given a whole descriptor whose tag has been checked.
[[nodiscard]] Anchor parse_anchor(std::span<const std::byte> bytes);
[[nodiscard]] Sectors parse_pointer(std::span<const std::byte> bytes);

struct PartitionDescriptor {
    std::uint32_t sequence = 0;  // of several with that number, the highest counts
    std::uint16_t number = 0;
    std::uint32_t first = 0;  // sector
    std::uint32_t count = 0;
};
[[nodiscard]] PartitionDescriptor parse_partition(std::span<const std::byte> bytes);

// How the logical volume sees a partition (3/10.7; UDF 2.2.8 to 2.2.10).
struct PartitionMap {
    enum class Kind : std::uint8_t { physical, metadata };
    Kind kind = Kind::physical;
    std::uint16_t number = 0;
    // Of a metadata partition: the blocks where the entries of its file, and of that file's copy, lie in the partition.
    std::uint32_t file = 0;
    std::uint32_t mirror = 0;
};
struct LogicalVolume {
    std::uint32_t sequence = 0;
    std::string label;  // UTF-8
    std::uint32_t block_size = 0;
    Extent file_set;
    std::vector<PartitionMap> maps;
};
// EUCLEAN: a field cannot be. ENOTSUP: it has a partition of a kind that is not served.
[[nodiscard]] Result<LogicalVolume> parse_logical_volume(std::span<const std::byte> bytes);

// Where the root folder's entry lies.
[[nodiscard]] Extent parse_file_set(std::span<const std::byte> bytes);

// OSTA compressed Unicode (UDF 2.1.1), as UTF-8. Nothing: it is none.
[[nodiscard]] std::optional<std::string> parse_text(std::span<const std::byte> bytes);
// 1/7.3: 12 bytes, as seconds since 1970-01-01 UTC. Nothing: no time.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::span<const std::byte> bytes);

}  // namespace plugfs::storage::udf
