#include "virtual/player/responder.h"

#include <algorithm>

namespace plugfs::virtual_usb {

namespace op = mtp::operation;
namespace rc = mtp::response;

namespace {

constexpr std::size_t header_size = 12;

std::vector<usb::Interface> player_interfaces(usb::Speed speed) {
    const std::uint16_t packet = speed == usb::Speed::super ? 1024 : 512;
    usb::Interface interface;
    interface.interface_class = 6;
    interface.interface_subclass = 1;
    interface.interface_protocol = 1;
    interface.name = "MTP";
    interface.endpoints = {
        {player_bulk_in, 2, packet, 0}, {player_bulk_out, 2, packet, 0}, {player_interrupt_in, 3, 28, 6}};
    return {interface};
}

}  // namespace

Responder::Responder(DeviceDescription description, ObjectStore& store, Faults& faults)
    : description_(std::move(description)),
      store_(store),
      faults_(faults),
      shelf_(store),
      properties_(description_.product) {
    description_.interfaces = player_interfaces(description_.speed);
}

std::deque<InTransfer>& Responder::in(std::uint8_t endpoint) {
    return endpoint == player_interrupt_in ? interrupt_ : bulk_;
}

void Responder::reset() {
    bulk_.clear();
    interrupt_.clear();
    command_.clear();
    drop_incoming();
    edited_ = 0;
    session_open_ = false;
}

void Responder::halt_cleared(std::uint8_t /*endpoint*/) {}

std::optional<std::vector<std::byte>> Responder::control(const usb::Setup& setup, bool in,
                                                         std::span<const std::byte> data, std::size_t length) {
    // Still Image Class 1.0, 5.2
    switch (setup.request) {
        case mtp::request_cancel: {
            ByteReader reader(data);
            if (in || reader.u16le() != mtp::cancellation_code) {
                return std::nullopt;
            }
            bulk_.clear();
            command_.clear();
            drop_incoming();
            ++cancelled_;
            return std::vector<std::byte>();
        }
        case mtp::request_device_reset:
            if (in) {
                return std::nullopt;
            }
            reset();
            return std::vector<std::byte>();
        case mtp::request_get_device_status: {
            ByteWriter status;
            status.u16le(4);
            status.u16le(rc::ok);
            auto bytes = std::move(status).take();
            bytes.resize(std::min(bytes.size(), length));
            return in ? std::optional(bytes) : std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

bool Responder::out(std::uint8_t /*endpoint*/, std::span<const std::byte> bytes) {
    if (incoming_) {
        return take_data(bytes);
    }
    if (bytes.empty()) {
        return true;  // the end of data that filled its last packet
    }
    command_.insert(command_.end(), bytes.begin(), bytes.end());
    ByteReader reader(command_);
    const std::uint32_t length = reader.u32le();
    const std::uint16_t type = reader.u16le();
    const std::uint16_t operation = reader.u16le();
    const std::uint32_t transaction = reader.u32le();
    if (!reader.ok() || length < header_size || length > header_size + 20 ||
        type != static_cast<std::uint16_t>(mtp::ContainerType::command)) {
        command_.clear();
        return false;  // no command: the endpoint stalls
    }
    if (command_.size() < length) {
        return true;
    }
    Parameters parameters{};
    for (auto& parameter : parameters) {
        parameter = reader.offset() + 4 <= length ? reader.u32le() : 0;
    }
    command_.clear();
    execute(operation, transaction, parameters);
    return true;
}

bool Responder::supported(std::uint16_t operation) const {
    switch (operation) {
        case op::get_object_prop_list:
            return !faults_.on("no-object-prop-list") && !faults_.on("no-properties");
        case op::get_object_props_supported:
        case op::get_object_prop_desc:
        case op::get_object_prop_value:
            return !faults_.on("no-properties");
        case op::get_object_references:
        case op::set_object_references:
            return !faults_.on("no-references");
        case op::begin_edit_object:
        case op::end_edit_object:
        case op::truncate_object:
        case op::send_partial_object:
            return !faults_.on("no-edit");
        case op::set_object_prop_value:
            return !faults_.on("no-rename") && !faults_.on("no-properties");
        case op::move_object:
            return !faults_.on("no-move");
        case op::copy_object:
            return !faults_.on("no-copy");
        default:
            break;
    }
    if (operation == op::get_partial_object_64) {
        return !faults_.on("no-partial-64") && !faults_.on("no-partial");
    }
    return operation != op::get_partial_object || !faults_.on("no-partial");
}

void Responder::execute(std::uint16_t operation, std::uint32_t transaction, const Parameters& parameters) {
    ++transactions_[operation];
    if (faults_.on("hang")) {
        return;
    }
    operation_ = operation;
    transaction_ = transaction;
    answer_ = {};
    // A command while an answer is still being fetched ends that answer.
    bulk_.clear();
    std::uint16_t code = rc::operation_not_supported;
    if (operation == op::open_session) {
        code = session_open_ ? rc::session_already_open : rc::ok;
        if (!session_open_) {
            if (faults_.on("new-handles")) {
                store_.new_handles();
            }
            interrupt_.clear();
        }
        session_open_ = true;
    } else if (operation == op::get_device_info) {
        send_dataset(device_info());
        code = rc::ok;
    } else if (!session_open_) {
        code = rc::session_not_open;
    } else if (supported(operation) && takes_data(operation)) {
        expect_data(operation, transaction, parameters);
        return;
    } else if (supported(operation)) {
        code = dispatch(operation, parameters);
    }
    if (code != 0) {
        send_response(code);
    }
}

std::uint16_t Responder::dispatch(std::uint16_t operation, const Parameters& parameters) {
    switch (operation) {
        case op::close_session:
            drop_incoming();
            session_open_ = false;
            return rc::ok;
        case op::get_storage_ids:
            return storage_ids();
        case op::get_storage_info:
            return storage_info(parameters[0]);
        case op::get_num_objects:
            return object_handles(parameters, true);
        case op::get_object_handles:
            return object_handles(parameters, false);
        case op::get_object_info:
            return object_info(parameters[0]);
        case op::get_object:
            return object(parameters[0], 0, UINT64_MAX);
        case op::get_partial_object:
            return object(parameters[0], parameters[1], parameters[2]);
        case op::get_partial_object_64:
            return object(parameters[0], (std::uint64_t{parameters[2]} << 32U) | parameters[1], parameters[3]);
        case op::get_object_props_supported:
            return object_props_supported();
        case op::get_object_prop_desc:
            return object_prop_desc(parameters[0]);
        case op::get_object_prop_value:
            return object_prop_value(parameters[0], parameters[1]);
        case op::get_object_prop_list:
            return object_prop_list(parameters);
        case op::get_object_references:
            return object_references(parameters[0]);
        case op::get_thumb:
            return thumb(parameters[0]);
        case op::get_device_prop_desc:
        case op::get_device_prop_value:
            return device_prop(parameters[0], operation == op::get_device_prop_desc);
        case op::delete_object:
        case op::copy_object:
        case op::move_object:
        case op::begin_edit_object:
        case op::end_edit_object:
        case op::truncate_object:
            return change(operation, parameters);
        default:
            return rc::operation_not_supported;
    }
}

std::vector<std::byte> Responder::container(mtp::ContainerType type, std::uint16_t code, std::uint64_t payload) const {
    ByteWriter out;
    std::uint64_t length = header_size + payload;
    if (type == mtp::ContainerType::data) {
        length += faults_.on("long-length") ? 1000 : 0;
        length -= faults_.on("short-length") && payload > 1 ? payload / 2 : 0;
    }
    // 0xFFFFFFFF: longer than the field can say; the end is where the short packet is.
    out.u32le(static_cast<std::uint32_t>(std::min<std::uint64_t>(length, 0xFFFFFFFF)));
    out.u16le(faults_.on("wrong-container-type") ? 77 : static_cast<std::uint16_t>(type));
    out.u16le(code);
    out.u32le(transaction_ + (faults_.on("wrong-transaction-id") ? 5 : 0));
    return std::move(out).take();
}

void Responder::queue(ByteSource bytes, bool data) {
    InTransfer transfer;
    const auto now = InTransfer::Clock::now();
    if (faults_.on("slow")) {
        transfer.not_before = now + std::chrono::milliseconds(faults_.number("slow", 100));
    }
    if (faults_.on("slow-copy") && operation_ == op::copy_object) {
        transfer.not_before = now + std::chrono::milliseconds(faults_.number("slow-copy", 100));
    }
    if (faults_.on("throttle")) {
        const std::uint64_t rate = std::max<std::uint64_t>(faults_.number("throttle", std::uint64_t{1} << 20U), 1);
        transfer.not_before =
            std::max(transfer.not_before, now + std::chrono::microseconds(bytes.size() * 1'000'000 / rate));
    }
    transfer.stall = faults_.on(data ? "stall-data" : "stall-response");
    transfer.zero_length_packet = !faults_.on("missing-zlp");
    transfer.bytes = std::move(bytes);
    bulk_.push_back(std::move(transfer));
}

void Responder::send_data(ByteSource payload) {
    const std::uint64_t size = payload.size();
    data_sent_ += size;
    auto header = container(mtp::ContainerType::data, operation_, size);
    if (faults_.on("header-apart")) {
        queue(ByteSource(std::move(header)), true);
        queue(std::move(payload), true);
        return;
    }
    const std::uint64_t sent = faults_.on("short-data") ? size / 2 : size;
    ByteSource all(std::move(header));
    auto rest = std::make_shared<ByteSource>(std::move(payload));
    all.append(sent, [rest](std::span<std::byte> out) {
        const auto bytes = rest->take(out.size());
        std::copy(bytes.begin(), bytes.end(), out.begin());
    });
    queue(std::move(all), true);
}

void Responder::send_dataset(std::vector<std::byte> bytes) {
    if (faults_.on("lying-count") && bytes.size() >= 4) {
        std::fill_n(bytes.begin(), 4, std::byte{0xff});
    }
    if (faults_.on("garbage")) {
        std::uint32_t state = 12345;
        for (auto& byte : bytes) {
            state = (state * 1664525) + 1013904223;
            byte = static_cast<std::byte>(state >> 24U);
        }
    }
    send_data(ByteSource(std::move(bytes)));
}

void Responder::send_response(std::uint16_t code) {
    ByteWriter out;
    out.append(container(mtp::ContainerType::response, code, sizeof answer_));
    for (const std::uint32_t parameter : answer_) {
        out.u32le(parameter);
    }
    queue(ByteSource(std::move(out).take()), false);
}

void Responder::send_event(std::uint16_t code, std::uint32_t parameter) {
    constexpr std::size_t event_limit = 64;
    if (!session_open_ || interrupt_.size() >= event_limit) {
        return;
    }
    ByteWriter out;
    out.u32le(header_size + 4);
    out.u16le(static_cast<std::uint16_t>(mtp::ContainerType::event));
    out.u16le(code);
    out.u32le(0);
    out.u32le(parameter);
    InTransfer transfer;
    transfer.bytes = ByteSource(std::move(out).take());
    interrupt_.push_back(std::move(transfer));
}

}  // namespace plugfs::virtual_usb
