// The scripted usb-host; see the header.
#include "scripted_host.h"

#include <plugfs/bytes.h>

#include <poll.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

namespace plugfs::usb::test {

Bytes bytes(std::initializer_list<int> values) {
    Bytes out;
    for (const int value : values) {
        out.push_back(static_cast<std::byte>(value));
    }
    return out;
}

Bytes pattern(std::size_t size, unsigned seed) {
    Bytes out(size);
    std::uint32_t state = seed * 2654435761U + 1;
    for (auto& byte : out) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::byte>(state >> 24U);
    }
    return out;
}

Bytes raw_packet(std::uint32_t type, std::uint64_t id, const Bytes& body, std::uint32_t announced, bool wide) {
    ByteWriter writer;
    writer.u32le(type);
    writer.u32le(announced);
    if (wide) {
        writer.u64le(id);
    } else {
        writer.u32le(static_cast<std::uint32_t>(id));
    }
    writer.append(body);
    return std::move(writer).take();
}

Bytes raw_packet(std::uint32_t type, std::uint64_t id, const Bytes& body) {
    return raw_packet(type, id, body, static_cast<std::uint32_t>(body.size()));
}

std::pair<UniqueFd, UniqueFd> socket_pair() {
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Model::Model()
    : device_descriptor(bytes({18, 1, 0, 2, 0, 0, 0, 64, 0x4c, 0x05, 0x34, 0x12, 0x01, 0x02, 1, 2, 3, 1})),
      configuration(bytes({9, 2, 62,   0, 2,  1,   0, 0x80, 50,  // wTotalLength 62
                           9, 4, 0,    0, 3,  6,   1, 1,    4,   // interface 0: still image, name 4
                           7, 5, 0x81, 2, 0,  2,   0,            // bulk IN
                           7, 5, 0x02, 2, 0,  2,   0,            // bulk OUT
                           7, 5, 0x83, 3, 16, 0,   6,            // interrupt IN
                           9, 4, 1,    0, 0,  255, 0, 0,    0,   // interface 1.0
                           9, 4, 1,    1, 1,  255, 0, 0,    0,   // interface 1.1
                           7, 5, 0x84, 2, 0,  2,   0})),         // bulk IN
      strings({{0, std::string("\x09\x04", 2)},
               {1, std::string("S\0o\0n\0y\0", 8)},
               {2, std::string("W\0\xe4\0", 4)},
               {3, std::string("4\0"
                               "2\0",
                               4)},
               {4, std::string("M\0T\0P\0", 6)}}),
      capabilities({usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
                    usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids,
                    usb_redir_cap_32bits_bulk_length}) {
    configuration[2] = static_cast<std::byte>(configuration.size());
}

struct ScriptedHost::Callbacks {
    static ScriptedHost& self(void* priv) { return *static_cast<ScriptedHost*>(priv); }
    static void log(void* /*priv*/, int /*level*/, const char* /*message*/) {}
    static int read(void* priv, std::uint8_t* data, int count) {
        ScriptedHost& host = self(priv);
        const ssize_t got =
            host.vanished_ ? -1 : ::recv(host.socket_.get(), data, static_cast<std::size_t>(count), MSG_DONTWAIT);
        if (got > 0) {
            return static_cast<int>(got);
        }
        if (got < 0 && !host.vanished_ && errno == EAGAIN) {
            return 0;
        }
        host.vanished_ = true;
        return -1;
    }
    static int write(void* priv, std::uint8_t* data, int count) {
        const ssize_t sent =
            ::send(self(priv).socket_.get(), data, static_cast<std::size_t>(count), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent >= 0 ? static_cast<int>(sent) : errno == EAGAIN ? 0 : -1;
    }
    static void reset(void* priv) {
        if (self(priv).hooks_.reset) {
            self(priv).hooks_.reset();
        }
    }
    static void get_configuration(void* priv, std::uint64_t id) {
        usb_redir_configuration_status_header header{usb_redir_success, self(priv).model_.active_configuration};
        usbredirparser_send_configuration_status(self(priv).parser_, id, &header);
    }
    static void set_alt_setting(void* priv, std::uint64_t id, usb_redir_set_alt_setting_header* header) {
        ScriptedHost& host = self(priv);
        usb_redir_alt_setting_status_header status{usb_redir_success, header->interface, header->alt};
        if (header->interface == 1 && header->alt <= 1) {
            host.alternate_ = header->alt == 1;
            host.send_endpoints();
        } else if (header->alt != 0) {
            status.status = usb_redir_stall;
        }
        usbredirparser_send_alt_setting_status(host.parser_, id, &status);
    }
    static void start_interrupts(void* priv, std::uint64_t /*id*/, usb_redir_start_interrupt_receiving_header* header) {
        if (self(priv).hooks_.start_interrupts) {
            self(priv).hooks_.start_interrupts(header->endpoint);
        }
    }
    static void stop_interrupts(void* priv, std::uint64_t /*id*/, usb_redir_stop_interrupt_receiving_header* header) {
        if (self(priv).hooks_.stop_interrupts) {
            self(priv).hooks_.stop_interrupts(header->endpoint);
        }
    }
    static void cancel(void* priv, std::uint64_t id) {
        if (self(priv).hooks_.cancel) {
            self(priv).hooks_.cancel(id);
        }
    }
    static void disconnect_ack(void* /*priv*/) {}
    static void control(void* priv, std::uint64_t id, usb_redir_control_packet_header* header, std::uint8_t* data,
                        int length) {
        self(priv).answer_control(id, *header, std::as_bytes(std::span(data, static_cast<std::size_t>(length))));
        usbredirparser_free_packet_data(self(priv).parser_, data);
    }
    static void bulk(void* priv, std::uint64_t id, usb_redir_bulk_packet_header* header, std::uint8_t* data,
                     int length) {
        if (self(priv).hooks_.bulk) {
            self(priv).hooks_.bulk(id, *header, std::as_bytes(std::span(data, static_cast<std::size_t>(length))));
        }
        usbredirparser_free_packet_data(self(priv).parser_, data);
    }
};

ScriptedHost::ScriptedHost(UniqueFd socket, Model model, Hooks hooks)
    : socket_(std::move(socket)), model_(std::move(model)), hooks_(std::move(hooks)), parser_(usbredirparser_create()) {
    REQUIRE(parser_ != nullptr);
    parser_->priv = this;
    parser_->log_func = Callbacks::log;
    parser_->read_func = Callbacks::read;
    parser_->write_func = Callbacks::write;
    parser_->hello_func = [](void* priv, usb_redir_hello_header*) { Callbacks::self(priv).introduce(); };
    parser_->reset_func = Callbacks::reset;
    parser_->get_configuration_func = Callbacks::get_configuration;
    parser_->set_alt_setting_func = Callbacks::set_alt_setting;
    parser_->start_interrupt_receiving_func = Callbacks::start_interrupts;
    parser_->stop_interrupt_receiving_func = Callbacks::stop_interrupts;
    parser_->cancel_data_packet_func = Callbacks::cancel;
    parser_->device_disconnect_ack_func = Callbacks::disconnect_ack;
    parser_->control_packet_func = Callbacks::control;
    parser_->bulk_packet_func = Callbacks::bulk;
    std::array<std::uint32_t, USB_REDIR_CAPS_SIZE> capabilities{};
    for (const int capability : model_.capabilities) {
        usbredirparser_caps_set_cap(capabilities.data(), capability);
    }
    usbredirparser_init(parser_, "scripted", capabilities.data(), USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
    thread_ = std::thread([this] { run(); });
}

ScriptedHost::~ScriptedHost() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    stop();
    usbredirparser_destroy(parser_);
}

void ScriptedHost::stop() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void ScriptedHost::run() {
    while (!vanished_) {
        if (usbredirparser_has_data_to_write(parser_) > 0 && usbredirparser_do_write(parser_) < 0) {
            break;
        }
        const bool sending = usbredirparser_has_data_to_write(parser_) > 0;
        pollfd fd{socket_.get(), static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0};
        if (::poll(&fd, 1, 30'000) <= 0 || usbredirparser_do_read(parser_) == usbredirparser_read_io_error) {
            break;
        }
    }
    ::shutdown(socket_.get(), SHUT_RDWR);
}

void ScriptedHost::introduce() {
    send_endpoints();
    usb_redir_device_connect_header connect{};
    connect.speed = model_.speed;
    connect.vendor_id = 0x054c;
    connect.product_id = 0x1234;
    usbredirparser_send_device_connect(parser_, &connect);
}

void ScriptedHost::send_endpoints() {
    usb_redir_ep_info_header endpoints{};
    std::fill(std::begin(endpoints.type), std::end(endpoints.type), std::uint8_t{usb_redir_type_invalid});
    const auto set = [&](int index, int type, int interface, int size) {
        endpoints.type[index] = static_cast<std::uint8_t>(type);
        endpoints.interface[index] = static_cast<std::uint8_t>(interface);
        endpoints.max_packet_size[index] = static_cast<std::uint16_t>(size);
    };
    set(0, usb_redir_type_control, 0, 64);
    set(16, usb_redir_type_control, 0, 64);
    set(17, usb_redir_type_bulk, 0, 512);
    set(2, usb_redir_type_bulk, 0, 512);
    set(19, usb_redir_type_interrupt, 0, 16);
    if (alternate_) {
        set(20, usb_redir_type_bulk, 1, 512);
    }
    usb_redir_interface_info_header interfaces{};
    interfaces.interface_count = 2;
    interfaces.interface[1] = 1;
    usbredirparser_send_ep_info(parser_, &endpoints);
    usbredirparser_send_interface_info(parser_, &interfaces);
}

Bytes ScriptedHost::descriptor(const usb_redir_control_packet_header& header) const {
    const auto index = static_cast<std::uint8_t>(header.value & 0xffU);
    switch (header.value >> 8U) {
        case 1:
            return model_.device_descriptor;
        case 2:
            return model_.configuration;
        case 3:
            if (const auto found = model_.strings.find(index); found != model_.strings.end()) {
                Bytes out = bytes({static_cast<int>(found->second.size()) + 2, 3});
                const auto body = std::as_bytes(std::span(found->second));
                out.insert(out.end(), body.begin(), body.end());
                return out;
            }
            return {};
        default:
            return {};
    }
}

void ScriptedHost::answer_control(std::uint64_t id, usb_redir_control_packet_header header,
                                  std::span<const std::byte> data) {
    if (header.requesttype == 0x80 && header.request == 6) {
        Bytes answer = descriptor(header);
        header.status = answer.empty() ? usb_redir_stall : usb_redir_success;
        answer.resize(std::min<std::size_t>(answer.size(), header.length));
        header.length = static_cast<std::uint16_t>(answer.size());
        usbredirparser_send_control_packet(parser_, id, &header, reinterpret_cast<std::uint8_t*>(answer.data()),
                                           header.length);
    } else if (header.requesttype == 2 && header.request == 1) {
        if (hooks_.clear_halt) {
            hooks_.clear_halt(static_cast<std::uint8_t>(header.index));
        }
        header.status = usb_redir_success;
        usbredirparser_send_control_packet(parser_, id, &header, nullptr, 0);
    } else if (hooks_.control) {
        hooks_.control(id, header, data);
    }
}

void ScriptedHost::answer_bulk(std::uint64_t id, std::uint8_t endpoint, std::uint8_t status,
                               std::span<const std::byte> data) {
    usb_redir_bulk_packet_header header{};
    header.endpoint = endpoint;
    header.status = status;
    header.length = static_cast<std::uint16_t>(data.size() & 0xffffU);
    header.length_high = static_cast<std::uint16_t>(data.size() >> 16U);
    Bytes copy(data.begin(), data.end());
    usbredirparser_send_bulk_packet(parser_, id, &header, reinterpret_cast<std::uint8_t*>(copy.data()),
                                    static_cast<int>(copy.size()));
}

void ScriptedHost::answer_bulk_out(std::uint64_t id, std::uint8_t endpoint, std::uint8_t status, std::size_t length) {
    usb_redir_bulk_packet_header header{};
    header.endpoint = endpoint;
    header.status = status;
    header.length = static_cast<std::uint16_t>(length & 0xffffU);
    header.length_high = static_cast<std::uint16_t>(length >> 16U);
    usbredirparser_send_bulk_packet(parser_, id, &header, nullptr, 0);
}

void ScriptedHost::interrupt(std::uint8_t endpoint, std::uint8_t status, std::span<const std::byte> data) {
    usb_redir_interrupt_packet_header header{endpoint, status, static_cast<std::uint16_t>(data.size())};
    Bytes copy(data.begin(), data.end());
    usbredirparser_send_interrupt_packet(parser_, 0, &header, reinterpret_cast<std::uint8_t*>(copy.data()),
                                         static_cast<int>(copy.size()));
}

void ScriptedHost::interrupt_status(std::uint8_t endpoint, std::uint8_t status) {
    usb_redir_interrupt_receiving_status_header header{status, endpoint};
    usbredirparser_send_interrupt_receiving_status(parser_, 0, &header);
}

void ScriptedHost::disconnect() {
    usbredirparser_send_device_disconnect(parser_);
}

void ScriptedHost::send_raw(const Bytes& packet) {
    // What the library still holds goes first. A guest that has closed meanwhile is no failure of the host's.
    while (usbredirparser_has_data_to_write(parser_) > 0) {
        if (usbredirparser_do_write(parser_) < 0) {
            return;
        }
    }
    std::span<const std::byte> rest(packet);
    while (!rest.empty()) {
        const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        rest = rest.subspan(static_cast<std::size_t>(sent));
    }
}

}  // namespace plugfs::usb::test
