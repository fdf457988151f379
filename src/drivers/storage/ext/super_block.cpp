#include "drivers/storage/ext/super_block.h"

#include "drivers/storage/text/little_endian.h"

#include <cstdio>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint16_t magic = 0xef53;

// s_feature_compat, _incompat, _ro_compat.
constexpr std::uint32_t has_journal = 0x4;
constexpr std::uint32_t compat_known = 0x1 | has_journal | 0x8 | 0x10 | 0x20 | 0x200 | 0x400 | 0x1000;
constexpr std::uint32_t recover = 0x4;
constexpr std::uint32_t extents_or_later = 0x40 | 0x80 | 0x200;
// Those that change nothing for who writes: file types, recover, meta_bg, extents, 64bit, flex_bg, csum_seed, largedir.
constexpr std::uint32_t incompat_written = 0x2 | recover | 0x10 | 0x40 | 0x80 | 0x200 | 0x2000 | 0x4000;
// What can be read besides: multiple mount protection, extended attributes in inodes, encryption (what is encrypted is
// left out), folders without regard to case.
constexpr std::uint32_t incompat_read = incompat_written | 0x100 | 0x400 | 0x10000 | 0x20000;
// sparse_super, large_file, huge_file, gdt_csum, dir_nlink, extra_isize, metadata_csum.
constexpr std::uint32_t ro_compat_written = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x400;
constexpr std::uint32_t bigalloc = 0x200;
constexpr std::uint32_t ext4_ro_compat = ~0x7U;

// s_state
constexpr unsigned valid = 1;
constexpr unsigned errors = 2;

constexpr std::uint64_t group_limit = std::uint64_t{1} << 19U;

struct Fields {
    std::span<const std::byte> bytes;
    template <class T>
    [[nodiscard]] T at(std::size_t offset) const {
        return get_le<T>(bytes, offset);
    }
    [[nodiscard]] std::uint32_t compat() const { return at<std::uint32_t>(0x5c); }
    [[nodiscard]] std::uint32_t incompat() const { return at<std::uint32_t>(0x60); }
    [[nodiscard]] std::uint32_t ro_compat() const { return at<std::uint32_t>(0x64); }
    [[nodiscard]] std::uint64_t blocks() const {
        const bool wide = (incompat() & 0x80U) != 0;
        return at<std::uint32_t>(0x4) | (wide ? std::uint64_t{at<std::uint32_t>(0x150)} << 32U : 0);
    }
};

Error impossible(const char* field, std::uint64_t value) {
    return fail(EUCLEAN, "ext superblock", std::string(field) + " is " + std::to_string(value));
}

std::string hexadecimal(std::uint32_t value) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%#x", value);
    return text.data();
}

std::string text(std::span<const std::byte> bytes) {
    std::string out(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return out.substr(0, out.find('\0'));
}

std::string uuid_text(std::span<const std::byte> bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::array<char, 4> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", std::to_integer<unsigned>(bytes[i]));
        out += (i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "") + std::string(digits.data());
    }
    return out;
}

Result<void> check_geometry(const Fields& fields, std::uint64_t block_size, std::uint64_t device_size) {
    const std::uint64_t blocks = fields.blocks();
    const auto first = fields.at<std::uint32_t>(0x14);
    const auto per_group = fields.at<std::uint32_t>(0x20);
    const auto inodes_per_group = fields.at<std::uint32_t>(0x28);
    const std::uint32_t inode_size = fields.at<std::uint32_t>(0x4c) == 0 ? 128 : fields.at<std::uint16_t>(0x58);
    const bool in_clusters = (fields.ro_compat() & bigalloc) != 0;
    if (first != (block_size == 1024 && !in_clusters ? 1U : 0U)) {
        return impossible("s_first_data_block", first);
    }
    if (blocks <= first || blocks > device_size / block_size) {
        return fail(EUCLEAN, "ext superblock",
                    "s_blocks_count is " + std::to_string(blocks) + ", the medium has room for " +
                        std::to_string(device_size / block_size));
    }
    if (per_group < 64 || per_group % 8 != 0 || (per_group > block_size * 8 && !in_clusters)) {
        return impossible("s_blocks_per_group", per_group);
    }
    const std::uint64_t groups = (blocks - first + per_group - 1) / per_group;
    if (groups > group_limit) {
        return impossible("s_blocks_per_group", per_group);
    }
    if (inode_size < 128 || inode_size > block_size || (inode_size & (inode_size - 1U)) != 0) {
        return impossible("s_inode_size", inode_size);
    }
    if (inodes_per_group == 0 || inodes_per_group % 8 != 0 || inodes_per_group > block_size * 8) {
        return impossible("s_inodes_per_group", inodes_per_group);
    }
    if (groups * inodes_per_group != fields.at<std::uint32_t>(0x0)) {
        return impossible("s_inodes_count", fields.at<std::uint32_t>(0x0));
    }
    return {};
}

std::string type_of(const Fields& fields) {
    if ((fields.incompat() & extents_or_later) != 0 || (fields.ro_compat() & ext4_ro_compat) != 0) {
        return "ext4";
    }
    return (fields.compat() & has_journal) != 0 ? "ext3" : "ext2";
}

std::string reason_not_to_write(const Fields& fields) {
    if ((fields.incompat() & recover) != 0) {
        return "it was not closed properly: its journal has to be replayed first, by Linux or by e2fsck";
    }
    if ((fields.at<std::uint16_t>(0x3a) & errors) != 0) {
        return "errors have been found in it (s_state): it has to be checked by e2fsck first";
    }
    if (fields.at<std::uint32_t>(0xe8) != 0) {
        return "files were being removed when it was left (s_last_orphan): it has to be checked by e2fsck first";
    }
    const std::uint32_t odd_incompat = fields.incompat() & ~incompat_written;
    const std::uint32_t odd_ro_compat = fields.ro_compat() & ~ro_compat_written;
    const std::uint32_t odd_compat = fields.compat() & ~compat_known;
    if ((odd_incompat | odd_ro_compat | odd_compat) != 0) {
        return "it has features that plugfs does not write (compat " + hexadecimal(odd_compat) + ", incompat " +
               hexadecimal(odd_incompat) + ", ro_compat " + hexadecimal(odd_ro_compat) + ")";
    }
    return "";
}

}  // namespace

bool looks_like_ext(BlockDevice& device) {
    std::array<std::byte, 2> mark{};
    return device.size() >= SuperBlock::offset + SuperBlock::size &&
           device.read(SuperBlock::offset + 0x38, mark, BlockDevice::Use::metadata).ok() &&
           get_le<std::uint16_t>(mark, 0) == magic;
}

Result<SuperBlock> parse_super_block(std::span<const std::byte> bytes, std::uint64_t device_size) {
    const Fields fields{bytes};
    const auto log_size = fields.at<std::uint32_t>(0x18);
    if (log_size > 5) {
        return impossible("s_log_block_size", log_size);
    }
    if (fields.at<std::uint32_t>(0x4c) > 1) {
        return impossible("s_rev_level", fields.at<std::uint32_t>(0x4c));
    }
    SuperBlock out;
    out.type = type_of(fields);
    out.block_size = 1024U << log_size;
    if (const std::uint32_t unknown = fields.incompat() & ~incompat_read; unknown != 0) {
        return fail(ENOTSUP, "file system",
                    out.type + " with features that plugfs cannot read (incompat " + hexadecimal(unknown) + ")");
    }
    PLUGFS_TRY(check_geometry(fields, out.block_size, device_size));
    out.label = text(bytes.subspan(0x78, 16));
    out.uuid = uuid_text(bytes.subspan(0x68, 16));
    out.marked = (fields.at<std::uint16_t>(0x3a) & valid) == 0;
    out.read_only_because = reason_not_to_write(fields);
    return out;
}

}  // namespace plugfs::storage::ext
