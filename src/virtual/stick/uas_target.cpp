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
constexpr std::uint8_t id_sense = 0x03;
constexpr std::uint8_t id_response = 0x04;
constexpr std::uint8_t id_task_management = 0x05;
constexpr std::uint8_t id_read_ready = 0x06;
constexpr std::uint8_t id_write_ready = 0x07;
constexpr std::uint8_t id_nonsense = 0x7f;

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
    return in_[endpoint];
}

void UasTarget::drop_everything() {
    for (auto& [endpoint, queue] : in_) {
        queue.clear();
    }
    tasks_.clear();
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
    if (std::ranges::any_of(tasks_, [tag](const Task& task) { return task.tag == tag; })) {
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

void UasTarget::go_on() {
    while (!tasks_.empty()) {
        Task& task = tasks_.front();
        const auto expected = units_[task.unit]->expectation(task.cdb);
        auto& data = collected_[streams_ ? task.tag : std::uint16_t{0}];
        if (!expected.too_much && data.size() < expected.out) {
            if (!streams_ && !task.ready_sent) {
                task.ready_sent = true;
                send_ready(task.tag, id_write_ready, StickAnswer::Clock::now());
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
    if (!answer.data.empty()) {
        send_data(task, answer);
    }
    send_sense(task, answer);
}

void UasTarget::send_data(const Task& task, StickAnswer& answer) {
    if (faults_.strikes("status-for-data")) {
        return;
    }
    if (!streams_) {
        send_ready(task.tag, id_read_ready, answer.not_before);
    }
    if (faults_.strikes("stall-data-in")) {
        send_stall(uas_data_in_pipe);
        answer.status = status_check_condition;
        answer.sense = stick_sense(sense_aborted, false);
        return;
    }
    if (faults_.strikes("short-data")) {
        answer.data.resize(answer.data.size() / 2);
    }
    if (faults_.strikes("long-data")) {
        answer.data.resize(answer.data.size() + 512);
    }
    send(uas_data_in_pipe, task.tag, std::move(answer.data), answer.not_before);
}

void UasTarget::send_sense(const Task& task, const StickAnswer& answer) {
    for (const char* fault : {"stall-status", "stall-status-twice"}) {
        if (faults_.strikes(fault)) {
            send_stall(uas_status_pipe);
        }
    }
    if (faults_.strikes("empty-status")) {
        send(uas_status_pipe, task.tag, {}, answer.not_before);
    }
    ByteWriter out;
    out.u8(faults_.strikes("wrong-signature") ? id_nonsense : id_sense);
    out.u8(0);
    out.u16be(faults_.strikes("wrong-tag") ? static_cast<std::uint16_t>(task.tag + 100) : task.tag);
    out.u16be(0);
    out.u8(answer.status);
    out.u8(0);
    out.u32be(0);
    out.u16be(0);
    out.u16be(static_cast<std::uint16_t>(answer.sense.size()));
    out.append(answer.sense);
    auto bytes = std::move(out).take();
    if (faults_.strikes("short-status")) {
        bytes.resize(15);
    }
    send(uas_status_pipe, task.tag, std::move(bytes), answer.not_before);
}

void UasTarget::send_response(std::uint16_t tag, std::uint8_t code) {
    ByteWriter out;
    out.u8(id_response);
    out.u8(0);
    out.u16be(tag);
    out.u8(0);
    out.u16be(0);
    out.u8(code);
    send(uas_status_pipe, tag, std::move(out).take(), StickAnswer::Clock::now());
}

void UasTarget::send_ready(std::uint16_t tag, std::uint8_t id, StickAnswer::Clock::time_point when) {
    ByteWriter out;
    out.u8(id);
    out.u8(0);
    out.u16be(tag);
    send(uas_status_pipe, tag, std::move(out).take(), when);
}

void UasTarget::send(std::uint8_t endpoint, std::uint16_t tag, std::vector<std::byte> bytes,
                     StickAnswer::Clock::time_point when) {
    const std::size_t packet = description_.interfaces[0].endpoints[0].max_packet_size;
    InTransfer transfer;
    // No empty packet after data that fill their last one: the status says that they are over.
    transfer.zero_length_packet = bytes.empty() || bytes.size() % packet != 0;
    transfer.bytes = ByteSource(std::move(bytes));
    transfer.not_before = when;
    transfer.stream = streams_ ? tag : std::uint16_t{0};
    in_[endpoint].push_back(std::move(transfer));
}

void UasTarget::send_stall(std::uint8_t endpoint) {
    InTransfer stall;
    stall.stall = true;
    in_[endpoint].push_back(std::move(stall));
}

}  // namespace plugfs::virtual_usb
