#include "drivers/storage/scsi/uas_transport.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>

namespace plugfs::storage {

namespace {

constexpr std::chrono::seconds drain_limit{2};
// For data whose status has come already. Without streams what comes later is another command's.
constexpr std::chrono::milliseconds data_limit{1000};
constexpr std::chrono::milliseconds shared_pipe_data_limit{20};
constexpr unsigned stray_limit = 64;
constexpr std::size_t smallest_buffer = std::size_t{16} << 10U;

}  // namespace

Result<void> UasTransport::grow(Owned& transfer, const usb::Endpoint& endpoint, std::size_t length) {
    if (transfer && transfer->buffer().size() >= length) {
        return {};
    }
    const std::size_t capacity = length <= smallest_buffer ? smallest_buffer : std::max(length, best_transfer_);
    transfer.reset();
    PLUGFS_ASSIGN(transfer,
                  device_.create_transfer(endpoint.address, whole_packets(capacity, endpoint.max_packet_size)));
    return {};
}

void UasTransport::begin_row(std::uint8_t unit, std::span<const ScsiCommand> commands) {
    first_slot_ +=
        batch_.in_place.empty() ? 0 : started_;  // what stays in the slots of the last row stays for one more
    row_ = commands;
    unit_ = unit;
    started_ = 0;
    batch_ = {};
    going_ = {};
    row_over_ = row_.empty();
    called_off_ = false;
    strays_ = 0;
    start_more();
}

void UasTransport::start_more() {
    while (going_ && started_ < row_.size() && tasks_.size() < slots_.size()) {
        going_ = start(unit_, row_[started_], slots_[(first_slot_ + started_) % slots_.size()]);
        ++started_;
    }
}

void UasTransport::end_first() {
    batch_.stopped = going_ ? finish(tasks_.front()) : Result<ScsiOutcome>(going_.error());
    const auto& command = row_[batch_.good];
    if (!batch_.stopped || batch_.stopped->status != ScsiStatus::good || batch_.stopped->moved != command.length()) {
        row_over_ = true;
        return;
    }
    if (command.in_place > 0) {
        batch_.in_place = tasks_.front().slot->data_in->buffer().first(command.in_place);
    }
    tasks_.pop_front();
    ++batch_.good;
    row_over_ = batch_.good == row_.size();
    start_more();
}

bool UasTransport::row_ended() {
    while (!row_over_ && go_on(tasks_.front())) {
        end_first();
    }
    return row_over_;
}

ScsiBatch UasTransport::end_row() {
    while (!row_over_) {
        end_first();
    }
    if (batch_.good == row_.size()) {
        return std::move(batch_);
    }
    // What is behind the one that stopped goes on by itself, and has to end before anything else begins.
    const bool broken = !batch_.stopped && batch_.stopped.error().code != ECANCELED;
    if (batch_.stopped) {
        tasks_.pop_front();
    }
    if (broken || !drain()) {
        stop_transfers();
        if (const auto recovered = recover(); !recovered && recovered.error().code == ENODEV) {
            batch_.stopped = recovered.error();
        }
    }
    return std::move(batch_);
}

// What is out of the ordinary is left to finish(), which may wait.
bool UasTransport::go_on(Task& task) {
    if (!going_) {
        return true;
    }
    if (task.slot->command->in_flight()) {
        return false;
    }
    if (has_streams()) {
        return !task.slot->status->in_flight();
    }
    while (!task.ended) {
        if (!status_posted_) {
            going_ = post_status(*task.slot);
        }
        if (going_ && status_->in_flight()) {
            return false;
        }
        const auto unit = going_ ? next_status(task) : Result<StatusUnit>(going_.error());
        going_ = unit ? take_status(*unit) : Result<void>(unit.error());
        if (!going_) {
            return true;
        }
    }
    return true;
}

Result<void> UasTransport::start(std::uint8_t unit, const ScsiCommand& command, Slot& slot) {
    tasks_.push_back({.command = &command, .slot = &slot, .deadline = Deadline::after(command.limit)});
    Task& task = tasks_.back();
    if (has_streams()) {
        PLUGFS_TRY(post_status(slot));
        PLUGFS_TRY(post_data(task));
    }
    const auto bytes = command_unit(slot.tag, unit, command);
    copy_bytes(bytes, slot.command->buffer());
    return slot.command->submit(bytes.size());
}

Result<void> UasTransport::post_status(Slot& slot) {
    const std::size_t length = whole_packets(status_unit_limit, pipes_.status.max_packet_size);
    if (has_streams()) {
        return slot.status->submit_to_stream(slot.tag, length);
    }
    status_posted_ = true;
    return status_->submit(length);
}

Result<void> UasTransport::post_data(Task& task) {
    const ScsiCommand& command = *task.command;
    Slot& slot = *task.slot;
    if (command.in_length() > 0) {
        const std::size_t length = whole_packets(command.in_length(), pipes_.data_in.max_packet_size);
        PLUGFS_TRY(grow(slot.data_in, pipes_.data_in, length));
        PLUGFS_TRY(has_streams() ? slot.data_in->submit_to_stream(slot.tag, length) : slot.data_in->submit(length));
        task.data_posted = true;
    } else if (!command.out.empty()) {
        PLUGFS_TRY(grow(slot.data_out, pipes_.data_out, command.out.size()));
        copy_bytes(command.out, slot.data_out->buffer());
        const std::size_t length = command.out.size();
        PLUGFS_TRY(has_streams() ? slot.data_out->submit_to_stream(slot.tag, length) : slot.data_out->submit(length));
        task.data_posted = true;
    }
    return {};
}

Result<ScsiOutcome> UasTransport::finish(Task& task) {
    PLUGFS_TRY(wait_for_end(task));
    PLUGFS_TRY(end_data(task));
    if (task.status.kind != StatusUnit::Kind::sense) {
        return fail(EIO, "UAS response",
                    "RESPONSE CODE is " + std::to_string(static_cast<unsigned>(task.status.response)));
    }
    ScsiOutcome outcome;
    outcome.status = static_cast<ScsiStatus>(task.status.status);
    outcome.moved = task.moved;
    outcome.sense = std::move(task.status.sense);
    // The rest may still be in the device, and would come with the next command that has this tag.
    const std::size_t asked = task.command->length();
    if (outcome.status == ScsiStatus::good && task.command->all_or_nothing && outcome.moved != asked) {
        return fail(EIO, "UAS data",
                    "the device says that all is well, and moved " + std::to_string(outcome.moved) + " of " +
                        std::to_string(asked) + " bytes");
    }
    return outcome;
}

Result<void> UasTransport::wait_for_end(Task& task) {
    const auto sent = task.slot->command->wait(task.deadline);
    if (!sent) {
        return sent.error().code == EPIPE ? fail(EIO, "UAS command", "the device halted the endpoint") : sent.error();
    }
    if (*sent != command_unit_size) {
        return fail(EIO, "UAS command", "the device took " + std::to_string(*sent) + " of its 32 bytes");
    }
    while (!task.ended) {
        PLUGFS_ASSIGN(const StatusUnit unit, next_status(task));
        PLUGFS_TRY(take_status(unit));
    }
    return {};
}

Result<StatusUnit> UasTransport::next_status(Task& task) {
    usb::Transfer& transfer = has_streams() ? *task.slot->status : *status_;
    if (!has_streams() && !status_posted_) {
        PLUGFS_TRY(post_status(*task.slot));
    }
    const bool may_be_called_off = task.command->may_be_called_off && !called_off_;
    const auto got = transfer.wait(may_be_called_off ? task.deadline.unless_called_off() : task.deadline);
    status_posted_ = false;
    if (!got && got.error().code == ECANCELED && may_be_called_off) {
        called_off_ = true;
        PLUGFS_TRY(post_status(*task.slot));  // for drain()
        return got.error();
    }
    if (!got) {
        const bool refused = got.error().code == EPIPE || got.error().code == EOVERFLOW;
        return refused ? fail(EIO, "UAS status", got.error().detail) : got.error();
    }
    auto unit = parse_status_unit(transfer.buffer().first(std::min(*got, transfer.buffer().size())));
    if (unit && has_streams() && unit->tag != task.slot->tag) {
        return fail(EIO, "UAS status",
                    "TAG is " + std::to_string(unit->tag) + " on stream " + std::to_string(task.slot->tag));
    }
    return unit;
}

Result<void> UasTransport::take_status(const StatusUnit& unit) {
    const auto found =
        std::ranges::find_if(tasks_, [&unit](const Task& task) { return !task.ended && task.slot->tag == unit.tag; });
    if (found == tasks_.end()) {
        // A predecessor's, perhaps, or one of a task that was given up.
        return ++strays_ > stray_limit ? fail(EIO, "UAS status", "too many for unknown tags") : Result<void>();
    }
    strays_ = 0;
    switch (unit.kind) {
        case StatusUnit::Kind::sense:
        case StatusUnit::Kind::response:
            found->ended = true;
            found->status = unit;
            return {};
        case StatusUnit::Kind::read_ready:
        case StatusUnit::Kind::write_ready:
            break;
    }
    const bool read = unit.kind == StatusUnit::Kind::read_ready;
    const bool expected = !(read ? found->command->in_length() == 0 : found->command->out.empty());
    if (has_streams() || found->data_posted || !expected) {
        return fail(EIO, "UAS status", read ? "an unexpected READ READY" : "an unexpected WRITE READY");
    }
    return post_data(*found);
}

// The status has come; the data have moved then, or will not.
Result<void> UasTransport::end_data(Task& task) {
    if (!task.data_posted) {
        return {};
    }
    const bool in = task.command->in_length() > 0;
    usb::Transfer& transfer = in ? *task.slot->data_in : *task.slot->data_out;
    const bool good = task.status.kind == StatusUnit::Kind::sense && task.status.status == 0;
    if (transfer.in_flight() && !good) {
        transfer.cancel();
    }
    const auto moved = transfer.wait(
        Deadline::earlier(task.deadline, Deadline::after(has_streams() ? data_limit : shared_pipe_data_limit)));
    if (!moved && moved.error().code == EPIPE) {
        PLUGFS_TRY(device_.clear_halt(in ? pipes_.data_in.address : pipes_.data_out.address, task.deadline));
    } else if (!moved && moved.error().code != ECANCELED && moved.error().code != ETIMEDOUT) {
        return moved.error().code == EOVERFLOW ? fail(EIO, "UAS data", "the device sent more than was asked for")
                                               : moved.error();
    }
    task.moved = moved ? *moved : transfer.moved();
    const std::size_t asked = in ? task.command->in_length() : task.command->out.size();
    if (task.moved > asked) {
        return fail(EIO, "UAS data",
                    "the device sent " + std::to_string(task.moved) + " bytes where " + std::to_string(asked) +
                        " were asked for");
    }
    if (!task.command->in.empty()) {
        copy_bytes(transfer.buffer().first(task.moved), task.command->in);
    }
    return {};
}

Result<void> UasTransport::drain() {
    const auto deadline = Deadline::after(drain_limit);
    while (!tasks_.empty()) {
        Task& task = tasks_.front();
        if (called_off_) {  // somebody waits for the next command
            task.deadline = deadline;
        }
        if (const auto done = finish(task); !done) {
            return done.error();
        }
        tasks_.pop_front();
    }
    return {};
}

}  // namespace plugfs::storage
