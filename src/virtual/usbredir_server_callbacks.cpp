// UsbredirServer: what the parser calls.

#include "common/log.h"
#include "virtual/usbredir_server.h"

#include <sys/socket.h>
#include <usbredirparser.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace plugfs::virtual_usb {

namespace {

std::uint8_t known_or_invalid(bool known) {
    return known ? usb_redir_success : usb_redir_inval;
}

std::span<const std::byte> as_bytes(const std::uint8_t* data, int length) {
    return {reinterpret_cast<const std::byte*>(data),
            data != nullptr && length > 0 ? static_cast<std::size_t>(length) : 0};
}

void on_log(void* /*self*/, int level, const char* message) {
    if (level <= usbredirparser_warning) {
        log::warning(std::string("usbredir: ") + message);
    }
}

}  // namespace

void UsbredirServer::set_callbacks() {
    parser_->priv = this;
    parser_->log_func = on_log;
    parser_->read_func = [](void* at, std::uint8_t* data, int count) {
        const ssize_t got = ::recv(self(at).fd(), data, static_cast<std::size_t>(count), 0);
        if (got > 0) {
            return static_cast<int>(got);
        }
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    };
    parser_->write_func = [](void* at, std::uint8_t* data, int count) {
        const ssize_t put = ::send(self(at).fd(), data, static_cast<std::size_t>(count), MSG_NOSIGNAL);
        if (put >= 0) {
            return static_cast<int>(put);
        }
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    };
    parser_->hello_func = [](void* at, usb_redir_hello_header*) { self(at).announce(); };
    parser_->reset_func = [](void* at) {
        self(at).waiting_.clear();
        self(at).halted_.clear();
        self(at).device_.reset();
    };
    parser_->set_configuration_func = [](void* at, std::uint64_t id, usb_redir_set_configuration_header* header) {
        self(at).configuration_ = header->configuration;
        usb_redir_configuration_status_header status{usb_redir_success, header->configuration};
        usbredirparser_send_configuration_status(self(at).parser_, id, &status);
    };
    parser_->get_configuration_func = [](void* at, std::uint64_t id) {
        usb_redir_configuration_status_header status{usb_redir_success, self(at).configuration_};
        usbredirparser_send_configuration_status(self(at).parser_, id, &status);
    };
    parser_->set_alt_setting_func = [](void* at, std::uint64_t id, usb_redir_set_alt_setting_header* header) {
        const bool known = header->alt == 0 && header->interface < self(at).device_.description().interfaces.size();
        usb_redir_alt_setting_status_header status{known_or_invalid(known), header->interface, 0};
        usbredirparser_send_alt_setting_status(self(at).parser_, id, &status);
    };
    parser_->get_alt_setting_func = [](void* at, std::uint64_t id, usb_redir_get_alt_setting_header* header) {
        usb_redir_alt_setting_status_header status{usb_redir_success, header->interface, 0};
        usbredirparser_send_alt_setting_status(self(at).parser_, id, &status);
    };
    parser_->start_interrupt_receiving_func = [](void* at, std::uint64_t id,
                                                 usb_redir_start_interrupt_receiving_header* header) {
        const bool known = self(at).endpoint(header->endpoint) != nullptr && (header->endpoint & 0x80U) != 0;
        self(at).receiving_[header->endpoint] = known;
        usb_redir_interrupt_receiving_status_header status{known_or_invalid(known), header->endpoint};
        usbredirparser_send_interrupt_receiving_status(self(at).parser_, id, &status);
    };
    parser_->stop_interrupt_receiving_func = [](void* at, std::uint64_t id,
                                                usb_redir_stop_interrupt_receiving_header* header) {
        self(at).receiving_[header->endpoint] = false;
        usb_redir_interrupt_receiving_status_header status{usb_redir_success, header->endpoint};
        usbredirparser_send_interrupt_receiving_status(self(at).parser_, id, &status);
    };
    parser_->alloc_bulk_streams_func = [](void* at, std::uint64_t id, usb_redir_alloc_bulk_streams_header* header) {
        self(at).answer_streams(id, header->endpoints, header->no_streams);
    };
    parser_->free_bulk_streams_func = [](void* at, std::uint64_t id, usb_redir_free_bulk_streams_header* header) {
        self(at).answer_streams(id, header->endpoints, 0);
    };
    parser_->cancel_data_packet_func = [](void* at, std::uint64_t id) { self(at).cancel(id); };
    parser_->control_packet_func = [](void* at, std::uint64_t id, usb_redir_control_packet_header* header,
                                      std::uint8_t* data, int length) {
        self(at).on_control(id, *header, as_bytes(data, length));
        usbredirparser_free_packet_data(self(at).parser_, data);
    };
    parser_->bulk_packet_func = [](void* at, std::uint64_t id, usb_redir_bulk_packet_header* header, std::uint8_t* data,
                                   int length) {
        self(at).on_bulk(id, *header, as_bytes(data, length));
        usbredirparser_free_packet_data(self(at).parser_, data);
    };
    set_callbacks_for_what_is_not_there();
}

// The parser calls what it is not given, too.
void UsbredirServer::set_callbacks_for_what_is_not_there() {
    parser_->start_iso_stream_func = [](void* at, std::uint64_t id, usb_redir_start_iso_stream_header* header) {
        self(at).refuse_stream(id, header->endpoint);
    };
    parser_->stop_iso_stream_func = [](void* at, std::uint64_t id, usb_redir_stop_iso_stream_header* header) {
        self(at).refuse_stream(id, header->endpoint);
    };
    parser_->iso_packet_func = [](void* at, std::uint64_t, usb_redir_iso_packet_header*, std::uint8_t* data, int) {
        usbredirparser_free_packet_data(self(at).parser_, data);
    };
    parser_->interrupt_packet_func = [](void* at, std::uint64_t id, usb_redir_interrupt_packet_header* header,
                                        std::uint8_t* data, int) {
        usb_redir_interrupt_packet_header status{header->endpoint, usb_redir_inval, 0};
        usbredirparser_send_interrupt_packet(self(at).parser_, id, &status, nullptr, 0);
        usbredirparser_free_packet_data(self(at).parser_, data);
    };
    parser_->buffered_bulk_packet_func = [](void* at, std::uint64_t, usb_redir_buffered_bulk_packet_header*,
                                            std::uint8_t* data,
                                            int) { usbredirparser_free_packet_data(self(at).parser_, data); };
    parser_->start_bulk_receiving_func = [](void*, std::uint64_t, usb_redir_start_bulk_receiving_header*) {};
    parser_->stop_bulk_receiving_func = [](void*, std::uint64_t, usb_redir_stop_bulk_receiving_header*) {};
    parser_->filter_reject_func = [](void*) {};
    parser_->filter_filter_func = [](void*, usbredirfilter_rule* rules, int) { std::free(rules); };
    parser_->device_disconnect_ack_func = [](void*) {};
}

}  // namespace plugfs::virtual_usb
