#include "drivers/storage/scsi/bulk_only_transport.h"

#include "drivers/storage/scsi/commands.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>

namespace plugfs::storage {

namespace {

// What the kernel uses, too: cheap sticks fail with more.
constexpr std::size_t high_speed_transfer = std::size_t{120} << 10U;
constexpr std::size_t super_speed_transfer = std::size_t{1} << 20U;
constexpr std::size_t long_sense_length = 96;
constexpr std::size_t smallest_buffer = std::size_t{16} << 10U;
constexpr std::chrono::seconds call_off_limit{2};

bool fast(usb::Speed speed) {
    return speed == usb::Speed::super || speed == usb::Speed::super_plus;
}

}  // namespace

BulkOnlyTransport::BulkOnlyTransport(usb::Device& device, const BulkOnlyPipes& pipes)
    : device_(device),
      pipes_(pipes),
      queues_(fast(device.identity().speed)),
      best_transfer_(fast(device.identity().speed) ? super_speed_transfer : high_speed_transfer) {}

Result<std::unique_ptr<BulkOnlyTransport>> BulkOnlyTransport::create(usb::Device& device, const BulkOnlyPipes& pipes) {
    if (pipes.in.max_packet_size == 0 || pipes.out.max_packet_size == 0) {
        return fail(EIO, "Bulk-Only Transport", "wMaxPacketSize of an endpoint is 0");
    }
    std::unique_ptr<BulkOnlyTransport> transport(new BulkOnlyTransport(device, pipes));
    PLUGFS_TRY(transport->create_transfers());
    // A predecessor may have died between CBW and CSW.
    PLUGFS_TRY(transport->recover());
    transport->recovered_just_now_ = false;
    PLUGFS_ASSIGN(transport->last_unit_, transport->ask_last_unit());
    return transport;
}

Result<void> BulkOnlyTransport::create_transfers() {
    PLUGFS_ASSIGN(command_, device_.create_transfer(pipes_.out.address, command_wrapper_size));
    PLUGFS_ASSIGN(status_, device_.create_transfer(pipes_.in.address, pipes_.in.max_packet_size));
    return {};
}

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

ScsiBatch BulkOnlyTransport::run(std::uint8_t unit, std::span<const ScsiCommand> commands) {
    ScsiBatch batch;
    for (const auto& command : commands) {
        batch.stopped = execute_or_recover(unit, command);
        const bool whole = batch.stopped && batch.stopped->status == ScsiStatus::good &&
                           batch.stopped->moved == command.in.size() + command.out.size();
        if (!whole) {
            break;
        }
        ++batch.good;
    }
    return batch;
}

Result<ScsiOutcome> BulkOnlyTransport::execute_or_recover(std::uint8_t unit, const ScsiCommand& command) {
    auto outcome = execute(unit, command);
    if (outcome || outcome.error().code == ENODEV) {
        recovered_just_now_ = recovered_just_now_ && !outcome;
    } else if (outcome.error().code != ECANCELED) {
        stop_transfers();
        PLUGFS_TRY(recover());
    }
    if (!outcome) {
        return outcome;
    }
    if (outcome->status == ScsiStatus::check_condition && command.cdb[0] != operation_byte(Operation::request_sense)) {
        PLUGFS_TRY(ask_for_sense(unit, *outcome));
    }
    return outcome;
}

Result<void> BulkOnlyTransport::ask_for_sense(std::uint8_t unit, ScsiOutcome& outcome) {
    outcome.sense.resize(sense_length_);
    const auto asked = execute_or_recover(unit, request_sense(outcome.sense));
    if (!asked && asked.error().code == ENODEV) {
        return asked.error();
    }
    outcome.sense.resize(asked && asked->status == ScsiStatus::good ? asked->moved : 0);
    if (outcome.sense.size() == request_sense_length) {
        const auto additional = std::to_integer<std::size_t>(outcome.sense[7]);  // ADDITIONAL SENSE LENGTH
        sense_length_ = 8 + additional > request_sense_length ? long_sense_length : request_sense_length;
    }
    return {};
}

Result<ScsiOutcome> BulkOnlyTransport::execute(std::uint8_t unit, const ScsiCommand& command) {
    const auto deadline = Deadline::after(command.limit);
    PLUGFS_TRY(send_wrapper(unit, command, deadline));
    if (!queues_) {
        PLUGFS_TRY(post_data(command));
    }
    PLUGFS_ASSIGN(const std::size_t moved, move_data(command, deadline));
    return finish(command, moved, deadline);
}

Result<void> BulkOnlyTransport::send_wrapper(std::uint8_t unit, const ScsiCommand& command, Deadline deadline) {
    const auto wrapper = command_wrapper(++tag_, unit, command);
    copy_bytes(wrapper, command_->buffer());
    PLUGFS_TRY(command_->submit(wrapper.size()));
    if (queues_) {
        PLUGFS_TRY(post_data(command));
    }
    const auto sent = command_->wait(deadline);
    if (!sent) {
        const bool refused = sent.error().code == EPIPE;
        return refused ? fail(EIO, "CBW", "the device halted the endpoint") : sent.error();
    }
    if (*sent != wrapper.size()) {
        return fail(EIO, "CBW", "the device took " + std::to_string(*sent) + " of its 31 bytes");
    }
    return {};
}

Result<void> BulkOnlyTransport::post_data(const ScsiCommand& command) {
    if (!command.in.empty()) {
        const std::size_t length = whole_packets(command.in.size(), pipes_.in.max_packet_size);
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
    const bool in = !command.in.empty();
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
    if (moved < command.in.size() && moved % packet == 0) {  // no short packet has ended the data yet
        PLUGFS_TRY(data_in_->submit(whole_packets(command.in.size() - moved, packet)));
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
    PLUGFS_TRY(read_status(command.in.size(), deadline));
    return called_off;
}

Result<ScsiOutcome> BulkOnlyTransport::finish(const ScsiCommand& command, std::size_t moved, Deadline deadline) {
    const std::size_t asked = command.in.size() + command.out.size();
    if (moved > asked) {
        return fail(
            EIO, "data",
            "the device sent " + std::to_string(moved) + " bytes where " + std::to_string(asked) + " were asked for");
    }
    StatusWrapper wrapper;
    const bool no_data = !command.in.empty() && moved == status_wrapper_size && moved < asked &&
                         is_status_wrapper(data_in_->buffer().first(moved), tag_);
    if (no_data) {  // some devices leave out the end of data that they do not have
        PLUGFS_ASSIGN(wrapper, parse_status_wrapper(data_in_->buffer().first(moved), tag_, asked));
        moved = 0;
    } else {
        PLUGFS_TRY(status_->submit(pipes_.in.max_packet_size));
        if (!command.in.empty()) {  // while the device answers
            copy_bytes(data_in_->buffer().first(moved), command.in);
        }
        PLUGFS_ASSIGN(wrapper, read_status(asked, deadline));
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
    const std::size_t asked = command.in.size() + command.out.size();
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

void BulkOnlyTransport::stop_transfers() {
    for (auto* transfer : {command_.get(), status_.get(), data_in_.get(), data_out_.get()}) {
        if (transfer != nullptr && transfer->in_flight()) {
            transfer->cancel();
            (void)transfer->wait(Deadline::after(std::chrono::seconds(1)));
        }
    }
}

}  // namespace plugfs::storage
