// Transfers over usbredir; see the header.
#include "usb/usbredir_transfer.h"

#include "usb/call_off.h"

namespace plugfs::usb {

UsbredirTransfer::UsbredirTransfer(UsbredirSession& session, Request::Kind kind, std::uint8_t endpoint,
                                   std::size_t capacity)
    : session_(session),
      buffer_(capacity),
      request_{.kind = kind, .endpoint = endpoint},
      empty_packet_{.kind = kind, .endpoint = endpoint} {}

UsbredirTransfer::~UsbredirTransfer() {
    abort(fail(ECANCELED, "transfer", "destroyed"));
}

Result<void> UsbredirTransfer::submit(std::size_t length, bool zero_length_packet) {
    if (in_flight()) {
        return fail(EINVAL, "submit", "the transfer is in flight");
    }
    if (length > buffer_.size()) {
        return fail(EINVAL, "submit", "more than the capacity");
    }
    const bool in = (request_.endpoint & 0x80U) != 0;
    const auto part = std::span(buffer_).first(length);
    request_.asked = length;
    request_.in = in ? part : std::span<std::byte>();
    submitted_ = true;
    empty_packet_.error.reset();  // of the last time
    PLUGFS_TRY(session_.submit(request_, in ? std::span<const std::byte>() : part));
    const std::size_t packet = session_.endpoint(request_.endpoint).max_packet_size;
    if (zero_length_packet && !in && length > 0 && packet > 0 && length % packet == 0) {
        if (auto sent = session_.submit(empty_packet_, {}); !sent) {
            abort(sent.error());
            return sent;
        }
    }
    return {};
}

Result<std::size_t> UsbredirTransfer::wait(Deadline deadline) {
    if (!submitted_) {
        return fail(EINVAL, "wait", "nothing was submitted");
    }
    CallOff* call_off = deadline.may_be_called_off() ? waits_are_called_off_by() : nullptr;
    (void)session_.run_until([this] { return !in_flight(); }, deadline, call_off != nullptr ? call_off->fd() : -1);
    if (in_flight() && call_off != nullptr && call_off->take()) {
        abort(fail(ECANCELED, "transfer", "called off"));
    }
    if (in_flight()) {
        abort(fail(ETIMEDOUT, "transfer",
                   std::to_string(request_.moved) + " of " + std::to_string(request_.asked) + " bytes in time"));
    }
    if (request_.error) {
        return *request_.error;
    }
    if (empty_packet_.error) {
        return *empty_packet_.error;
    }
    return request_.moved;
}

void UsbredirTransfer::cancel() {
    session_.cancel(request_);
    session_.cancel(empty_packet_);
}

void UsbredirTransfer::abort(const Error& reason) {
    if (in_flight()) {
        cancel();  // both at once, then wait for each
        session_.abort(request_, reason);
        session_.abort(empty_packet_, reason);
    }
}

}  // namespace plugfs::usb
