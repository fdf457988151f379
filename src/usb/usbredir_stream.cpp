// The socket, the library and its callbacks; see the header.
#include "usb/usbredir_stream.h"
#include "usb/wait.h"

#include "common/log.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace plugfs::usb {
namespace {

constexpr std::size_t input_size = std::size_t{64} << 10U;
// A peer that never stops sending must not keep us from looking at the clock.
constexpr std::size_t read_budget = std::size_t{8} << 20U;
// What may wait for a peer that does not read. The library keeps a plain list, so the count is bounded too.
constexpr std::uint64_t output_limit = std::uint64_t{64} << 20U;
constexpr int output_count_limit = 4096;

}  // namespace

// Exceptions (bad_alloc, in practice) must not pass through the library's C frames: they break the stream instead.
struct UsbredirStream::Callbacks {
    static UsbredirStream& self(void* priv) { return *static_cast<UsbredirStream*>(priv); }

    template <class Call>
    static void contain(void* priv, const Call& call) noexcept {
        UsbredirStream& stream = self(priv);
        if (stream.broken()) {
            return;
        }
        try {
            call(stream.events_);
        } catch (...) {
            stream.break_off(Error{ENOMEM, "usbredir", "no memory for what arrived"});
        }
    }

    // The library hands the data of a packet over with malloc's ownership.
    template <class Call>
    static void contain_data(void* priv, std::uint8_t* data, int length, const Call& call) noexcept {
        contain(priv, [&](UsbredirEvents& events) {
            call(events, std::as_bytes(std::span(data, data == nullptr ? 0U : static_cast<std::size_t>(length))));
        });
        usbredirparser_free_packet_data(self(priv).parser_, data);
    }

    static void log(void* /*priv*/, int level, const char* message) noexcept {
        if (level <= usbredirparser_warning) {
            log::debug(std::string("usbredirparser: ") + message);
        }
    }
    static int read(void* priv, std::uint8_t* data, int count) noexcept {
        return self(priv).read(std::as_writable_bytes(std::span(data, static_cast<std::size_t>(std::max(count, 0)))));
    }
    static int write(void* priv, std::uint8_t* data, int count) noexcept {
        return self(priv).write(std::as_bytes(std::span(data, static_cast<std::size_t>(std::max(count, 0)))));
    }
    static void hello(void* priv, usb_redir_hello_header* /*header*/) {
        if (self(priv).peer_has(usb_redir_cap_64bits_ids)) {
            self(priv).guard_.use_wide_ids();
        }
        contain(priv, [&](UsbredirEvents& events) { events.on_hello(); });
    }
    static void device_connect(void* priv, usb_redir_device_connect_header* header) {
        contain(priv, [&](UsbredirEvents& events) { events.on_device_connect(*header); });
    }
    static void device_disconnect(void* priv) {
        contain(priv, [&](UsbredirEvents& events) { events.on_device_disconnect(); });
    }
    static void interface_info(void* priv, usb_redir_interface_info_header* header) {
        contain(priv, [&](UsbredirEvents& events) { events.on_interface_info(*header); });
    }
    static void ep_info(void* priv, usb_redir_ep_info_header* header) {
        contain(priv, [&](UsbredirEvents& events) { events.on_ep_info(*header); });
    }
    static void configuration_status(void* priv, std::uint64_t id, usb_redir_configuration_status_header* header) {
        contain(priv, [&](UsbredirEvents& events) { events.on_configuration_status(id, *header); });
    }
    static void alt_setting_status(void* priv, std::uint64_t id, usb_redir_alt_setting_status_header* header) {
        contain(priv, [&](UsbredirEvents& events) { events.on_alt_setting_status(id, *header); });
    }
    static void interrupt_receiving_status(void* priv, std::uint64_t /*id*/,
                                           usb_redir_interrupt_receiving_status_header* header) {
        contain(priv, [&](UsbredirEvents& events) { events.on_interrupt_receiving_status(*header); });
    }
    static void control_packet(void* priv, std::uint64_t id, usb_redir_control_packet_header* header,
                               std::uint8_t* data, int length) {
        contain_data(priv, data, length,
                     [&](UsbredirEvents& events, auto bytes) { events.on_control_packet(id, *header, bytes); });
    }
    static void bulk_packet(void* priv, std::uint64_t id, usb_redir_bulk_packet_header* header, std::uint8_t* data,
                            int length) {
        contain_data(priv, data, length,
                     [&](UsbredirEvents& events, auto bytes) { events.on_bulk_packet(id, *header, bytes); });
    }
    static void interrupt_packet(void* priv, std::uint64_t id, usb_redir_interrupt_packet_header* header,
                                 std::uint8_t* data, int length) {
        contain_data(priv, data, length,
                     [&](UsbredirEvents& events, auto bytes) { events.on_interrupt_packet(id, *header, bytes); });
    }

    // All packets that the guard lets through; the library calls no others.
    static void install(usbredirparser& parser) {
        parser.log_func = log;
        parser.read_func = read;
        parser.write_func = write;
        parser.hello_func = hello;
        parser.device_connect_func = device_connect;
        parser.device_disconnect_func = device_disconnect;
        parser.interface_info_func = interface_info;
        parser.ep_info_func = ep_info;
        parser.configuration_status_func = configuration_status;
        parser.alt_setting_status_func = alt_setting_status;
        parser.interrupt_receiving_status_func = interrupt_receiving_status;
        parser.control_packet_func = control_packet;
        parser.bulk_packet_func = bulk_packet;
        parser.interrupt_packet_func = interrupt_packet;
    }
};

UsbredirStream::UsbredirStream(UniqueFd socket, UsbredirEvents& events, const std::size_t& bulk_limit)
    : socket_(std::move(socket)), events_(events), guard_(bulk_limit), input_(input_size) {}

Result<std::unique_ptr<UsbredirStream>> UsbredirStream::create(UniqueFd socket, UsbredirEvents& events,
                                                               const std::size_t& bulk_limit) {
    std::unique_ptr<UsbredirStream> stream(new UsbredirStream(std::move(socket), events, bulk_limit));
    stream->parser_ = usbredirparser_create();
    if (stream->parser_ == nullptr) {
        return fail(ENOMEM, "usbredir", "no memory for the parser");
    }
    stream->parser_->priv = stream.get();
    Callbacks::install(*stream->parser_);
    std::array<std::uint32_t, USB_REDIR_CAPS_SIZE> capabilities{};
    for (const int capability :
         {usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
          usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids, usb_redir_cap_32bits_bulk_length}) {
        usbredirparser_caps_set_cap(capabilities.data(), capability);
    }
    usbredirparser_init(stream->parser_, "plugfs", capabilities.data(), USB_REDIR_CAPS_SIZE, 0);
    return stream;
}

UsbredirStream::~UsbredirStream() {
    if (parser_ != nullptr) {
        usbredirparser_destroy(parser_);
    }
}

void UsbredirStream::break_off(Error error) {
    if (state_.ok()) {
        state_ = std::move(error);
    }
}

Result<void> UsbredirStream::may_send() const {
    PLUGFS_TRY(state_);
    if (usbredirparser_has_data_to_write(parser_) >= output_count_limit ||
        usbredirparser_get_bufferered_output_size(parser_) >= output_limit) {
        return fail(EIO, "usbredir", "the other side does not read what it is sent");
    }
    return {};
}

long UsbredirStream::receive(std::span<std::byte> out) {
    for (;;) {
        const ssize_t got = ::recv(socket_.get(), out.data(), out.size(), MSG_DONTWAIT);
        if (got > 0) {
            return got;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return 0;
        }
        break_off(fail(ENODEV, "usbredir", got == 0 ? "the other side has closed" : std::strerror(errno)));
        return -1;
    }
}

// Small pieces (headers) come out of a buffer, large ones (data) go straight where they belong.
int UsbredirStream::read(std::span<std::byte> out) {
    if (broken()) {
        return -1;
    }
    out = out.first(std::min(out.size(), budget_));
    if (out.empty()) {
        return 0;
    }
    long got = 0;
    if (input_begin_ == input_end_ && out.size() >= input_.size()) {
        got = receive(out);
    } else {
        if (input_begin_ == input_end_) {
            input_begin_ = 0;
            input_end_ = static_cast<std::size_t>(std::max(receive(input_), 0L));
        }
        const std::size_t part = std::min(out.size(), input_end_ - input_begin_);
        std::copy_n(input_.begin() + static_cast<std::ptrdiff_t>(input_begin_), part, out.begin());
        input_begin_ += part;
        got = static_cast<long>(part);
    }
    if (got <= 0) {
        return broken() ? -1 : 0;
    }
    if (auto checked = guard_.check(out.first(static_cast<std::size_t>(got))); !checked) {
        break_off(checked.error());
        return -1;
    }
    budget_ -= static_cast<std::size_t>(got);
    return static_cast<int>(got);
}

int UsbredirStream::write(std::span<const std::byte> bytes) {
    for (;;) {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            return static_cast<int>(sent);
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        }
        // Not broken yet: what the peer said before it closed is still to be read, and reading ends in its close.
        return -1;
    }
}

void UsbredirStream::flush() {
    if (!broken() && !sending_failed_ && usbredirparser_has_data_to_write(parser_) > 0) {
        sending_failed_ = usbredirparser_do_write(parser_) < 0;
    }
}

Result<bool> UsbredirStream::pump(Deadline deadline, int wake_fd) {
    PLUGFS_TRY(state_);
    flush();
    bool woken = false;
    if (!sending_failed_) {
        const bool ahead = input_begin_ != input_end_;
        PLUGFS_ASSIGN(woken, wait(ahead ? Deadline::after(std::chrono::milliseconds(0)) : deadline, wake_fd));
    }
    budget_ = read_budget;
    if (usbredirparser_do_read(parser_) == usbredirparser_read_parse_error) {
        break_off(fail(EPROTO, "usbredir", "a packet contradicts its own header"));
    }
    if (sending_failed_) {
        break_off(fail(ENODEV, "usbredir", "the other side takes nothing any more"));
    }
    PLUGFS_TRY(state_);
    return woken;
}

Result<bool> UsbredirStream::wait(Deadline deadline, int wake_fd) {
    const bool sending = usbredirparser_has_data_to_write(parser_) > 0;
    std::array<pollfd, 2> fds{
        {{socket_.get(), static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0}, {wake_fd, POLLIN, 0}}};
    const int ready = wait_for(fds, deadline);
    if (ready < 0) {
        return fail(EIO, "usbredir", std::string("poll: ") + std::strerror(errno));
    }
    return ready > 0 && fds[1].revents != 0;
}

}  // namespace plugfs::usb
