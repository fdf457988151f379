#include "virtual/stick/uas_target.h"

#include "virtual/stick/scsi_codes.h"

#include <plugfs/bytes.h>

#include <algorithm>

namespace plugfs::virtual_usb {

using namespace stick_codes;

namespace {

constexpr std::uint8_t class_mass_storage = 0x08;
constexpr std::uint8_t subclass_scsi = 0x06;
constexpr std::uint8_t protocol_uas = 0x62;
constexpr std::uint16_t stream_limit = 16;
constexpr std::size_t task_limit = 32;

// IU IDs
constexpr std::uint8_t id_command = 0x01;
constexpr std::uint8_t id_task_management = 0x05;
constexpr std::uint8_t id_read_ready = 0x06;
constexpr std::uint8_t id_write_ready = 0x07;

// RESPONSE CODEs
constexpr std::uint8_t function_complete = 0x00;
constexpr std::uint8_t invalid_unit = 0x02;
constexpr std::uint8_t function_not_supported = 0x04;
constexpr std::uint8_t wrong_logical_unit = 0x09;
constexpr std::uint8_t overlapped_tag = 0x0a;

constexpr std::size_t command_unit_size = 32;
constexpr std::uint8_t task_set_full = 0x28;

}  // namespace

UasTarget::UasTarget(DeviceDescription device, std::span<const std::unique_ptr<StickUnit>> units, StickFaults& faults)
    : description_(std::move(device)),
      units_(units),
      faults_(faults),
      streams_(description_.speed == usb::Speed::super) {
    const auto packet = static_cast<std::uint16_t>(streams_ ? 1024 : 512);
    constexpr std::uint8_t bulk = 2;
    const auto pipe = [&](std::uint8_t address, std::uint8_t usage) {
        const std::uint16_t limit = streams_ && address != uas_command_pipe ? stream_limit : std::uint16_t{0};
        return usb::Endpoint{address, bulk, packet, 0, usage, limit};
    };
    description_.interfaces = {{.number = 0,
                                .alternate_setting = 0,
                                .interface_class = class_mass_storage,
                                .interface_subclass = subclass_scsi,
                                .interface_protocol = protocol_uas,
                                .name = {},
                                .endpoints = {pipe(uas_command_pipe, 1), pipe(uas_status_pipe, 2),
                                              pipe(uas_data_in_pipe, 3), pipe(uas_data_out_pipe, 4)}}};
}

std::optional<std::vector<std::byte>> UasTarget::control(const usb::Setup& /*setup*/, bool /*in*/,
                                                         std::span<const std::byte> /*data*/, std::size_t /*length*/) {
    return std::nullopt;  // UAS has no requests of its own
}

std::deque<InTransfer>& UasTarget::in(std::uint8_t endpoint) {
    go_on();
    return in_[endpoint];
}

void UasTarget::drop_everything() {
    for (auto& [endpoint, queue] : in_) {
        queue.clear();
    }
    tasks_.clear();
    prepared_.reset();
    collected_.clear();
    refused_ = 0;
}

void UasTarget::reset() {
    drop_everything();
    for (const auto& unit : units_) {
        unit->reset();
    }
}

void UasTarget::halt_cleared(std::uint8_t /*endpoint*/) {}

bool UasTarget::out(std::uint8_t endpoint, std::span<const std::byte> bytes) {
    return endpoint == uas_command_pipe ? take_unit(bytes) : take_data(0, bytes);
}

bool UasTarget::out_on_stream(std::uint8_t endpoint, std::uint16_t stream, std::span<const std::byte> bytes) {
    return endpoint == uas_data_out_pipe && streams_ && take_data(stream, bytes);
}

bool UasTarget::take_unit(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    const std::uint8_t id = reader.u8();
    reader.skip(1);
    const std::uint16_t tag = reader.u16be();
    if (id == id_task_management) {
        take_task_management(bytes);
        return true;
    }
    if (id != id_command || bytes.size() < command_unit_size) {
        send_response(tag, invalid_unit);
        return true;
    }
    if (faults_.strikes("stall-command")) {
        return false;
    }
    if (faults_.strikes("hang")) {
        return true;
    }
    reader.skip(5);
    const std::uint8_t unit = reader.u8();  // the second byte of a single-level LUN, behind byte 8
    if ((prepared_ && prepared_->first.tag == tag) ||
        std::ranges::any_of(tasks_, [tag](const Task& task) { return task.tag == tag; })) {
        send_response(tag, overlapped_tag);
        return true;
    }
    reader.skip(6);
    const auto cdb = reader.take(16);
    Task task{tag, unit, {cdb.begin(), cdb.end()}, false};
    if (unit >= units_.size()) {
        send_response(tag, wrong_logical_unit);
    } else if (faults_.strikes("phase-error")) {
        send_response(tag, invalid_unit);
    } else if (tasks_.size() >= task_limit) {
        send_sense(task, {.status = task_set_full, .data = {}, .sense = {}});
    } else {
        tasks_.push_back(std::move(task));
        go_on();
    }
    return true;
}

void UasTarget::take_task_management(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    reader.skip(2);
    const std::uint16_t tag = reader.u16be();
    const std::uint8_t function = reader.u8();
    reader.skip(1);
    const std::uint16_t about = reader.u16be();
    constexpr std::uint8_t abort_task = 0x01;
    constexpr std::uint8_t logical_unit_reset = 0x08;
    if (faults_.on("no-reset")) {
        send_response(tag, function_not_supported);
        return;
    }
    if (function == abort_task) {
        std::erase_if(tasks_, [about](const Task& task) { return task.tag == about; });
        send_response(tag, function_complete);
    } else if (function == logical_unit_reset) {
        reset();
        send_response(tag, function_complete);
    } else {
        send_response(tag, function_not_supported);
    }
}

bool UasTarget::take_data(std::uint16_t stream, std::span<const std::byte> bytes) {
    if (faults_.strikes("stall-data-out")) {
        if (!tasks_.empty()) {
            const Task task = tasks_.front();
            tasks_.pop_front();
            collected_.clear();
            StickAnswer answer;
            answer.status = status_check_condition;
            answer.sense = stick_sense(sense_aborted, false);
            send_sense(task, answer);
        }
        return false;
    }
    auto& data = collected_[stream];
    if (bytes.size() > StickUnit::transfer_limit - std::min(data.size(), StickUnit::transfer_limit)) {
        return false;
    }
    data.insert(data.end(), bytes.begin(), bytes.end());
    go_on();
    return true;
}

// Without streams all data share a pipe: what was sent for a command is taken before the next one begins.
bool UasTarget::may_go_on() const {
    return streams_ || std::ranges::all_of(in_, [](const auto& queue) { return queue.second.empty(); });
}

void UasTarget::go_on() {
    while (may_go_on() && (prepared_ || !tasks_.empty())) {
        if (prepared_) {
            auto [task, answer] = *std::exchange(prepared_, std::nullopt);
            answer_task(task, answer);
            continue;
        }
        Task& task = tasks_.front();
        const auto expected = units_[task.unit]->expectation(task.cdb);
        auto& data = collected_[streams_ ? task.tag : std::uint16_t{0}];
        if (!expected.too_much && data.size() < expected.out) {
            if (!streams_ && !task.ready_sent) {
                task.ready_sent = true;
                send_ready(task.tag, id_write_ready, StickAnswer::Clock::time_point::min());
            }
            return;
        }
        const Task now = std::move(task);
        tasks_.pop_front();
        const std::vector<std::byte> taken = std::move(data);
        data.clear();
        execute(now, std::span(taken).first(expected.too_much ? 0 : static_cast<std::size_t>(expected.out)));
    }
}

void UasTarget::execute(const Task& task, std::span<const std::byte> data) {
    if (const std::uint64_t times = faults_.number("busy", 10); faults_.on("busy")) {
        faults_.clear("busy");
        if (times > 1) {
            faults_.set("busy=" + std::to_string(times - 1));
        }
        send_sense(task, {.status = status_busy, .data = {}, .sense = {}});
        return;
    }
    StickAnswer answer = units_[task.unit]->execute(task.cdb, data);
    if (!answer.data.empty() && faults_.strikes("status-for-data")) {
        answer.data.clear();
    }
    if (!answer.data.empty() && !streams_) {  // they follow when somebody knows it
        send_ready(task.tag, id_read_ready, answer.not_before);
        prepared_.emplace(task, std::move(answer));
    } else {
        answer_task(task, answer);
    }
}

void UasTarget::answer_task(const Task& task, StickAnswer& answer) {
    if (!answer.data.empty()) {
        send_data(task, answer);
    }
    send_sense(task, answer);
}

}  // namespace plugfs::virtual_usb
