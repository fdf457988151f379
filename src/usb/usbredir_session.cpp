// Requests: opening the session, sending, waiting. What arrives is handled in usbredir_session_events.cpp.
#include "usb/usbredir_session.h"

#include "common/log.h"

namespace plugfs::usb {
namespace {

constexpr std::uint8_t direction_in = 0x80;
constexpr std::uint8_t clear_feature = 1;       // bRequest, USB 2.0, table 9-4
constexpr std::uint8_t recipient_endpoint = 2;  // bmRequestType, USB 2.0, table 9-2

std::size_t endpoint_index(std::uint8_t address) {
    return ((address & direction_in) >> 3U) | (address & 0x0fU);
}

}  // namespace

UsbredirSession::UsbredirSession()
    : interrupts_([this](InterruptStreams::Action action, std::uint8_t endpoint) { act(action, endpoint); },
                  [this](const std::string& line) { complain(line); }) {}

Result<std::unique_ptr<UsbredirSession>> UsbredirSession::open(UniqueFd socket, Deadline deadline) {
    std::unique_ptr<UsbredirSession> session(new UsbredirSession());
    PLUGFS_ASSIGN(session->stream_, UsbredirStream::create(std::move(socket), *session, session->table_.bulk_limit()));
    const auto introduced = [&] {
        return session->hello_ && session->speed_ && session->interfaces_known_ && session->endpoints_known_;
    };
    PLUGFS_ASSIGN(const bool in_time, session->run_until(introduced, deadline));
    if (!in_time) {
        return fail(ETIMEDOUT, "usbredir",
                    !session->hello_   ? "no hello came"
                    : !session->speed_ ? "no device was connected"
                                       : "the device's interfaces were not told");
    }
    if (!session->stream_->peer_has(usb_redir_cap_32bits_bulk_length)) {
        return fail(ENOTSUP, "usbredir", "the other side lacks the capability 32bits_bulk_length");
    }
    return session;
}

Speed UsbredirSession::speed() const {
    switch (speed_.value_or(usb_redir_speed_unknown)) {
        case usb_redir_speed_low:
            return Speed::low;
        case usb_redir_speed_full:
            return Speed::full;
        case usb_redir_speed_high:
            return Speed::high;
        case usb_redir_speed_super:
            return Speed::super;
        default:
            return Speed::unknown;
    }
}

const UsbredirSession::EndpointInfo& UsbredirSession::endpoint(std::uint8_t address) const {
    return endpoints_.at(endpoint_index(address));
}

Result<void> UsbredirSession::enter(Request& request) {
    PLUGFS_TRY(gone_);
    PLUGFS_TRY(stream_->may_send());
    return table_.add(request);
}

Result<void> UsbredirSession::submit(Request& request, std::span<const std::byte> out) {
    PLUGFS_TRY(gone_);
    if (request.kind == Request::Kind::interrupt && (request.endpoint & direction_in) != 0) {
        return interrupts_.submit(request, endpoint(request.endpoint).max_packet_size);
    }
    PLUGFS_TRY(enter(request));
    send_data(request, out);
    stream_->flush();
    return {};
}

void UsbredirSession::send_data(const Request& request, std::span<const std::byte> out) {
    // The library does not write to the data; its parameter merely lacks the const.
    auto* data = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(out.data()));
    const int length = static_cast<int>(out.size());
    if (request.kind == Request::Kind::bulk) {
        usb_redir_bulk_packet_header header{};
        header.endpoint = request.endpoint;
        header.length = static_cast<std::uint16_t>(request.asked & 0xffffU);
        header.length_high = static_cast<std::uint16_t>(request.asked >> 16U);
        usbredirparser_send_bulk_packet(stream_->parser(), request.id, &header, data, length);
    } else {
        usb_redir_interrupt_packet_header header{};
        header.endpoint = request.endpoint;
        header.length = static_cast<std::uint16_t>(request.asked);
        usbredirparser_send_interrupt_packet(stream_->parser(), request.id, &header, data, length);
    }
}

Result<std::size_t> UsbredirSession::control(const Setup& setup, Request& request, std::span<const std::byte> out,
                                             Deadline deadline) {
    PLUGFS_TRY(enter(request));
    usb_redir_control_packet_header header{};
    header.endpoint = request.endpoint;
    header.request = setup.request;
    header.requesttype = static_cast<std::uint8_t>((setup.request_type & ~direction_in) | request.endpoint);
    header.value = setup.value;
    header.index = setup.index;
    header.length = static_cast<std::uint16_t>(request.asked);
    auto* data = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(out.data()));
    usbredirparser_send_control_packet(stream_->parser(), request.id, &header, data, static_cast<int>(out.size()));
    PLUGFS_TRY(wait_for(request, deadline, "control transfer"));
    return request.moved;
}

Result<void> UsbredirSession::wait_for(Request& request, Deadline deadline, std::string_view stage) {
    (void)run_until([&] { return request.finished; }, deadline);
    if (!request.finished) {
        abort(request, fail(ETIMEDOUT, std::string(stage), "no answer in time"));
    }
    if (request.error) {
        return *request.error;
    }
    return {};
}

void UsbredirSession::cancel(Request& request) {
    if (request.finished) {
        return;
    }
    if (request.id == 0) {  // an interrupt IN request is known to its stream only
        interrupts_.withdraw(request, fail(ECANCELED, "interrupt transfer", "cancelled"));
    } else if (!request.cancelling && stream_->may_send()) {
        request.cancelling = true;
        usbredirparser_send_cancel_data_packet(stream_->parser(), request.id);
        stream_->flush();
    }
}

void UsbredirSession::abort(Request& request, const Error& reason) {
    const bool cancellable =
        request.kind != Request::Kind::alternate_setting && request.kind != Request::Kind::configuration;
    if (cancellable) {
        cancel(request);
        const auto limit = silent_ ? Deadline::after(std::chrono::milliseconds(0)) : Deadline::after(cancel_limit);
        (void)run_until([&] { return request.finished; }, limit);
        silent_ = silent_ || !request.finished;
    }
    if (!request.finished) {
        table_.abandon(request);
        request.finish(reason);
    } else if (request.error && request.error->code == ECANCELED) {
        request.error = reason;
    }
}

Result<std::uint8_t> UsbredirSession::get_configuration(Deadline deadline) {
    Request request{.kind = Request::Kind::configuration};
    PLUGFS_TRY(enter(request));
    usbredirparser_send_get_configuration(stream_->parser(), request.id);
    PLUGFS_TRY(wait_for(request, deadline, "get configuration"));
    return request.configuration;
}

Result<void> UsbredirSession::set_alternate_setting(std::uint8_t interface, std::uint8_t setting, Deadline deadline) {
    Request request{.kind = Request::Kind::alternate_setting, .endpoint = interface};
    PLUGFS_TRY(enter(request));
    usb_redir_set_alt_setting_header header{interface, setting};
    usbredirparser_send_set_alt_setting(stream_->parser(), request.id, &header);
    return wait_for(request, deadline, "set alternate setting");
}

Result<void> UsbredirSession::reset() {
    PLUGFS_TRY(gone_);
    PLUGFS_TRY(stream_->may_send());
    const Error cancelled = fail(ECANCELED, "transfer", "the device was reset");
    interrupts_.stop_all(cancelled);
    table_.abandon_transfers(cancelled,
                             [&](std::uint64_t id) { usbredirparser_send_cancel_data_packet(stream_->parser(), id); });
    usbredirparser_send_reset(stream_->parser());
    stream_->flush();
    return {};
}

void UsbredirSession::act(InterruptStreams::Action action, std::uint8_t endpoint) {
    if (!gone_ || !stream_->may_send()) {
        return;
    }
    if (action == InterruptStreams::Action::start) {
        usb_redir_start_interrupt_receiving_header header{endpoint};
        usbredirparser_send_start_interrupt_receiving(stream_->parser(), 0, &header);
    } else if (action == InterruptStreams::Action::stop) {
        usb_redir_stop_interrupt_receiving_header header{endpoint};
        usbredirparser_send_stop_interrupt_receiving(stream_->parser(), 0, &header);
    } else {
        // Nobody waits for this one: its entry is abandoned at once and recognises the answer.
        Request request{.kind = Request::Kind::control};
        if (table_.add(request)) {
            usb_redir_control_packet_header header{};
            header.request = clear_feature;
            header.requesttype = recipient_endpoint;
            header.index = endpoint;
            usbredirparser_send_control_packet(stream_->parser(), request.id, &header, nullptr, 0);
            table_.abandon(request);
        }
    }
    stream_->flush();
}

Result<bool> UsbredirSession::run_until(const std::function<bool()>& done, Deadline deadline, int wake_fd) {
    for (;;) {
        if (done()) {
            return true;
        }
        if (!gone_) {
            stream_->flush();  // the acknowledgement of a disconnection, if there is one
            return gone_.error();
        }
        const bool last = deadline.expired();
        const auto woken = stream_->pump(deadline, wake_fd);
        if (!woken) {
            lose(woken.error());
            continue;
        }
        if (*woken || last) {
            return done();
        }
    }
}

// The reason is logged once; who asks later is told ENODEV, whatever it was.
void UsbredirSession::lose(const Error& why) {
    if (!gone_) {
        return;
    }
    log::warning("the device is gone: " + why.text());
    gone_ = fail(ENODEV, why.stage, why.detail);
    const Error gone = gone_.error();
    table_.fail_all(gone);
    interrupts_.stop_all(gone);
}

void UsbredirSession::complain(const std::string& line) {
    constexpr unsigned complaint_limit = 32;  // a peer that errs on purpose does not get to fill the log
    if (++complaints_ <= complaint_limit) {
        log::warning("usbredir: " + line + (complaints_ == complaint_limit ? " (further ones are not logged)" : ""));
    }
}

}  // namespace plugfs::usb
