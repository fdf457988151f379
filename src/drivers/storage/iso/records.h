// ISO 9660 on the medium: volume descriptors and directory records, with Joliet's and Rock Ridge's names. ECMA-119 (4th
// edition) 8 and 9; Joliet specification 3; SUSP 1.12 and RRIP 1.12.
#pragma once

#include "drivers/storage/block_device.h"

#include <optional>
#include <string>
#include <vector>

namespace plugfs::storage::iso {

inline constexpr std::uint64_t sector_size = 2048;
inline constexpr std::size_t record_limit = 255;  // bytes

// A directory record.
struct Record {
    std::uint32_t length = 0;  // of the record, bytes
    std::uint32_t extent = 0;  // logical block of what it is of, behind its extended attribute record
    std::uint32_t size = 0;    // bytes
    bool folder = false;
    bool more = false;         // the file goes on with the next record
    bool interleaved = false;  // which is not served
    std::optional<std::int64_t> modified;
    std::string identifier;  // as it is there
    // What comes behind the identifier: Rock Ridge's.
    std::vector<std::byte> system_use;
};

// EUCLEAN: a field cannot be. `bytes` begins with the record; its first byte is not 0.
[[nodiscard]] Result<Record> parse_record(std::span<const std::byte> bytes);

struct Descriptor {
    enum class Kind : std::uint8_t { primary, joliet, other, end };
    Kind kind = Kind::other;
    std::string label;  // UTF-8
    std::uint32_t block_size = 0;
    std::uint64_t size = 0;  // of the volume, bytes
    Record root;
};
// A sector. ENOTSUP: it is no descriptor. EUCLEAN: a field cannot be.
[[nodiscard]] Result<Descriptor> parse_descriptor(std::span<const std::byte> sector);

// UTF-8 without the version number; `joliet`: from UCS-2.
[[nodiscard]] std::string identifier_name(const std::string& identifier, bool joliet);

// What Rock Ridge says of a file.
struct RockRidge {
    std::string name;                   // bytes; empty: it says nothing
    std::uint32_t mode = 0;             // 0: it says nothing
    std::uint32_t moved_to = 0;         // logical block of a folder that lies elsewhere
    bool moved_from_elsewhere = false;  // such a folder, where it really lies
    // Where the entries go on.
    struct Continuation {
        std::uint32_t block = 0;
        std::uint32_t offset = 0;
        std::uint32_t length = 0;
    };
    std::optional<Continuation> continuation;
    bool name_continues = false;
};
// Reads the entries in one system use area on top of what is known; what is odd ends it.
void parse_system_use(std::span<const std::byte> bytes, RockRidge& out);
// Of the root folder's first record: how many bytes to skip in each system use area. Nothing: there is no SUSP.
[[nodiscard]] std::optional<std::size_t> susp_skip(std::span<const std::byte> system_use);

}  // namespace plugfs::storage::iso
