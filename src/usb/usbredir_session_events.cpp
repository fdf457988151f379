// What arrives from the usbredir peer: nothing in it is believed before it is checked.
#include "usb/usbredir_session.h"

#include <algorithm>

namespace plugfs::usb {
namespace {

constexpr std::uint16_t packet_size_mask = 0x07ff;  // wMaxPacketSize, USB 2.0, 9.6.6

}  // namespace

void UsbredirSession::on_device_connect(const usb_redir_device_connect_header& header) {
    if (speed_) {
        complain("a second device_connect is ignored");
        return;
    }
    speed_ = header.speed;
}

void UsbredirSession::on_device_disconnect() {
    // The library acknowledges by itself, where the peer wants it; run_until() sends that off.
    lose(fail(ENODEV, "usbredir", "the device was disconnected"));
}

void UsbredirSession::on_interface_info(const usb_redir_interface_info_header& /*header*/) {
    interfaces_known_ = true;  // the configuration descriptor says the same and more
}

void UsbredirSession::on_ep_info(const usb_redir_ep_info_header& header) {
    const bool sizes = stream_->peer_has(usb_redir_cap_ep_info_max_packet_size);
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        endpoints_[i].type = header.type[i];
        endpoints_[i].interface = header.interface[i];
        endpoints_[i].max_packet_size = sizes ? header.max_packet_size[i] & packet_size_mask : 0;
    }
    endpoints_known_ = true;
}

Request* UsbredirSession::answered(std::uint64_t id, Request::Kind kind, std::uint8_t endpoint) {
    std::string anomaly;
    Request* request = table_.answered(id, kind, endpoint, anomaly);
    if (anomaly.empty()) {
        silent_ = false;
    } else {
        complain(anomaly);
    }
    return request;
}

void UsbredirSession::on_configuration_status(std::uint64_t id, const usb_redir_configuration_status_header& header) {
    if (Request* request = answered(id, Request::Kind::configuration, 0)) {
        request->configuration = header.configuration;
        request->finish(error_of_status(header.status, "get configuration"));
    }
}

void UsbredirSession::on_alt_setting_status(std::uint64_t id, const usb_redir_alt_setting_status_header& header) {
    if (Request* request = answered(id, Request::Kind::alternate_setting, header.interface)) {
        request->finish(error_of_status(header.status, "set alternate setting"));
    }
}

void UsbredirSession::on_interrupt_receiving_status(const usb_redir_interrupt_receiving_status_header& header) {
    interrupts_.on_status(header.endpoint, header.status);
}

// `length` is what the peer says was moved; for IN it is the size of `data` (the library has compared them).
void UsbredirSession::finish_data(Request& request, std::uint8_t status, std::size_t length,
                                  std::span<const std::byte> data) {
    auto error = error_of_status(status, "transfer");
    const std::size_t part = std::min({request.in.size(), request.asked, data.size()});
    std::copy_n(data.begin(), part, request.in.begin());
    request.moved = (request.endpoint & 0x80U) != 0 ? part : std::min(length, request.asked);
    if (!error && (data.size() > part || length > request.asked)) {
        error = fail(EOVERFLOW, "transfer",
                     std::to_string(std::max(length, data.size())) + " bytes moved, " + std::to_string(request.asked) +
                         " asked for");
    }
    request.finish(std::move(error));
}

void UsbredirSession::on_control_packet(std::uint64_t id, const usb_redir_control_packet_header& header,
                                        std::span<const std::byte> data) {
    if (Request* request = answered(id, Request::Kind::control, header.endpoint)) {
        finish_data(*request, header.status, header.length, data);
    }
}

void UsbredirSession::on_bulk_packet(std::uint64_t id, const usb_redir_bulk_packet_header& header,
                                     std::span<const std::byte> data) {
    if (Request* request = answered(id, Request::Kind::bulk, header.endpoint)) {
        const std::size_t length = (std::size_t{header.length_high} << 16U) | header.length;
        finish_data(*request, header.status, length, data);
    }
}

void UsbredirSession::on_interrupt_packet(std::uint64_t id, const usb_redir_interrupt_packet_header& header,
                                          std::span<const std::byte> data) {
    if ((header.endpoint & 0x80U) != 0) {
        interrupts_.on_packet(header.endpoint, header.status, data);
        return;
    }
    if (Request* request = answered(id, Request::Kind::interrupt, header.endpoint)) {
        finish_data(*request, header.status, header.length, data);
    }
}

}  // namespace plugfs::usb
