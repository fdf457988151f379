// UasTarget: what it sends: data, information units, and what it does wrong on purpose.

#include "virtual/stick/scsi_codes.h"
#include "virtual/stick/uas_target.h"

#include <plugfs/bytes.h>

namespace plugfs::virtual_usb {

using namespace stick_codes;

namespace {

// IU IDs
constexpr std::uint8_t id_sense = 0x03;
constexpr std::uint8_t id_response = 0x04;
constexpr std::uint8_t id_nonsense = 0x7f;

}  // namespace

void UasTarget::send_data(const Task& task, StickAnswer& answer) {
    if (faults_.strikes("stall-data-in")) {
        send_stall(uas_data_in_pipe, task.tag);
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
            send_stall(uas_status_pipe, task.tag);
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

void UasTarget::send_stall(std::uint8_t endpoint, std::uint16_t tag) {
    InTransfer stall;
    stall.stall = true;
    stall.stream = streams_ ? tag : std::uint16_t{0};
    in_[endpoint].push_back(std::move(stall));
}

}  // namespace plugfs::virtual_usb
