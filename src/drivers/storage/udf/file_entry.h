// A file of UDF on the medium: its entry, where its content lies, and the identifiers that a folder consists of.
// ECMA-167 4/14.4, 4/14.5, 4/14.9 and 4/14.17.
#pragma once

#include "drivers/storage/udf/descriptors.h"

namespace plugfs::storage::udf {

// How a file's extents are described (4/14.6.8).
enum class ExtentForm : std::uint8_t { short_ones, long_ones, unknown, within };

struct FileEntry {
    enum class Kind : std::uint8_t { file, folder, other };
    Kind kind = Kind::other;
    std::uint64_t size = 0;  // bytes
    std::optional<std::int64_t> modified;
    ExtentForm form = ExtentForm::unknown;
    std::uint16_t partition = 0;  // that short extents are of
    // The content itself, if it is `within`; else where it lies, one behind the other, of which the last may be `more`.
    std::vector<std::byte> content;
    std::vector<Extent> extents;
};
// A block with a file entry or an extended one, whose tag has been checked. EUCLEAN: a field cannot be.
[[nodiscard]] Result<FileEntry> parse_file_entry(std::span<const std::byte> block, std::uint16_t partition);
// A block with further descriptors of extents (4/14.5), which are added to the entry's.
[[nodiscard]] Result<void> parse_more_extents(std::span<const std::byte> block, FileEntry& file);

// One name in a folder.
struct Identifier {
    std::size_t length = 0;  // of the whole, bytes
    bool folder = false;
    bool left_out = false;  // has been deleted, or is the folder above
    Extent entry;           // of the file
    std::string name;       // UTF-8
};
inline constexpr std::size_t identifier_alignment = 4;  // each lies at a multiple of it
inline constexpr std::size_t identifier_limit = 4096;   // bytes
// `bytes` begin with one, and go on to the end of the folder, or have identifier_limit. EUCLEAN: a field cannot be.
[[nodiscard]] Result<Identifier> parse_identifier(std::span<const std::byte> bytes);

}  // namespace plugfs::storage::udf
