// The directory entries of one file or folder: File, Stream Extension, and File Name entries. exFAT specification 7.4,
// 7.6, 7.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::storage::exfat {

inline constexpr std::uint8_t type_end = 0x00;
inline constexpr std::uint8_t type_in_use = 0x80;     // the bit that a removed entry lacks
inline constexpr std::uint8_t type_secondary = 0x40;  // the bit of those that belong to the one before
inline constexpr std::uint8_t type_benign = 0x20;     // the bit of those that may be unknown
inline constexpr std::uint8_t type_bitmap = 0x81;
inline constexpr std::uint8_t type_upcase_table = 0x82;
inline constexpr std::uint8_t type_label = 0x83;
inline constexpr std::uint8_t type_file = 0x85;
inline constexpr std::uint8_t type_stream = 0xc0;
inline constexpr std::uint8_t type_name = 0xc1;

inline constexpr std::uint16_t attribute_read_only = 0x01;
inline constexpr std::uint16_t attribute_directory = 0x10;
inline constexpr std::uint16_t attribute_archive = 0x20;
inline constexpr std::size_t name_limit = 255;  // UTF-16 units
inline constexpr std::size_t secondary_limit = 18;

// What the entries say; numbers are not checked against the volume.
struct EntrySet {
    std::u16string name;
    std::uint16_t attributes = 0;
    std::optional<std::int64_t> modified;
    std::uint32_t first_cluster = 0;
    bool contiguous = false;  // NoFatChain
    std::uint64_t size = 0;
    std::uint64_t valid = 0;
};

// `slots`: all entries of the set. `utc_offset`: minutes, for times that do not say their own. Error text: what is
// wrong.
struct ParsedSet {
    EntrySet set;
    std::string wrong;  // empty: nothing
};
[[nodiscard]] ParsedSet parse_entry_set(std::span<const std::byte> slots, int utc_offset);
// How many slots follow the File entry.
[[nodiscard]] std::size_t secondary_count(std::span<const std::byte> file_entry);

// The slots of a set with this name. `old`: those that it had; times, attributes and entries that we do not know are
// kept. Empty: they are too many.
[[nodiscard]] std::vector<std::byte> name_entry_set(std::span<const std::byte> old, const std::u16string& name,
                                                    std::uint16_t name_hash);
// Puts sizes, place, attributes and the time of change into the slots of a set, and the checksum.
void update_entry_set(std::span<std::byte> slots, const EntrySet& set, int utc_offset);
// The time of creation.
void put_creation_time(std::span<std::byte> slots, std::int64_t seconds, int utc_offset);

// Of the name in upper case.
[[nodiscard]] std::uint16_t name_hash(const std::u16string& upper);
[[nodiscard]] std::uint16_t name_hash_in(std::span<const std::byte> slots);

}  // namespace plugfs::storage::exfat
