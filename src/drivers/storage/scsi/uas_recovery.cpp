// UasTransport: what gets a device into a known state, at the start and when something went wrong.

#include "drivers/storage/scsi/uas_transport.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

constexpr std::size_t high_speed_transfer = std::size_t{120} << 10U;
constexpr std::size_t super_speed_transfer = std::size_t{1} << 20U;
constexpr std::size_t task_limit = 4;      // commands under way: more brought no more
constexpr std::uint16_t stream_count = 8;  // one for each of them, one for task management
constexpr std::uint16_t management_tag = task_limit + 1;
constexpr std::chrono::seconds control_limit{5};
constexpr std::chrono::seconds reset_limit{10};
constexpr std::chrono::seconds unit_reset_limit{2};
constexpr unsigned stray_limit = 64;

bool fast(usb::Speed speed) {
    return speed == usb::Speed::super || speed == usb::Speed::super_plus;
}

}  // namespace

UasTransport::UasTransport(usb::Device& device, const UasPipes& pipes)
    : device_(device),
      pipes_(pipes),
      best_transfer_(fast(device.identity().speed) ? super_speed_transfer : high_speed_transfer) {}

Result<std::unique_ptr<UasTransport>> UasTransport::create(usb::Device& device, const UasPipes& pipes) {
    for (const auto* endpoint : {&pipes.command, &pipes.status, &pipes.data_in, &pipes.data_out}) {
        if (endpoint->max_packet_size == 0) {
            return fail(EIO, "UAS", "wMaxPacketSize of an endpoint is 0");
        }
    }
    std::unique_ptr<UasTransport> transport(new UasTransport(device, pipes));
    PLUGFS_TRY(transport->set_up());
    PLUGFS_TRY(transport->create_transfers());
    return transport;
}

Result<void> UasTransport::set_up() {
    if (pipes_.alternate_setting != 0) {
        PLUGFS_TRY(device_.set_alternate_setting(pipes_.interface_number, pipes_.alternate_setting,
                                                 Deadline::after(control_limit)));
    }
    streams_ = 0;
    if (!fast(device_.identity().speed)) {
        return {};
    }
    const std::uint16_t offered =
        std::min({pipes_.status.stream_limit, pipes_.data_in.stream_limit, pipes_.data_out.stream_limit});
    if (offered < management_tag) {
        return fail(ENOTSUP, "UAS", "the device has " + std::to_string(offered) + " streams");
    }
    const std::array<std::uint8_t, 3> endpoints = {pipes_.status.address, pipes_.data_in.address,
                                                   pipes_.data_out.address};
    PLUGFS_ASSIGN(streams_, device_.allocate_streams(endpoints, std::min(offered, stream_count)));
    return streams_ < management_tag ? fail(ENOTSUP, "UAS", "too few streams") : Result<void>();
}

Result<void> UasTransport::create_transfers() {
    const std::size_t status_length = whole_packets(status_unit_limit, pipes_.status.max_packet_size);
    slots_.resize(task_limit);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].tag = static_cast<std::uint16_t>(i + 1);
        PLUGFS_ASSIGN(slots_[i].command, device_.create_transfer(pipes_.command.address, command_unit_size));
        PLUGFS_ASSIGN(slots_[i].status, device_.create_transfer(pipes_.status.address, status_length));
    }
    PLUGFS_ASSIGN(status_, device_.create_transfer(pipes_.status.address, status_length));
    return {};
}

Result<void> UasTransport::begin(std::uint8_t unit) {
    auto reset = reset_unit(unit);
    ++resets_;
    if (reset || reset.error().code == ENODEV) {
        return reset;
    }
    stop_transfers();
    return recover();
}

Result<void> UasTransport::reset_unit(std::uint8_t unit) {
    const auto deadline = Deadline::after(unit_reset_limit);
    const std::size_t length = whole_packets(status_unit_limit, pipes_.status.max_packet_size);
    const auto ask = [&] {
        return has_streams() ? status_->submit_to_stream(management_tag, length) : status_->submit(length);
    };
    if (has_streams()) {
        PLUGFS_TRY(ask());
    }
    auto& command = *slots_.front().command;
    const auto bytes = task_unit(management_tag, unit, TaskFunction::logical_unit_reset);
    std::ranges::copy(bytes, command.buffer().begin());
    PLUGFS_TRY(command.submit(bytes.size()));
    PLUGFS_TRY(command.wait(deadline));
    // What comes before the answer is a predecessor's.
    for (unsigned strays = 0; strays < stray_limit; ++strays) {
        if (strays > 0 || !has_streams()) {
            PLUGFS_TRY(ask());
        }
        PLUGFS_ASSIGN(const std::size_t got, status_->wait(deadline));
        const auto answer = parse_status_unit(status_->buffer().first(std::min(got, status_->buffer().size())));
        if (!answer || answer->kind != StatusUnit::Kind::response || answer->tag != management_tag) {
            continue;
        }
        const bool done =
            answer->response == ResponseCode::function_complete || answer->response == ResponseCode::function_succeeded;
        return done ? Result<void>() : fail(EIO, "LOGICAL UNIT RESET", "not done");
    }
    return fail(EIO, "LOGICAL UNIT RESET", "too much else came");
}

Result<void> UasTransport::recover() {
    ++resets_;
    PLUGFS_TRY(device_.reset(Deadline::after(reset_limit)));
    return set_up();
}

void UasTransport::stop_transfers() {
    tasks_.clear();
    status_posted_ = false;
    std::vector<usb::Transfer*> transfers{status_.get()};
    for (auto& slot : slots_) {
        for (auto* transfer : {slot.command.get(), slot.status.get(), slot.data_in.get(), slot.data_out.get()}) {
            transfers.push_back(transfer);
        }
    }
    std::erase_if(transfers, [](usb::Transfer* each) { return each == nullptr || !each->in_flight(); });
    for (auto* transfer : transfers) {
        transfer->cancel();
    }
    for (auto* transfer : transfers) {
        (void)transfer->wait(Deadline::after(std::chrono::seconds(1)));
    }
}

}  // namespace plugfs::storage
