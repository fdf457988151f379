// RedoNotes: what was found on the medium is checked, and done again.

#include "drivers/storage/cache/checksum.h"
#include "drivers/storage/ntfs/redo_note_format.h"
#include "drivers/storage/ntfs/redo_notes.h"
#include "drivers/storage/text/little_endian.h"

#include <algorithm>
#include <cstring>

namespace plugfs::storage::ntfs {

using namespace redo_note;

Result<void> RedoNotes::read_place(const std::vector<Range>& place, std::span<std::byte> out) {
    for (const Range& part : place) {
        const std::size_t length = std::min<std::uint64_t>(part.length, out.size());
        PLUGFS_TRY(device_->read(part.offset, out.first(length), BlockDevice::Use::data));
        out = out.subspan(length);
    }
    return out.empty() ? Result<void>() : fail(EUCLEAN, "NTFS $LogFile", "a note passes its end");
}

Result<std::optional<RedoNotes::Note>> RedoNotes::read_note(const std::vector<Range>& place) {
    Note note;
    note.bytes.resize(device_->block_size());
    PLUGFS_TRY(read_place(place, note.bytes));
    if (std::memcmp(note.bytes.data(), magic.data(), magic.size()) != 0) {
        return std::optional<Note>();
    }
    const auto length = get_le<std::uint64_t>(note.bytes, 32);
    if (length < note.bytes.size() || length > place_size_ || length % device_->block_size() != 0) {
        return std::optional<Note>();
    }
    note.bytes.resize(length);
    PLUGFS_TRY(read_place(place, note.bytes));
    return parse(note) ? std::optional<Note>(std::move(note)) : std::optional<Note>();
}

// What was not written whole is none.
bool RedoNotes::parse(Note& note) const {
    const std::span<const std::byte> bytes = note.bytes;
    if (get_le<std::uint64_t>(bytes, checksum_at) != checksum64(bytes.subspan(checked_from)) ||
        get_le<std::uint32_t>(bytes, 40) != device_->block_size()) {
        return false;
    }
    const std::size_t block_size = device_->block_size();
    const std::size_t blocks = get_le<std::uint32_t>(bytes, 44);
    const std::size_t ranges = get_le<std::uint32_t>(bytes, 48);
    note.sequence = get_le<std::uint64_t>(bytes, 24);
    note.data_checksum = get_le<std::uint64_t>(bytes, 56);
    if (note_size(blocks, ranges) != bytes.size()) {
        return false;
    }
    std::size_t entry = header_size;
    std::size_t content = header_size + (blocks + ranges) * entry_size;
    for (std::size_t i = 0; i < blocks; ++i, entry += entry_size, content += block_size) {
        const Block block{get_le<std::uint64_t>(bytes, entry), get_le<std::uint64_t>(bytes, entry + 8),
                          bytes.subspan(content, block_size)};
        if (block.offset % block_size != 0 || block.offset > device_->size() - block_size) {
            return false;
        }
        note.blocks.push_back(block);
    }
    for (std::size_t i = 0; i < ranges; ++i, entry += entry_size) {
        const Range range{get_le<std::uint64_t>(bytes, entry), get_le<std::uint64_t>(bytes, entry + 8)};
        if (range.length % block_size != 0 || range.length > StagedDevice::limit || range.offset > device_->size() ||
            range.length > device_->size() - range.offset) {
            return false;
        }
        note.data.push_back(range);
    }
    return true;
}

Result<bool> RedoNotes::data_arrived(const Note& note) {
    std::uint64_t checksum = 0;
    std::vector<std::byte> bytes;
    for (const Range& range : note.data) {
        bytes.resize(range.length);
        PLUGFS_TRY(device_->read(range.offset, bytes, BlockDevice::Use::data));
        for (std::span<const std::byte> rest = bytes; !rest.empty(); rest = rest.subspan(device_->block_size())) {
            checksum = checksum64(rest.first(device_->block_size()), checksum);
        }
    }
    return checksum == note.data_checksum;
}

Result<RedoNotes::Found> RedoNotes::recover(bool writable) {
    std::vector<Note> notes;
    for (std::size_t i = 0; i < place_count; ++i) {
        PLUGFS_ASSIGN(auto note, read_note(places_[i]));
        recent_[i].clear();
        if (note) {
            for (const Block& block : note->blocks) {
                recent_[i].push_back(block.offset);
            }
            std::sort(recent_[i].begin(), recent_[i].end());
            notes.push_back(std::move(*note));
        }
    }
    std::sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) { return a.sequence < b.sequence; });
    if (notes.empty()) {
        return Found::nothing;
    }
    sequence_ = notes.back().sequence;
    last_data_.clear();
    for (const Range& range : notes.back().data) {
        for (std::uint64_t at = 0; at < range.length; at += device_->block_size()) {
            last_data_.insert(range.offset + at);
        }
    }
    // Behind its barrier the data of the last but one is there.
    PLUGFS_ASSIGN(const bool arrived, data_arrived(notes.back()));
    if (!arrived) {
        notes.pop_back();
    }
    if (notes.size() == 2 && notes[0].sequence + 1 != notes[1].sequence) {
        notes.erase(notes.begin());
    }
    return writable ? apply(notes) : Result<Found>(Found::done);
}

Result<RedoNotes::Found> RedoNotes::apply(const std::vector<Note>& notes) {
    struct Change {
        std::span<const std::byte> content;
        std::vector<std::uint64_t> before;  // checksums of what may be there
    };
    std::map<std::uint64_t, Change> changes;
    for (const Note& note : notes) {
        for (const Block& block : note.blocks) {
            auto& change = changes[block.offset];
            change.before.push_back(block.before);
            change.content = block.content;
        }
    }
    std::vector<std::byte> now(device_->block_size());
    std::vector<std::uint64_t> wanted;
    for (const auto& [offset, change] : changes) {
        PLUGFS_TRY(device_->read(offset, now, BlockDevice::Use::metadata));
        if (std::equal(now.begin(), now.end(), change.content.begin())) {
            continue;
        }
        if (std::find(change.before.begin(), change.before.end(), checksum64(now)) == change.before.end()) {
            return Found::stale;
        }
        wanted.push_back(offset);
    }
    for (const std::uint64_t offset : wanted) {
        PLUGFS_TRY(device_->write(offset, changes[offset].content, BlockDevice::Use::metadata));
    }
    if (!wanted.empty()) {
        PLUGFS_TRY(device_->flush());
    }
    return Found::done;
}

}  // namespace plugfs::storage::ntfs
