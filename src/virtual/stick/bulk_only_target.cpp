#include "virtual/stick/bulk_only_target.h"

#include "virtual/stick/scsi_codes.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::virtual_usb {

namespace {

constexpr std::uint32_t command_signature = 0x43425355;
constexpr std::uint32_t status_signature = 0x53425355;
constexpr std::size_t command_wrapper_size = 31;

constexpr std::uint8_t class_mass_storage = 0x08;
constexpr std::uint8_t subclass_scsi = 0x06;
constexpr std::uint8_t protocol_bulk_only = 0x50;
constexpr std::uint8_t request_reset = 0xff;
constexpr std::uint8_t request_get_max_lun = 0xfe;

// bCSWStatus
constexpr std::uint8_t passed = 0;
constexpr std::uint8_t failed = 1;
constexpr std::uint8_t phase_error = 2;

}  // namespace

BulkOnlyTarget::BulkOnlyTarget(DeviceDescription device, std::span<const std::unique_ptr<StickUnit>> units,
                               StickFaults& faults)
    : description_(std::move(device)), units_(units), faults_(faults) {
    const auto packet = static_cast<std::uint16_t>(description_.speed == usb::Speed::super ? 1024 : 512);
    constexpr std::uint8_t bulk = 2;
    description_.interfaces = {{.number = 0,
                                .alternate_setting = 0,
                                .interface_class = class_mass_storage,
                                .interface_subclass = subclass_scsi,
                                .interface_protocol = protocol_bulk_only,
                                .name = {},
                                .endpoints = {{stick_bulk_in, bulk, packet, 0}, {stick_bulk_out, bulk, packet, 0}}}};
}

std::optional<std::vector<std::byte>> BulkOnlyTarget::control(const usb::Setup& setup, bool in,
                                                              std::span<const std::byte> /*data*/,
                                                              std::size_t /*length*/) {
    if (setup.request == request_get_max_lun && in && !faults_.on("no-max-lun")) {
        return std::vector<std::byte>{static_cast<std::byte>(units_.size() - 1)};
    }
    if (setup.request == request_reset && !in && !faults_.on("no-reset")) {
        ++resets_;
        state_ = State::idle;
        in_.clear();
        return std::vector<std::byte>();
    }
    return std::nullopt;
}

std::deque<InTransfer>& BulkOnlyTarget::in(std::uint8_t /*endpoint*/) {
    return in_;
}

void BulkOnlyTarget::reset() {
    ++resets_;
    state_ = State::idle;
    in_.clear();
    for (const auto& unit : units_) {
        unit->reset();
    }
}

void BulkOnlyTarget::halt_cleared(std::uint8_t endpoint) {
    if (state_ == State::broken && endpoint == stick_bulk_in) {  // 6.6.1: it stays halted until the reset
        in_.clear();
        send_stall();
    }
}

void BulkOnlyTarget::send(std::vector<std::byte> bytes, StickAnswer::Clock::time_point when) {
    const std::size_t packet = description_.interfaces[0].endpoints[0].max_packet_size;
    InTransfer transfer;
    // An empty packet ends a transfer only where one would not end by itself and the host waits for more.
    transfer.zero_length_packet = bytes.empty() || bytes.size() % packet != 0;
    transfer.bytes = ByteSource(std::move(bytes));
    transfer.not_before = when;
    in_.push_back(std::move(transfer));
}

void BulkOnlyTarget::send_stall() {
    InTransfer stall;
    stall.stall = true;
    in_.push_back(std::move(stall));
}

bool BulkOnlyTarget::broken() {
    state_ = State::broken;
    in_.clear();
    send_stall();
    return false;
}

bool BulkOnlyTarget::out(std::uint8_t /*endpoint*/, std::span<const std::byte> bytes) {
    switch (state_) {
        case State::idle:
            return take_wrapper(bytes);
        case State::collecting:
            return take_data(bytes);
        case State::broken:
            break;
    }
    return false;
}

bool BulkOnlyTarget::take_wrapper(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint32_t signature = reader.u32le();
    wrapper_.tag = reader.u32le();
    wrapper_.length = reader.u32le();
    wrapper_.in = (reader.u8() & 0x80U) != 0;
    wrapper_.unit = reader.u8();
    const std::uint8_t length = reader.u8();
    if (bytes.size() != command_wrapper_size || signature != command_signature || wrapper_.unit >= 16 || length < 1 ||
        length > 16) {
        return broken();
    }
    if (faults_.strikes("stall-command")) {
        return broken();
    }
    const auto cdb = reader.take(length);
    wrapper_.cdb.assign(cdb.begin(), cdb.end());
    in_.clear();
    data_.clear();
    if (wrapper_.in || wrapper_.length == 0) {
        answer();
        return true;
    }
    if (faults_.strikes("stall-data-out")) {
        // The host's data are refused; the status says that none was taken.
        send_status(failed, wrapper_.length, StickAnswer::Clock::now());
        state_ = State::collecting;
        wrapper_.length = 0;
        return true;
    }
    state_ = State::collecting;
    return true;
}

bool BulkOnlyTarget::take_data(std::span<const std::byte> bytes) {
    if (wrapper_.length == 0) {  // refused
        state_ = State::idle;
        return false;
    }
    if (bytes.size() > wrapper_.length - data_.size()) {
        return broken();
    }
    data_.insert(data_.end(), bytes.begin(), bytes.end());
    if (data_.size() == wrapper_.length) {
        state_ = State::idle;
        answer();
    }
    return true;
}

void BulkOnlyTarget::answer() {
    if (faults_.strikes("hang")) {
        return;
    }
    const auto now = StickAnswer::Clock::now();
    if (wrapper_.unit >= units_.size()) {
        if (wrapper_.in && wrapper_.length > 0) {
            send_stall();
        }
        send_status(failed, wrapper_.length, now);
        return;
    }
    StickUnit& unit = *units_[wrapper_.unit];
    const auto expected = unit.expectation(wrapper_.cdb);
    // 6.7: what the host expects and what the device intends. A device that intends more, or the other direction,
    // reports a phase error (cases 2, 3, 7, 8, 10, 13).
    const bool wrong_direction = expected.out > 0 && (wrapper_.in || wrapper_.length == 0);
    if (expected.too_much || wrong_direction || expected.out > wrapper_.length || faults_.strikes("phase-error")) {
        if (wrapper_.in && wrapper_.length > 0) {
            send_stall();
        }
        send_status(phase_error, 0, now);
        return;
    }
    const auto taken = std::span(data_).first(std::min<std::size_t>(data_.size(), expected.out));
    StickAnswer answered = unit.execute(wrapper_.cdb, taken);
    if (!answered.data.empty() && (!wrapper_.in || answered.data.size() > wrapper_.length)) {
        if (wrapper_.in && wrapper_.length > 0) {
            send_stall();
        }
        send_status(phase_error, 0, answered.not_before);
        return;
    }
    std::uint32_t residue = wrapper_.length - static_cast<std::uint32_t>(taken.size());
    if (wrapper_.in && wrapper_.length > 0) {
        send_data(answered, residue);
    }
    send_status(answered.status == 0 ? passed : failed, residue, answered.not_before);
}

// Data that end before what the host has asked for end with a short packet; where there is none, with a halt (6.7.2,
// cases 4 and 5).
void BulkOnlyTarget::send_data(StickAnswer& answer, std::uint32_t& residue) {
    const std::size_t packet = description_.interfaces[0].endpoints[0].max_packet_size;
    auto& data = answer.data;
    residue = wrapper_.length - static_cast<std::uint32_t>(data.size());
    if (faults_.strikes("stall-data-in")) {
        residue = wrapper_.length;
        send_stall();
        return;
    }
    if (faults_.strikes("status-for-data")) {
        residue = wrapper_.length;
        return;
    }
    if (faults_.strikes("short-data")) {  // and the status does not say so
        data.resize(data.size() / 2);
        const bool ends = data.size() % packet != 0;
        if (!data.empty()) {
            send(std::move(data), answer.not_before);
        }
        if (!ends) {
            send({}, answer.not_before);
        }
        return;
    }
    if (faults_.strikes("long-data")) {
        data.resize(data.size() + 512);
    }
    const bool ends = data.size() >= wrapper_.length || data.size() % packet != 0;
    if (!data.empty()) {
        send(std::move(data), answer.not_before);
    }
    if (!ends) {
        send_stall();
    }
}

void BulkOnlyTarget::send_status(std::uint8_t status, std::uint32_t residue, StickAnswer::Clock::time_point when) {
    for (const char* fault : {"stall-status", "stall-status-twice"}) {
        if (faults_.strikes(fault)) {
            send_stall();
            if (std::string_view(fault) == "stall-status-twice") {
                send_stall();
            }
        }
    }
    if (faults_.strikes("empty-status")) {
        send({}, when);
    }
    if (faults_.strikes("wrong-residue") && residue == 0) {
        residue = wrapper_.length / 2;
    }
    if (faults_.strikes("huge-residue")) {
        residue = wrapper_.length + 1;
    }
    ByteWriter out;
    out.u32le(faults_.strikes("wrong-signature") ? command_signature : status_signature);
    out.u32le(faults_.strikes("wrong-tag") ? wrapper_.tag - 1 : wrapper_.tag);
    out.u32le(residue);
    if (!faults_.strikes("short-status")) {
        out.u8(status);
    }
    send(std::move(out).take(), when);
}

}  // namespace plugfs::virtual_usb
