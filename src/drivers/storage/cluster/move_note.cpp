#include "drivers/storage/cluster/move_note.h"

#include "drivers/storage/partitions/crc32.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <array>

namespace plugfs::storage {

namespace {

constexpr std::uint64_t mark = 0x3165746f4e76704d;  // "MpvNote1"
constexpr std::size_t checksum_size = 4;

using Bytes = std::array<std::byte, MoveNote::size_limit>;

}  // namespace

Result<bool> can_hold_notes(BlockDevice& device, std::uint64_t offset) {
    Bytes bytes{};
    PLUGFS_TRY(device.read(offset, bytes, BlockDevice::Use::metadata));
    return ByteReader(bytes).u64le() == mark ||
           std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{}; });
}

Result<std::optional<MoveNote>> read_note(BlockDevice& device, std::uint64_t offset) {
    Bytes bytes{};
    PLUGFS_TRY(device.read(offset, bytes, BlockDevice::Use::metadata));
    const std::span<const std::byte> all(bytes);
    ByteReader reader(all.first(all.size() - checksum_size));
    ByteReader end(all.last(checksum_size));
    if (reader.u64le() != mark || end.u32le() != crc32(all.first(all.size() - checksum_size))) {
        return std::optional<MoveNote>();
    }
    MoveNote note;
    note.cluster = reader.u32le();
    note.new_slot = reader.u64le();
    note.parent_slot = reader.u64le();
    note.parent_cluster = reader.u32le();
    const std::uint32_t count = reader.u32le();
    if (count == 0 || count > MoveNote::slot_limit) {
        return std::optional<MoveNote>();
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        note.old_slots.push_back(reader.u64le());
    }
    return reader.ok() ? std::optional(std::move(note)) : std::optional<MoveNote>();
}

Result<void> write_note(BlockDevice& device, std::uint64_t offset, const MoveNote& note) {
    ByteWriter writer;
    writer.u64le(mark);
    writer.u32le(note.cluster);
    writer.u64le(note.new_slot);
    writer.u64le(note.parent_slot);
    writer.u32le(note.parent_cluster);
    writer.u32le(static_cast<std::uint32_t>(note.old_slots.size()));
    for (const auto slot : note.old_slots) {
        writer.u64le(slot);
    }
    auto bytes = std::move(writer).take();
    bytes.resize(MoveNote::size_limit - checksum_size);
    ByteWriter sum;
    sum.u32le(crc32(bytes));
    bytes.insert(bytes.end(), sum.bytes().begin(), sum.bytes().end());
    return device.write(offset, bytes, BlockDevice::Use::metadata);
}

Result<void> clear_note(BlockDevice& device, std::uint64_t offset) {
    return device.write(offset, Bytes{}, BlockDevice::Use::metadata);
}

}  // namespace plugfs::storage
