#include "drivers/storage/scsi/bulk_only_transport.h"

#include "drivers/storage/scsi/commands.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string>
#include <utility>

namespace plugfs::storage {

namespace {

// What the kernel uses, too: cheap sticks fail with more.
constexpr std::size_t high_speed_transfer = std::size_t{120} << 10U;
constexpr std::size_t super_speed_transfer = std::size_t{1} << 20U;
constexpr std::size_t long_sense_length = 96;

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

void BulkOnlyTransport::begin_row(std::uint8_t unit, std::span<const ScsiCommand> commands) {
    row_ = commands;
    unit_ = unit;
    batch_ = {};
    row_over_ = row_.empty();
    if (!row_over_) {
        begin_next();
    }
}

void BulkOnlyTransport::begin_next() {
    task_ = begin_command(unit_, row_[batch_.good]);
}

void BulkOnlyTransport::end_next() {
    const auto& command = row_[batch_.good];
    batch_.stopped = end_or_recover(unit_, task_);
    const bool whole =
        batch_.stopped && batch_.stopped->status == ScsiStatus::good && batch_.stopped->moved == command.length();
    if (whole && command.in_place > 0) {
        batch_.in_place = data_in_->buffer().first(command.in_place);
    }
    batch_.good += whole ? 1 : 0;
    row_over_ = !whole || batch_.good == row_.size();
    if (!row_over_) {
        begin_next();
    }
    copy_bytes(std::exchange(came_, {}), std::exchange(to_, {}));
}

// Not of the command for sense data, which stands in no row.
bool BulkOnlyTransport::has_next(const Task& task) const {
    return &task == &task_ && batch_.good + 1 < row_.size();
}

bool BulkOnlyTransport::row_ended() {
    while (!row_over_ && go_on(task_)) {
        end_next();
    }
    return row_over_;
}

ScsiBatch BulkOnlyTransport::end_row() {
    while (!row_over_) {
        end_next();
    }
    return std::move(batch_);
}

Result<ScsiOutcome> BulkOnlyTransport::end_or_recover(std::uint8_t unit, Task& task) {
    auto outcome = end_command(task);
    if (outcome || outcome.error().code == ENODEV) {
        recovered_just_now_ = recovered_just_now_ && !outcome;
    } else if (outcome.error().code != ECANCELED) {
        stop_transfers();
        PLUGFS_TRY(recover());
    }
    if (!outcome) {
        return outcome;
    }
    const bool asks_for_sense = task.command->cdb[0] == operation_byte(Operation::request_sense);
    if (outcome->status == ScsiStatus::check_condition && !asks_for_sense) {
        PLUGFS_TRY(ask_for_sense(unit, *outcome));
    }
    return outcome;
}

Result<void> BulkOnlyTransport::ask_for_sense(std::uint8_t unit, ScsiOutcome& outcome) {
    outcome.sense.resize(sense_length_);
    const auto command = request_sense(outcome.sense);
    auto task = begin_command(unit, command);
    const auto asked = end_or_recover(unit, task);
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

void BulkOnlyTransport::stop_transfers() {
    for (auto* transfer : {command_.get(), status_.get(), data_in_.get(), other_data_in_.get(), data_out_.get()}) {
        if (transfer != nullptr && transfer->in_flight()) {
            transfer->cancel();
            (void)transfer->wait(Deadline::after(std::chrono::seconds(1)));
        }
    }
}

}  // namespace plugfs::storage
