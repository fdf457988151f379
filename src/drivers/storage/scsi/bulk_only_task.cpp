// BulkOnlyTransport: one command, from its CBW to its CSW; Bulk-Only Transport 1.0, sections 5 and 6.

#include "drivers/storage/scsi/bulk_only_transport.h"
#include "drivers/storage/scsi/commands.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>
#include <utility>

namespace plugfs::storage {

namespace {

constexpr std::size_t smallest_buffer = std::size_t{16} << 10U;
constexpr std::chrono::seconds call_off_limit{2};
constexpr std::chrono::seconds delayed_limit{5};

}  // namespace

Result<void> BulkOnlyTransport::grow(std::unique_ptr<usb::Transfer>& transfer, std::uint8_t endpoint,
                                     std::size_t length) {
    if (transfer && transfer->buffer().size() >= length) {
        return {};
    }
    const std::size_t capacity = length <= smallest_buffer ? smallest_buffer : std::max(length, best_transfer_);
    transfer.reset();
    PLUGFS_ASSIGN(transfer, device_.create_transfer(endpoint, whole_packets(capacity, pipes_.in.max_packet_size)));
    return {};
}

BulkOnlyTransport::Task BulkOnlyTransport::begin_command(std::uint8_t unit, const ScsiCommand& command) {
    Task task{.command = &command, .deadline = Deadline::after(command.limit)};
    task.going = send_wrapper(unit, command);
    return task;
}

// What is out of the ordinary is left to end_command(), which may wait.
bool BulkOnlyTransport::go_on(Task& task) {
    if (!task.going) {
        return true;
    }
    if (task.stage == Task::Stage::wrapper) {
        if (command_->in_flight()) {
            return false;
        }
        task.going = wrapper_sent(task);
        if (!task.going) {
            return true;
        }
    }
    if (task.stage == Task::Stage::data) {
        const ScsiCommand& command = *task.command;
        const std::size_t asked = command.length();
        if (asked > 0) {
            usb::Transfer& transfer = command.in_length() == 0 ? *data_out_ : *data_in_;
            if (transfer.in_flight()) {
                return false;
            }
            const auto moved = transfer.wait(task.deadline);
            if (!moved || *moved != asked) {
                return true;
            }
        }
        task.going = ask_for_status(task, asked);
    }
    return !task.going || !status_->in_flight();
}

Result<ScsiOutcome> BulkOnlyTransport::end_command(Task& task) {
    PLUGFS_TRY(task.going);
    if (task.stage == Task::Stage::wrapper) {
        PLUGFS_TRY(wrapper_sent(task));
    }
    std::size_t moved = task.command->length();
    if (task.stage == Task::Stage::data) {
        PLUGFS_ASSIGN(moved, move_data(*task.command, task.deadline));
    }
    return finish(task, moved);
}

Result<void> BulkOnlyTransport::send_wrapper(std::uint8_t unit, const ScsiCommand& command) {
    const auto wrapper = command_wrapper(++tag_, unit, command);
    copy_bytes(wrapper, command_->buffer());
    PLUGFS_TRY(command_->submit(wrapper.size()));
    return queues_ ? post_data(command) : Result<void>();
}

// That nobody has looked for so long is no fault of the device's.
void BulkOnlyTransport::forgive_delay(Task& task) {
    if (task.deadline.expired()) {
        task.deadline = Deadline::after(delayed_limit);
    }
}

Result<void> BulkOnlyTransport::wrapper_sent(Task& task) {
    const auto sent = command_->wait(task.deadline);
    if (!sent) {
        const bool refused = sent.error().code == EPIPE;
        return refused ? fail(EIO, "CBW", "the device halted the endpoint") : sent.error();
    }
    if (*sent != command_wrapper_size) {
        return fail(EIO, "CBW", "the device took " + std::to_string(*sent) + " of its 31 bytes");
    }
    task.stage = Task::Stage::data;
    forgive_delay(task);
    return queues_ ? Result<void>() : post_data(*task.command);
}

Result<void> BulkOnlyTransport::post_data(const ScsiCommand& command) {
    if (command.in_length() > 0) {
        if (std::exchange(data_in_held_, false)) {
            std::swap(data_in_, other_data_in_);
        }
        const std::size_t length = whole_packets(command.in_length(), pipes_.in.max_packet_size);
        PLUGFS_TRY(grow(data_in_, pipes_.in.address, length));
        return data_in_->submit(length);
    }
    if (!command.out.empty()) {
        PLUGFS_TRY(grow(data_out_, pipes_.out.address, command.out.size()));
        copy_bytes(command.out, data_out_->buffer());
        return data_out_->submit(command.out.size());
    }
    return {};
}

Result<std::size_t> BulkOnlyTransport::move_data(const ScsiCommand& command, Deadline deadline) {
    const bool in = command.in_length() > 0;
    if (!in && command.out.empty()) {
        return std::size_t{0};
    }
    usb::Transfer& transfer = in ? *data_in_ : *data_out_;
    auto moved = transfer.wait(command.may_be_called_off && in ? deadline.unless_called_off() : deadline);
    if (moved) {
        return moved;
    }
    if (moved.error().code == EPIPE) {  // the device ends the data there; the CSW says what that means
        PLUGFS_TRY(device_.clear_halt(in ? pipes_.in.address : pipes_.out.address, deadline));
        return transfer.moved();
    }
    if (moved.error().code == ECANCELED && in) {
        return call_off(command, transfer.moved());
    }
    if (moved.error().code == EOVERFLOW) {
        return fail(EIO, "data", "the device sent more than was asked for");
    }
    return moved;
}

// Takes the rest of the data and the CSW. Always an error: ECANCELED, or what needs recovery.
Result<std::size_t> BulkOnlyTransport::call_off(const ScsiCommand& command, std::size_t moved) {
    const auto deadline = Deadline::after(call_off_limit);
    const auto called_off = fail(ECANCELED, std::string(command.name), "called off");
    const std::size_t packet = pipes_.in.max_packet_size;
    if (moved < command.in_length() && moved % packet == 0) {  // no short packet has ended the data yet
        PLUGFS_TRY(data_in_->submit(whole_packets(command.in_length() - moved, packet)));
        auto rest = data_in_->wait(deadline);
        if (!rest && rest.error().code == EPIPE) {
            PLUGFS_TRY(device_.clear_halt(pipes_.in.address, deadline));
        } else if (!rest) {
            return rest;
        } else if (*rest == status_wrapper_size && is_status_wrapper(data_in_->buffer().first(*rest), tag_)) {
            return called_off;
        }
    }
    PLUGFS_TRY(status_->submit(pipes_.in.max_packet_size));
    PLUGFS_TRY(read_status(command.in_length(), deadline));
    return called_off;
}

// When the data have moved.
Result<void> BulkOnlyTransport::ask_for_status(Task& task, std::size_t moved) {
    task.stage = Task::Stage::status;
    forgive_delay(task);
    PLUGFS_TRY(status_->submit(pipes_.in.max_packet_size));
    const auto came = task.command->in_length() > 0 ? data_in_->buffer().first(moved) : std::span<std::byte>();
    if (task.command->in_place > 0) {
        data_in_held_ = true;
    } else if (queues_ && !came.empty() && has_next(task)) {
        data_in_held_ = true;
        came_ = came;
        to_ = task.command->in;
    } else if (!came.empty()) {  // while the device answers
        copy_bytes(came, task.command->in);
    }
    return {};
}

Result<ScsiOutcome> BulkOnlyTransport::finish(Task& task, std::size_t moved) {
    const ScsiCommand& command = *task.command;
    const std::size_t asked = command.length();
    if (moved > asked) {
        return fail(
            EIO, "data",
            "the device sent " + std::to_string(moved) + " bytes where " + std::to_string(asked) + " were asked for");
    }
    StatusWrapper wrapper;
    const bool no_data = command.in_length() > 0 && moved == status_wrapper_size && moved < asked &&
                         is_status_wrapper(data_in_->buffer().first(moved), tag_);
    if (no_data) {  // some devices leave out the end of data that they do not have
        PLUGFS_ASSIGN(wrapper, parse_status_wrapper(data_in_->buffer().first(moved), tag_, asked));
        moved = 0;
    } else {
        if (task.stage != Task::Stage::status) {
            PLUGFS_TRY(ask_for_status(task, moved));
        }
        PLUGFS_ASSIGN(wrapper, read_status(asked, task.deadline));
    }
    if (wrapper.status == WrapperStatus::phase_error) {
        return fail(EIO, "CSW", "phase error");
    }
    ScsiOutcome outcome;
    outcome.status = wrapper.status == WrapperStatus::passed ? ScsiStatus::good : ScsiStatus::check_condition;
    outcome.moved = counted(command, moved, wrapper.residue);
    return outcome;
}

// The bytes of those moved that the device has processed. Some devices give a residue where there is none, which shows
// where every byte that had to come has come.
std::size_t BulkOnlyTransport::counted(const ScsiCommand& command, std::size_t moved, std::uint32_t residue) {
    const std::size_t asked = command.length();
    const bool fixed_length = command.cdb[0] == operation_byte(Operation::read_capacity_10);
    if (residue > 0 && moved == asked && fixed_length) {
        residue_means_nothing_ = true;
    }
    return residue_means_nothing_ ? moved : std::min(moved, asked - residue);
}

Result<StatusWrapper> BulkOnlyTransport::read_status(std::size_t data_length, Deadline deadline) {
    // 6.3: halted, it is asked for once more. An empty packet before it is some devices' end of data.
    for (int attempt = 0;; ++attempt) {
        if (attempt > 0) {
            PLUGFS_TRY(status_->submit(pipes_.in.max_packet_size));
        }
        const auto got = status_->wait(deadline);
        if (!got && got.error().code == EOVERFLOW) {
            return fail(EIO, "CSW", "the device sent more than a packet");
        }
        if (!got && got.error().code != EPIPE) {
            return got.error();
        }
        if (got && (*got != 0 || attempt > 0)) {
            return parse_status_wrapper(status_->buffer().first(std::min(*got, status_->buffer().size())), tag_,
                                        data_length);
        }
        if (!got) {
            if (attempt > 0) {
                return fail(EIO, "CSW", "the device halted the endpoint twice");
            }
            PLUGFS_TRY(device_.clear_halt(pipes_.in.address, deadline));
        }
    }
}

}  // namespace plugfs::storage
