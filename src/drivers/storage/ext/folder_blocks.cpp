#include "drivers/storage/ext/folder_blocks.h"

#include "drivers/storage/text/little_endian.h"

#include <algorithm>

namespace plugfs::storage::ext {

namespace {

constexpr std::uint32_t smallest = 12;
constexpr std::uint32_t tail_size = 12;
constexpr std::byte tail_mark{0xde};

}  // namespace

Result<std::vector<RawEntry>> parse_folder_block(std::span<const std::byte> bytes) {
    std::vector<RawEntry> out;
    for (std::uint32_t at = 0; at < bytes.size();) {
        const auto left = static_cast<std::uint32_t>(bytes.size()) - at;
        if (left < smallest) {
            return fail(EUCLEAN, "ext folder", "rec_len leaves " + std::to_string(left) + " bytes");
        }
        RawEntry entry;
        entry.offset = at;
        entry.inode = get_le<std::uint32_t>(bytes, at);
        entry.length = get_le<std::uint16_t>(bytes, at + 4);
        const auto name_length = std::to_integer<std::uint32_t>(bytes[at + 6]);
        if (entry.length < smallest || entry.length % 4 != 0 || entry.length > left) {
            return fail(EUCLEAN, "ext folder", "rec_len is " + std::to_string(entry.length));
        }
        if (entry.inode != 0) {
            if (8 + name_length > entry.length) {
                return fail(EUCLEAN, "ext folder", "name_len is " + std::to_string(name_length));
            }
            entry.name = {reinterpret_cast<const char*>(bytes.data()) + at + 8, name_length};
        }
        entry.tail = entry.inode == 0 && entry.length == tail_size && left == tail_size && name_length == 0 &&
                     bytes[at + 7] == tail_mark;
        out.push_back(entry);
        at += entry.length;
    }
    return out;
}

const RawEntry* entry_at(const std::vector<RawEntry>& entries, std::uint32_t offset) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [offset](const RawEntry& entry) { return entry.offset == offset; });
    return found == entries.end() ? nullptr : &*found;
}

bool valid_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name.find('/') == std::string_view::npos &&
           name.find('\0') == std::string_view::npos && name != "." && name != "..";
}

Result<void> FolderBlocks::check() const {
    const std::uint64_t size = EXT2_I_SIZE(&inode_);
    const std::string detail = "i_size of inode " + std::to_string(number_) + " is " + std::to_string(size);
    if (size == 0 || size % library_.block_size() != 0) {
        return fail(EUCLEAN, "ext folder", detail);
    }
    return size <= size_limit ? Result<void>() : fail(EFBIG, "ext folder", detail);
}

Result<std::vector<std::byte>> FolderBlocks::read(std::uint32_t index) const {
    const Run run = map_.at(index);
    const std::string detail = "block " + std::to_string(index) + " of inode " + std::to_string(number_);
    if (run.physical == 0 || run.unwritten || index >= count()) {
        return fail(EUCLEAN, "ext folder", detail + " is missing");
    }
    PLUGFS_ASSIGN(auto bytes, library_.read_block(run.physical));
    if (!library_.trusting() &&
        ext2fs_dir_block_csum_verify(library_.fs(), number_, reinterpret_cast<ext2_dir_entry*>(bytes.data())) == 0) {
        return fail(EUCLEAN, "ext folder", detail + ": its checksum does not hold");
    }
    return bytes;
}

Result<void> FolderBlocks::set_checksum(std::vector<std::byte>& bytes) const {
    return library_.result(
        ext2fs_dir_block_csum_set(library_.fs(), number_, reinterpret_cast<ext2_dir_entry*>(bytes.data())),
        "ext folder", "inode " + std::to_string(number_));
}

Result<void> FolderBlocks::write(std::uint32_t index, std::vector<std::byte>& bytes) const {
    PLUGFS_TRY(set_checksum(bytes));
    return library_.write_block(map_.at(index).physical, bytes);
}

void FolderBlocks::put(std::span<std::byte> bytes, std::uint32_t at, std::uint32_t length, InodeNumber inode,
                       std::string_view name, Kind kind) const {
    const bool types = ext2fs_has_feature_filetype(library_.fs()->super) != 0;
    const int type = kind == Kind::directory ? EXT2_FT_DIR : EXT2_FT_REG_FILE;
    put_le<std::uint32_t>(bytes, at, inode);
    put_le<std::uint16_t>(bytes, at + 4, static_cast<std::uint16_t>(length));
    put_le<std::uint8_t>(bytes, at + 6, static_cast<std::uint8_t>(name.size()));
    put_le<std::uint8_t>(bytes, at + 7, static_cast<std::uint8_t>(types ? type : 0));
    const auto text = std::as_bytes(std::span(name));
    std::copy(text.begin(), text.end(), bytes.begin() + at + 8);
}

Result<std::uint32_t> FolderBlocks::insert(std::uint32_t index, InodeNumber inode, const std::string& name,
                                           Kind kind) const {
    PLUGFS_ASSIGN(auto bytes, read(index));
    PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
    const std::uint32_t size = RawEntry::size_for(name.size());
    const auto room =
        std::find_if(entries.begin(), entries.end(), [size](const RawEntry& entry) { return entry.gap() >= size; });
    if (room == entries.end()) {
        return fail(ENOSPC, "ext folder", "block " + std::to_string(index) + " has no room");
    }
    const bool empty = room->inode == 0;
    const std::uint32_t at = empty ? room->offset : room->offset + RawEntry::size_for(room->name.size());
    // Where nobody looks yet; then what makes it seen.
    put(bytes, at, room->offset + room->length - at, empty ? 0 : inode, name, kind);
    PLUGFS_TRY(write(index, bytes));
    library_.device().order();
    if (empty) {
        put_le<std::uint32_t>(bytes, at, inode);
    } else {
        put_le<std::uint16_t>(bytes, room->offset + 4, static_cast<std::uint16_t>(at - room->offset));
    }
    PLUGFS_TRY(write(index, bytes));
    return at;
}

Result<void> FolderBlocks::erase(std::uint32_t index, std::uint32_t offset) const {
    PLUGFS_ASSIGN(auto bytes, read(index));
    PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
    const RawEntry* const gone = entry_at(entries, offset);
    if (gone == nullptr || gone->inode == 0) {
        return fail(EUCLEAN, "ext folder", "an entry that was there is not any more");
    }
    if (gone == entries.data()) {
        put_le<std::uint32_t>(bytes, offset, 0);
    } else {
        const RawEntry& before = *(gone - 1);
        put_le<std::uint16_t>(bytes, before.offset + 4, static_cast<std::uint16_t>(before.length + gone->length));
    }
    return write(index, bytes);
}

Result<void> FolderBlocks::refer(std::uint32_t index, std::uint32_t offset, InodeNumber inode) const {
    PLUGFS_ASSIGN(auto bytes, read(index));
    put_le<std::uint32_t>(bytes, offset, inode);
    return write(index, bytes);
}

std::vector<std::byte> FolderBlocks::empty_block() const {
    std::vector<std::byte> bytes(library_.block_size());
    put_le<std::uint16_t>(bytes, 4, static_cast<std::uint16_t>(usable_size()));
    if (library_.checksums()) {
        put_le<std::uint16_t>(bytes, usable_size() + 4, tail_size);
        bytes[usable_size() + 7] = tail_mark;
    }
    return bytes;
}

std::vector<std::byte> FolderBlocks::first_block(InodeNumber parent) const {
    auto bytes = empty_block();
    put(bytes, 0, smallest, number_, ".", Kind::directory);
    put(bytes, smallest, usable_size() - smallest, parent, "..", Kind::directory);
    return bytes;
}

// In the index's blocks nothing but an empty entry, or the second one, spans all the rest; so does the checksum's room,
// which other blocks have for themselves.
Result<void> FolderBlocks::drop_index() const {
    if (!library_.checksums()) {
        return {};
    }
    for (std::uint32_t i = 0; i < count(); ++i) {
        PLUGFS_ASSIGN(auto bytes, read(i));
        PLUGFS_ASSIGN(const auto entries, parse_folder_block(bytes));
        const RawEntry& last = entries.back();
        if (last.tail) {
            continue;
        }
        if (last.gap() < 2 * tail_size) {
            return fail(EUCLEAN, "ext folder", "block " + std::to_string(i) + " has no checksum");
        }
        auto fresh = empty_block();
        std::copy_n(bytes.begin(), last.offset + (last.inode == 0 ? 0 : 8 + last.name.size()), fresh.begin());
        put_le<std::uint16_t>(fresh, last.offset + 4, static_cast<std::uint16_t>(usable_size() - last.offset));
        PLUGFS_TRY(write(i, fresh));
    }
    return {};
}

}  // namespace plugfs::storage::ext
