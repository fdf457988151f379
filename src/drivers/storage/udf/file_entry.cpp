#include "drivers/storage/udf/file_entry.h"

#include "drivers/storage/text/little_endian.h"

#include <limits>

namespace plugfs::storage::udf {

namespace {

constexpr std::size_t identifier_header = 38;
constexpr std::size_t more_header = 24;
constexpr std::uint64_t size_limit = std::numeric_limits<std::int64_t>::max();

FileEntry::Kind kind_of(unsigned type) {
    switch (type) {
        case 4:
            return FileEntry::Kind::folder;
        case 0:    // not said
        case 5:    // bytes
        case 249:  // to be read in real time
            return FileEntry::Kind::file;
        default:
            return FileEntry::Kind::other;
    }
}

// Descriptors up to the first with nothing in it. Behind one that leads to others there is none.
void add_extents(std::span<const std::byte> bytes, FileEntry& file) {
    const std::size_t size = file.form == ExtentForm::short_ones ? 8 : 16;
    while (bytes.size() >= size) {
        const Extent extent =
            size == 8 ? parse_short_extent(bytes, file.partition) : parse_long_extent(bytes.first(size));
        if (extent.length == 0) {
            return;
        }
        file.extents.push_back(extent);
        if (extent.kind == Extent::Kind::more) {
            return;
        }
        bytes = bytes.subspan(size);
    }
}

}  // namespace

Result<FileEntry> parse_file_entry(std::span<const std::byte> block, std::uint16_t partition) {
    FileEntry out;
    const bool extended = tag_id(block) == TagId::extended_file;
    if (!extended && tag_id(block) != TagId::file) {
        return fail(EUCLEAN, "UDF file entry", "its tag is " + std::to_string(static_cast<unsigned>(tag_id(block))));
    }
    if (const auto strategy = get_le<std::uint16_t>(block, 20); strategy != 4) {
        return fail(ENOTSUP, "UDF file entry", "its strategy is " + std::to_string(strategy));
    }
    out.kind = kind_of(get_le<std::uint8_t>(block, 27));
    out.form = static_cast<ExtentForm>(get_le<std::uint16_t>(block, 34) & 7U);
    out.partition = partition;
    out.size = get_le<std::uint64_t>(block, 56);
    out.modified = parse_time(block.subspan(extended ? 92 : 84, 12));
    const std::size_t head = extended ? 216 : 176;
    const std::size_t attributes = get_le<std::uint32_t>(block, head - 8);
    const std::size_t length = get_le<std::uint32_t>(block, head - 4);
    if (attributes > block.size() - head || length > block.size() - head - attributes) {
        return fail(EUCLEAN, "UDF file entry",
                    std::to_string(attributes) + " bytes of attributes and " + std::to_string(length) +
                        " of extents do not fit into it");
    }
    if (out.size > size_limit) {
        return fail(EUCLEAN, "UDF file entry", "its size is " + std::to_string(out.size));
    }
    const auto rest = block.subspan(head + attributes, length);
    if (out.form == ExtentForm::within) {
        if (out.size > rest.size()) {
            return fail(EUCLEAN, "UDF file entry",
                        "of its " + std::to_string(out.size) + " bytes " + std::to_string(length) + " are there");
        }
        out.content.assign(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(out.size));
    } else if (out.form == ExtentForm::short_ones || out.form == ExtentForm::long_ones) {
        add_extents(rest, out);
    } else {
        return fail(EUCLEAN, "UDF file entry",
                    "its extents have form " + std::to_string(static_cast<unsigned>(out.form)));
    }
    return out;
}

Result<void> parse_more_extents(std::span<const std::byte> block, FileEntry& file) {
    const auto length = get_le<std::uint32_t>(block, 20);
    if (tag_id(block) != TagId::extents || length > block.size() - more_header) {
        return fail(EUCLEAN, "UDF extents",
                    "they go on with tag " + std::to_string(static_cast<unsigned>(tag_id(block))) + " and " +
                        std::to_string(length) + " bytes");
    }
    add_extents(block.subspan(more_header, length), file);
    return {};
}

Result<Identifier> parse_identifier(std::span<const std::byte> bytes) {
    Identifier out;
    if (bytes.size() < identifier_header || tag_id(bytes) != TagId::identifier) {
        return fail(EUCLEAN, "UDF file identifier", "there is none where one should be");
    }
    const unsigned flags = get_le<std::uint8_t>(bytes, 18);
    const std::size_t name_length = get_le<std::uint8_t>(bytes, 19);
    const std::size_t extra = get_le<std::uint16_t>(bytes, 36);
    const std::size_t used = identifier_header + extra + name_length;
    out.length = (used + identifier_alignment - 1) / identifier_alignment * identifier_alignment;
    if (out.length > bytes.size() || out.length > identifier_limit) {
        return fail(EUCLEAN, "UDF file identifier", "its length is " + std::to_string(out.length));
    }
    PLUGFS_TRY(check_tag(bytes.first(out.length), std::nullopt));
    out.folder = (flags & 0x02U) != 0;
    out.left_out = (flags & 0x0cU) != 0;
    out.entry = parse_long_extent(bytes.subspan(20, 16));
    if (out.left_out) {
        return out;
    }
    const auto name = parse_text(bytes.subspan(identifier_header + extra, name_length));
    if (!name) {
        return fail(EUCLEAN, "UDF file identifier", "its name is no text");
    }
    out.name = *name;
    return out;
}

}  // namespace plugfs::storage::udf
