// ScsiUnit: what moves blocks.

#include "drivers/storage/scsi/commands.h"
#include "drivers/storage/scsi/scsi_unit.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::uint32_t largest_count = 0xffff;  // blocks in READ(10) and WRITE(10)
constexpr unsigned unmap_command_limit = 256;    // in one call: a device may take as little as a block in each

}  // namespace

std::size_t ScsiUnit::best_transfer() const {
    const std::uint64_t block_size = std::max(medium_.block_size, smallest_block);
    std::uint64_t blocks = std::max<std::uint64_t>(transport_->best_transfer() / block_size, 1);
    if (limits_.longest_transfer > 0) {
        blocks = std::min<std::uint64_t>(blocks, limits_.longest_transfer);
    }
    return static_cast<std::size_t>(std::min<std::uint64_t>(blocks, largest_count) * block_size);
}

Result<void> ScsiUnit::check_range(const char* stage, std::uint64_t block, std::uint64_t count) const {
    if (state_ != State::open) {
        return lost(stage);
    }
    if (block > medium_.block_count || count > medium_.block_count - block) {
        return fail(EINVAL, stage,
                    "blocks " + std::to_string(block) + " + " + std::to_string(count) + " of " +
                        std::to_string(medium_.block_count));
    }
    return {};
}

Result<void> ScsiUnit::read(std::uint64_t block, std::span<std::byte> out) {
    const Blocks next = std::exchange(expected_, {});
    if (is_ahead(block, out.size())) {
        return take_ahead(out, next);
    }
    settle();
    const std::uint32_t size = medium_.block_size;
    PLUGFS_TRY(check_range("read", block, size == 0 ? 0 : out.size() / size));
    if (out.size() % size != 0) {
        return fail(EINVAL, "read", std::to_string(out.size()) + " bytes are no whole blocks");
    }
    std::vector<ScsiCommand> commands;
    const std::size_t longest = best_transfer();
    while (!out.empty()) {
        const auto piece = out.first(std::min(out.size(), longest));
        const auto count = static_cast<std::uint32_t>(piece.size() / size);
        commands.push_back(read_blocks(block, count, piece));
        block += count;
        out = out.subspan(piece.size());
    }
    PLUGFS_TRY(execute(commands));
    begin_ahead(next);
    return {};
}

Result<std::vector<ScsiCommand>> ScsiUnit::commands_to_write(std::uint64_t block,
                                                             std::span<const std::byte> bytes) const {
    const std::uint32_t size = medium_.block_size;
    PLUGFS_TRY(check_range("write", block, size == 0 ? 0 : bytes.size() / size));
    if (bytes.size() % size != 0) {
        return fail(EINVAL, "write", std::to_string(bytes.size()) + " bytes are no whole blocks");
    }
    if (medium_.write_protected) {
        return fail(EROFS, "write", "the medium is write-protected");
    }
    std::vector<ScsiCommand> commands;
    const std::size_t longest = best_transfer();
    while (!bytes.empty()) {
        const auto piece = bytes.first(std::min(bytes.size(), longest));
        const auto count = static_cast<std::uint32_t>(piece.size() / size);
        commands.push_back(write_blocks(block, count, piece));
        block += count;
        bytes = bytes.subspan(piece.size());
    }
    return commands;
}

Result<void> ScsiUnit::write(std::uint64_t block, std::span<const std::byte> bytes) {
    settle();
    PLUGFS_ASSIGN(const auto commands, commands_to_write(block, bytes));
    PLUGFS_TRY(execute(commands));
    return {};
}

Result<void> ScsiUnit::synchronize() {
    settle();
    if (state_ != State::open) {
        return lost("SYNCHRONIZE CACHE");
    }
    const auto done = execute(synchronize_cache());
    if (!done && done.error().code != ENOTSUP) {  // who does not know it has no cache
        return done.error();
    }
    return {};
}

// SBC-3, 5.28.
Result<void> ScsiUnit::unmap(std::uint64_t block, std::uint64_t count) {
    settle();
    PLUGFS_TRY(check_range("unmap", block, count));
    if (!medium_.can_unmap) {
        return fail(ENOTSUP, "unmap", "the device does not offer it");
    }
    for (unsigned commands = 0; count > 0 && commands < unmap_command_limit; ++commands) {
        const auto part = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, limits_.unmap_blocks));
        constexpr std::uint16_t header_length = 8;
        constexpr std::uint16_t descriptor_length = 16;
        ByteWriter parameters;
        parameters.u16be(header_length - 2 + descriptor_length);  // UNMAP DATA LENGTH: of what follows
        parameters.u16be(descriptor_length);
        parameters.u32be(0);
        parameters.u64be(block);
        parameters.u32be(part);
        parameters.u32be(0);
        PLUGFS_TRY(execute(storage::unmap(parameters.bytes())));
        block += part;
        count -= part;
    }
    return {};
}

}  // namespace plugfs::storage
