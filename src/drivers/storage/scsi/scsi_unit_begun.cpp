// ScsiUnit: what goes on by itself: writes, and reads that nobody has asked for yet.

#include "drivers/storage/scsi/commands.h"
#include "drivers/storage/scsi/scsi_unit.h"

#include <plugfs/bytes.h>

#include <utility>

namespace plugfs::storage {

namespace {

// What was read so long ago is not what somebody asks for now.
constexpr std::chrono::seconds ahead_life{1};

}  // namespace

void ScsiUnit::begin_write(std::uint64_t block, std::span<const std::byte> bytes) {
    settle();
    if (auto commands = commands_to_write(block, bytes)) {
        begin(std::move(*commands));
    } else {
        begun_result_ = commands.error();
    }
}

void ScsiUnit::begin_synchronize() {
    settle();
    if (state_ == State::open) {
        begin({synchronize_cache()});
    } else {
        begun_result_ = lost("SYNCHRONIZE CACHE");
    }
}

void ScsiUnit::begin(std::vector<ScsiCommand> commands) {
    begun_ = std::move(commands);
    begun_result_ = {};
    if (!begun_.empty() && !transport_->post(number_, begun_)) {
        // Another unit has something under way.
        const auto now = std::exchange(begun_, {});
        note_end_of(now, nullptr);
    }
}

void ScsiUnit::settle() {
    if (ahead_.count > 0) {
        drop_ahead();
    } else if (!begun_.empty()) {
        const auto now = std::exchange(begun_, {});
        const ScsiBatch batch = transport_->collect();
        note_end_of(now, &batch);
    }
}

void ScsiUnit::note_end_of(std::span<const ScsiCommand> commands, const ScsiBatch* batch) {
    const auto done = execute(commands, batch);
    const bool unknown = !done && done.error().code == ENOTSUP &&
                         commands.front().cdb[0] == operation_byte(Operation::synchronize_cache_10);
    begun_result_ = done || unknown ? Result<void>() : Result<void>(done.error());
}

Result<void> ScsiUnit::finish() {
    settle();
    return std::exchange(begun_result_, {});
}

void ScsiUnit::begin_ahead(const Blocks& blocks) {
    if (blocks.count == 0 || blocks.count > best_transfer() / medium_.block_size ||
        !check_range("read", blocks.first, blocks.count)) {
        return;
    }
    ScsiCommand command = read_blocks(blocks.first, static_cast<std::uint32_t>(blocks.count), {});
    command.in_place = blocks.count * medium_.block_size;
    begun_ = {command};
    if (transport_->post(number_, begun_)) {
        ahead_ = blocks;
        ahead_until_ = Deadline::after(ahead_life);
    } else {
        begun_.clear();
    }
}

bool ScsiUnit::is_ahead(std::uint64_t block, std::size_t bytes) const {
    return ahead_.count > 0 && block == ahead_.first && bytes > 0 && bytes % medium_.block_size == 0 &&
           bytes / medium_.block_size <= ahead_.count && !ahead_until_.expired();
}

Result<void> ScsiUnit::take_ahead(std::span<std::byte> out, const Blocks& next) {
    auto commands = std::exchange(begun_, {});
    const Blocks blocks = std::exchange(ahead_, {});
    const ScsiBatch batch = transport_->collect();
    const bool here = batch.good == 1;
    if (!here) {
        commands.front() = read_blocks(blocks.first, static_cast<std::uint32_t>(out.size() / medium_.block_size), out);
    }
    PLUGFS_TRY(execute(commands, &batch));
    begin_ahead(next);
    if (here) {  // while the device is at the next
        copy_bytes(batch.in_place.first(out.size()), out);
    }
    return {};
}

void ScsiUnit::drop_ahead() {
    const auto commands = std::exchange(begun_, {});
    ahead_ = {};
    const ScsiBatch batch = transport_->collect();
    if (batch.good == 1) {
        resets_seen_ = transport_->resets();
        return;
    }
    // Nobody has asked for it; but the device may have had something to say.
    Patience patience;
    const auto verdict = patience.judge(commands.front(), batch.stopped);
    if (verdict == Verdict::changed || verdict == Verdict::failed) {
        (void)act(verdict, patience);
    }
}

}  // namespace plugfs::storage
