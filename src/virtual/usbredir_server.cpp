#include "virtual/usbredir_server.h"

#include "virtual/descriptors.h"

#include <fcntl.h>
#include <poll.h>
#include <usbredirparser.h>

#include <algorithm>

namespace plugfs::virtual_usb {

namespace {

// USB 2.0, 9.4
constexpr std::uint8_t request_get_status = 0;
constexpr std::uint8_t request_clear_feature = 1;
constexpr std::uint8_t request_set_feature = 3;
constexpr std::uint8_t request_get_descriptor = 6;
constexpr std::uint8_t request_get_configuration = 8;
constexpr std::uint8_t request_set_configuration = 9;
constexpr std::uint8_t request_get_interface = 10;
constexpr std::uint8_t request_set_interface = 11;

// usbredir's numbering of endpoints: IN ones from 16 on.
int endpoint_index(std::uint8_t address) {
    return ((address & 0x80) >> 3) | (address & 0x0f);
}

std::uint8_t* as_data(std::vector<std::byte>& bytes) {
    return reinterpret_cast<std::uint8_t*>(bytes.data());
}

std::uint8_t wire_speed(usb::Speed speed) {
    switch (speed) {
        case usb::Speed::low:
            return usb_redir_speed_low;
        case usb::Speed::full:
            return usb_redir_speed_full;
        case usb::Speed::high:
            return usb_redir_speed_high;
        case usb::Speed::super:
            return usb_redir_speed_super;
        default:
            return usb_redir_speed_unknown;
    }
}

}  // namespace

Result<std::unique_ptr<UsbredirServer>> UsbredirServer::create(UniqueFd socket, VirtualDevice& device,
                                                               TrafficCount& count) {
    if (::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0) {
        return fail(errno, "usbredir", "O_NONBLOCK");
    }
    std::unique_ptr<UsbredirServer> server(new UsbredirServer(std::move(socket), device, count));
    server->parser_ = usbredirparser_create();
    if (server->parser_ == nullptr) {
        return fail(ENOMEM, "usbredirparser_create");
    }
    server->set_callbacks();
    std::uint32_t caps[USB_REDIR_CAPS_SIZE] = {};
    for (const int cap : {usb_redir_cap_connect_device_version, usb_redir_cap_ep_info_max_packet_size,
                          usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length, usb_redir_cap_bulk_streams}) {
        usbredirparser_caps_set_cap(caps, cap);
    }
    device.reset();
    usbredirparser_init(server->parser_, "plugfs-virtual", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
    return server;
}

UsbredirServer::~UsbredirServer() {
    if (parser_ != nullptr) {
        usbredirparser_destroy(parser_);
    }
}

void UsbredirServer::refuse_stream(std::uint64_t id, std::uint8_t endpoint) {
    usb_redir_iso_stream_status_header status{usb_redir_inval, endpoint};
    usbredirparser_send_iso_stream_status(parser_, id, &status);
}

void UsbredirServer::announce() {
    const auto& device = device_.description();
    usb_redir_interface_info_header interfaces{};
    usb_redir_ep_info_header endpoints{};
    std::fill(std::begin(endpoints.type), std::end(endpoints.type), static_cast<std::uint8_t>(usb_redir_type_invalid));
    endpoints.type[0] = endpoints.type[16] = usb_redir_type_control;
    endpoints.max_packet_size[0] = endpoints.max_packet_size[16] = 64;
    for (const auto& interface : device.interfaces) {
        const std::uint32_t at = interfaces.interface_count++;
        interfaces.interface[at] = interface.number;
        interfaces.interface_class[at] = interface.interface_class;
        interfaces.interface_subclass[at] = interface.interface_subclass;
        interfaces.interface_protocol[at] = interface.interface_protocol;
        for (const auto& item : interface.endpoints) {
            const int index = endpoint_index(item.address);
            endpoints.type[index] = static_cast<std::uint8_t>(item.type());
            endpoints.interval[index] = item.interval;
            endpoints.interface[index] = interface.number;
            endpoints.max_packet_size[index] = item.max_packet_size;
            endpoints.max_streams[index] = item.stream_limit;
        }
    }
    usbredirparser_send_interface_info(parser_, &interfaces);
    usbredirparser_send_ep_info(parser_, &endpoints);
    usb_redir_device_connect_header connect{};
    connect.speed = wire_speed(device.speed);
    connect.vendor_id = device.vendor_id;
    connect.product_id = device.product_id;
    connect.device_version_bcd = device.device_release;
    usbredirparser_send_device_connect(parser_, &connect);
}

const usb::Endpoint* UsbredirServer::endpoint(std::uint8_t address) const {
    for (const auto& interface : device_.description().interfaces) {
        for (const auto& item : interface.endpoints) {
            if (item.address == address) {
                return &item;
            }
        }
    }
    return nullptr;
}

std::optional<std::vector<std::byte>> UsbredirServer::standard_request(std::uint8_t request, std::uint16_t value,
                                                                       std::uint16_t index, std::size_t length) {
    switch (request) {
        case request_get_descriptor:
            return descriptor(device_.description(), static_cast<std::uint8_t>(value >> 8U),
                              static_cast<std::uint8_t>(value), length);
        case request_get_status:
            return std::vector<std::byte>(std::min<std::size_t>(2, length));
        case request_get_configuration:
            return std::vector<std::byte>(std::min<std::size_t>(1, length), static_cast<std::byte>(configuration_));
        case request_get_interface:
            return std::vector<std::byte>(std::min<std::size_t>(1, length));
        case request_clear_feature:
            halted_[static_cast<std::uint8_t>(index)] = false;
            device_.halt_cleared(static_cast<std::uint8_t>(index));
            return std::vector<std::byte>();
        case request_set_feature:
        case request_set_configuration:
        case request_set_interface:
            return std::vector<std::byte>();
        default:
            return std::nullopt;
    }
}

void UsbredirServer::on_control(std::uint64_t id, usb_redir_control_packet_header& header,
                                std::span<const std::byte> data) {
    const bool in = (header.requesttype & 0x80U) != 0;
    const bool standard = (header.requesttype & 0x60U) == 0;
    const usb::Setup setup{static_cast<std::uint8_t>(header.requesttype & 0x7fU), header.request, header.value,
                           header.index};
    auto answer = standard ? standard_request(header.request, header.value, header.index, header.length)
                           : device_.control(setup, in, data, header.length);
    header.status = answer ? usb_redir_success : usb_redir_stall;
    if (answer && in) {
        answer->resize(std::min<std::size_t>(answer->size(), header.length));
        header.length = static_cast<std::uint16_t>(answer->size());
        usbredirparser_send_control_packet(parser_, id, &header, as_data(*answer), header.length);
    } else {
        header.length = answer ? header.length : std::uint16_t{0};
        usbredirparser_send_control_packet(parser_, id, &header, nullptr, 0);
    }
}

void UsbredirServer::pump_interrupt(std::uint8_t address) {
    auto& transfers = device_.in(address);
    while (receiving_[address] && !transfers.empty()) {
        auto bytes = transfers.front().bytes.take(endpoint(address)->max_packet_size);
        transfers.pop_front();
        usb_redir_interrupt_packet_header header{};
        header.endpoint = address;
        header.length = static_cast<std::uint16_t>(bytes.size());
        usbredirparser_send_interrupt_packet(parser_, interrupt_id_++, &header, as_data(bytes), header.length);
    }
}

void UsbredirServer::pump() {
    for (const auto& interface : device_.description().interfaces) {
        for (const auto& item : interface.endpoints) {
            if (item.in() && item.type() == usb::TransferType::bulk) {
                pump_bulk(item.address);
            } else if (item.in() && item.type() == usb::TransferType::interrupt) {
                pump_interrupt(item.address);
            }
        }
    }
}

std::optional<InTransfer::Clock::time_point> UsbredirServer::next_wake() const {
    std::optional<InTransfer::Clock::time_point> next;
    for (const auto& [address, requests] : waiting_) {
        if (requests.empty()) {
            continue;
        }
        for (const auto& transfer : device_.in(address)) {
            const bool wanted = std::any_of(requests.begin(), requests.end(), [&](const Request& request) {
                return transfer.stall || request.stream == transfer.stream;
            });
            if (wanted) {
                next = std::min(next.value_or(InTransfer::Clock::time_point::max()), transfer.not_before);
            }
            if (transfer.stream == 0) {
                break;  // those behind it wait for it
            }
        }
    }
    return next;
}

short UsbredirServer::events() const {
    return static_cast<short>(POLLIN | (usbredirparser_has_data_to_write(parser_) > 0 ? POLLOUT : 0));
}

bool UsbredirServer::serve() {
    if (!gone_ && usbredirparser_do_read(parser_) != 0) {
        gone_ = true;
    }
    pump();
    if (!gone_ && usbredirparser_has_data_to_write(parser_) > 0 && usbredirparser_do_write(parser_) != 0) {
        gone_ = true;
    }
    return !gone_;
}

}  // namespace plugfs::virtual_usb
