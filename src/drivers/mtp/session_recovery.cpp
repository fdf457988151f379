// Session: opening it on a device in any state, ending transactions before their end, getting a device back that
// misbehaves.

#include "drivers/mtp/session.h"

#include <algorithm>
#include <utility>

namespace plugfs::mtp {

namespace {

using std::chrono::milliseconds;

// Stale answers of a transaction that was ended: this many bytes, then something harder is tried.
constexpr std::size_t drain_limit = std::size_t{16} << 20U;
constexpr std::size_t drain_post = std::size_t{64} << 10U;
constexpr int stall_limit = 3;
constexpr std::size_t interrupt_poll_post = 512;
constexpr milliseconds longest_retry{30'000};
constexpr std::uint32_t session_id = 1;
// bmRequestType without direction: class, interface.
constexpr std::uint8_t class_interface = 0x21;

}  // namespace

Result<std::size_t> Session::class_request(std::uint8_t request, std::span<const std::byte> data) {
    return device_.control_out(
        {.request_type = class_interface, .request = request, .index = endpoints_.interface_number}, data,
        Deadline::after(timing_.control));
}

void Session::abort() {
    if (state_ != State::idle) {
        clean_ = end_transaction();
    }
}

// True when the device said that it is ready, and nothing is on its way any more.
bool Session::end_transaction() {
    state_ = State::idle;
    pending_ = {};
    if (out_ && out_->in_flight()) {
        out_->cancel();
        (void)out_->wait(Deadline::after(timing_.control));
    }
    stop_sending();
    if (failure_ == Failure::gone) {
        in_.cancel();
        return false;
    }
    // Still Image Class 1.0, 5.2.1: Cancel names the transaction; the device stops and says so in its status. What is
    // posted stays so meanwhile: many devices want to be rid of what they have before they look at a request.
    ByteWriter request;
    request.u16le(cancellation_code);
    request.u32le(transaction_);
    const auto cancelled = class_request(request_cancel, request.bytes());
    if (!cancelled && cancelled.error().code == ENODEV) {
        in_.cancel();
        return false;
    }
    const auto ready = wait_until_ready(Deadline::after(timing_.ready));
    // The status need not list the endpoint; of the other one, drain() finds out by itself.
    const bool out_works =
        !std::exchange(out_halted_, false) || device_.clear_halt(endpoints_.bulk_out, Deadline::after(timing_.control));
    const bool silence = drain();
    return ready.ok() && out_works && silence;
}

// Takes what was on its way already. False: it does not end, or the endpoint has failed.
bool Session::drain() {
    in_.cancel();
    std::size_t drained = 0;
    int stalls = 0;
    while (drained < drain_limit) {
        if (!in_.post(drain_post)) {
            return false;
        }
        const auto piece = in_.next(Deadline::after(timing_.drain));
        if (!piece && piece.error().code == EPIPE && ++stalls <= stall_limit) {
            if (!device_.clear_halt(endpoints_.bulk_in, Deadline::after(timing_.control))) {
                return false;
            }
            continue;
        }
        if (!piece) {
            return piece.error().code == ETIMEDOUT;
        }
        drained += std::max<std::size_t>(piece->bytes.size(), endpoints_.bulk_in_packet);
    }
    return false;
}

Result<void> Session::wait_until_ready(Deadline deadline) {
    while (true) {
        std::array<std::byte, 64> status{};
        const auto got = device_.control_in({.request_type = class_interface,
                                             .request = request_get_device_status,
                                             .index = endpoints_.interface_number},
                                            status, Deadline::after(timing_.control));
        if (!got) {
            if (got.error().code == ENODEV || got.error().code == ETIMEDOUT) {
                return got.error();
            }
            // Many devices do not know the request: halts are cleared on suspicion.
            PLUGFS_TRY(device_.clear_halt(endpoints_.bulk_in, Deadline::after(timing_.control)));
            return device_.clear_halt(endpoints_.bulk_out, Deadline::after(timing_.control));
        }
        // Still Image Class 1.0, 5.2.4: a length, a code, then the endpoints that are halted.
        ByteReader reader(std::span<const std::byte>(status).first(std::min(*got, status.size())));
        (void)reader.u16le();
        const std::uint16_t code = reader.u16le();
        while (reader.remaining() >= 4) {
            const auto endpoint = static_cast<std::uint8_t>(reader.u32le() & 0xFFU);
            if (endpoint == endpoints_.bulk_in || endpoint == endpoints_.bulk_out) {
                PLUGFS_TRY(device_.clear_halt(endpoint, Deadline::after(timing_.control)));
            }
        }
        if (code != response::device_busy && code != response::transaction_cancelled) {
            return {};
        }
        if (deadline.expired()) {
            return fail(ETIMEDOUT, "GetDeviceStatus", "the device stays busy");
        }
        // A device that has data to be rid of gets its chance; otherwise this is the pause between two looks.
        PLUGFS_TRY(in_.post(interrupt_poll_post));
        while (in_.transfers_posted() > 0 && in_.next(Deadline::after(timing_.drain / 2))) {
        }
        in_.cancel();
    }
}

Result<void> Session::open_step() {
    auto opened = command(operation::open_session, {session_id});
    if (!opened && failure_ == Failure::refused && opened.error().code == EALREADY) {
        // Left open by a predecessor: its transaction ids and handles are not ours.
        (void)command(operation::close_session, {});
        opened = command(operation::open_session, {session_id});
    }
    return opened ? Result<void>() : Result<void>(opened.error());
}

Result<void> Session::climb() {
    Result<void> opened = open_step();
    const auto done = [&] { return opened.ok() || opened.error().code == ENODEV; };
    if (done()) {
        return opened;
    }
    // Class recovery: whatever a predecessor had under way is cancelled, then the protocol's state is reset.
    (void)end_transaction();
    opened = open_step();
    if (done()) {
        return opened;
    }
    (void)class_request(request_device_reset, {});
    (void)wait_until_ready(Deadline::after(timing_.ready));
    (void)drain();
    opened = open_step();
    if (done()) {
        return opened;
    }
    in_.cancel();
    PLUGFS_TRY(device_.reset(Deadline::after(timing_.reset)));
    return open_step();
}

Result<void> Session::open(bool sending) {
    opening_ = true;
    if (sending) {
        (void)end_transaction();
    }
    auto opened = climb();
    opening_ = false;
    if (opened) {
        ++generation_;
        failures_ = 0;
        clean_ = true;
        left_alone_until_.reset();
        next_retry_ = timing_.retry;
    }
    return opened;
}

void Session::close() {
    if (busy()) {
        abort();
    }
    opening_ = true;  // a device that does not answer must not hold up the end
    (void)command(operation::close_session, {});
    opening_ = false;
}

Result<void> Session::recover() {
    if (failure_ == Failure::gone) {
        return fail(ENODEV, "recovery", "the device has gone");
    }
    if (++failures_ == 1 && clean_) {
        return {};  // the transaction has been aborted; that is enough for most
    }
    auto opened = open();
    if (!opened && opened.error().code != ENODEV) {
        left_alone_until_ = Deadline::after(next_retry_);
        next_retry_ = std::min(next_retry_ * 2, longest_retry);
    }
    return opened;
}

Result<void> Session::settle() {
    return clean_ ? Result<void>() : open();
}

Result<void> Session::ready() {
    if (!left_alone_until_) {
        failure_ = Failure::none;
        return {};
    }
    if (!left_alone_until_->expired()) {
        return fail(EIO, "recovery",
                    "the device does not answer; it is tried again in " +
                        std::to_string(left_alone_until_->remaining_ms()) + " ms");
    }
    ++failures_;
    return recover();
}

}  // namespace plugfs::mtp
