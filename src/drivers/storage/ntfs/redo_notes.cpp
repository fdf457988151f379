#include "drivers/storage/ntfs/redo_notes.h"

#include "drivers/storage/cache/checksum.h"
#include "drivers/storage/ntfs/redo_note_format.h"
#include "drivers/storage/text/little_endian.h"

#include <algorithm>
#include <bit>

namespace plugfs::storage::ntfs {

namespace {

using namespace redo_note;

// Whoever looks for the beginning of the journal looks at multiples of a power of two.
constexpr std::uint64_t kept_free = 4096;
constexpr std::uint64_t smallest_log = std::uint64_t{128} << 10U;
constexpr std::uint64_t largest_place = std::uint64_t{4} << 20U;

std::vector<Range> ranges_of(const StagedDevice::Blocks& blocks) {
    std::vector<Range> out;
    for (const auto& [offset, content] : blocks) {
        if (!out.empty() && out.back().offset + out.back().length == offset) {
            out.back().length += content.size();
        } else {
            out.push_back({offset, content.size()});
        }
    }
    return out;
}

}  // namespace

Result<RedoNotes> RedoNotes::open(BlockDevice& device, const std::vector<Range>& log_file) {
    std::uint64_t size = 0;
    for (const Range& part : log_file) {
        size += part.length;
    }
    if (size < smallest_log) {
        return fail(EUCLEAN, "NTFS $LogFile", "it has " + std::to_string(size) + " bytes only");
    }
    // Between two powers of two, in the upper half of the file and in the quarter below.
    const std::uint64_t half = std::bit_floor(size / 2);
    RedoNotes notes(device);
    notes.place_size_ = std::min(half / 2 - kept_free, largest_place) / device.block_size() * device.block_size();
    notes.places_[0] = part_of_file(log_file, half / 2 + kept_free, notes.place_size_);
    notes.places_[1] = part_of_file(log_file, half + kept_free, notes.place_size_);
    return notes;
}

std::size_t RedoNotes::note_size(std::size_t blocks, std::size_t ranges) const {
    const std::size_t block_size = device_->block_size();
    const std::size_t length = header_size + (blocks + ranges) * entry_size + blocks * block_size;
    return (length + block_size - 1) / block_size * block_size;
}

bool RedoNotes::fits(const StagedDevice::Blocks& blocks, const StagedDevice::Blocks& data) const {
    return note_size(blocks.size(), ranges_of(data).size()) <= place_size_;
}

Result<void> RedoNotes::add(const StagedDevice::Blocks& blocks, const StagedDevice::Blocks& data) {
    const auto ranges = ranges_of(data);
    std::vector<std::byte> note(note_size(blocks.size(), ranges.size()));
    std::transform(magic.begin(), magic.end(), note.begin(), [](char c) { return static_cast<std::byte>(c); });
    std::vector<std::byte> before(device_->block_size());
    std::size_t entry = header_size;
    std::size_t content = header_size + (blocks.size() + ranges.size()) * entry_size;
    for (const auto& [offset, bytes] : blocks) {
        PLUGFS_TRY(device_->read(offset, before, BlockDevice::Use::metadata));
        put_le<std::uint64_t>(note, entry, offset);
        put_le<std::uint64_t>(note, entry + 8, checksum64(before));
        std::copy(bytes.begin(), bytes.end(), note.begin() + static_cast<std::ptrdiff_t>(content));
        entry += entry_size;
        content += bytes.size();
    }
    for (const Range& range : ranges) {
        put_le<std::uint64_t>(note, entry, range.offset);
        put_le<std::uint64_t>(note, entry + 8, range.length);
        entry += entry_size;
    }
    std::uint64_t data_checksum = 0;
    for (const auto& [offset, bytes] : data) {
        data_checksum = checksum64(bytes, data_checksum);
    }
    put_le<std::uint64_t>(note, 24, ++sequence_);
    put_le<std::uint64_t>(note, 32, note.size());
    put_le<std::uint32_t>(note, 40, device_->block_size());
    put_le<std::uint32_t>(note, 44, static_cast<std::uint32_t>(blocks.size()));
    put_le<std::uint32_t>(note, 48, static_cast<std::uint32_t>(ranges.size()));
    put_le<std::uint64_t>(note, 56, data_checksum);
    put_le<std::uint64_t>(note, checksum_at, checksum64(std::span(note).subspan(checked_from)));
    const std::size_t turn = sequence_ % place_count;
    std::span<const std::byte> rest = note;
    for (const Range& part : places_[turn]) {
        const std::size_t length = std::min<std::uint64_t>(part.length, rest.size());
        PLUGFS_TRY(device_->write(part.offset, rest.first(length), BlockDevice::Use::data));
        rest = rest.subspan(length);
    }
    used_[turn] = true;
    recent_[turn].clear();
    for (const auto& [offset, bytes] : blocks) {
        recent_[turn].push_back(offset);
    }
    last_data_.clear();
    for (const auto& [offset, bytes] : data) {
        last_data_.insert(last_data_.end(), offset);
    }
    return {};
}

bool RedoNotes::recent(std::uint64_t offset) const {
    return std::any_of(recent_.begin(), recent_.end(),
                       [offset](const auto& all) { return std::binary_search(all.begin(), all.end(), offset); });
}

Result<void> RedoNotes::erase() {
    const std::vector<std::byte> empty(device_->block_size(), std::byte{0xff});
    for (std::size_t i = 0; i < place_count; ++i) {
        if (used_[i] && !places_[i].empty()) {
            PLUGFS_TRY(device_->write(places_[i].front().offset, empty, BlockDevice::Use::data));
            used_[i] = false;
        }
    }
    return {};
}

}  // namespace plugfs::storage::ntfs
