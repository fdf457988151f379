// Session: opening it on a device in any state, ending transactions before their end, getting a device back that
// misbehaves.

#include "drivers/mtp/session.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds control_deadline{2};
constexpr seconds ready_deadline{3};
// Between two looks at a device that says it is busy.
constexpr milliseconds busy_pause{50};
constexpr milliseconds drain_deadline{100};
// Stale answers of a transaction that a predecessor began: this many bytes, then something harder is tried.
constexpr std::size_t drain_limit = std::size_t{16} << 20U;
constexpr std::size_t drain_post = std::size_t{64} << 10U;
constexpr std::uint32_t session_id = 1;
// bmRequestType without direction: class, interface.
constexpr std::uint8_t class_interface = 0x21;

}  // namespace

void Session::abort() {
    if (state_ == State::idle) {
        return;
    }
    in_.cancel();
    pending_ = {};
    state_ = State::idle;
    if (out_ && out_->in_flight()) {
        out_->cancel();
        (void)out_->wait(Deadline::after(control_deadline));
    }
    // Still Image Class 1.0, 5.2.1: Cancel names the transaction; the device stops and says so in its status.
    ByteWriter request;
    request.u16le(cancellation_code);
    request.u32le(transaction_);
    (void)device_.control_out(
        {.request_type = class_interface, .request = request_cancel, .index = endpoints_.interface_number},
        request.bytes(), Deadline::after(control_deadline));
    (void)wait_until_ready(Deadline::after(ready_deadline));
    // What was on its way already.
    std::size_t drained = 0;
    while (drained < drain_limit && in_.post(drain_post)) {
        const auto bytes = in_.next(Deadline::after(drain_deadline));
        if (!bytes) {
            break;
        }
        drained += std::max<std::size_t>(bytes->size(), 1);
    }
    in_.cancel();
}

Result<void> Session::wait_until_ready(Deadline deadline) {
    // Still Image Class 1.0, 5.2.4: a length, a code, then the endpoints that are halted.
    while (true) {
        std::array<std::byte, 64> status{};
        const auto got = device_.control_in({.request_type = class_interface,
                                             .request = request_get_device_status,
                                             .index = endpoints_.interface_number},
                                            status, Deadline::after(control_deadline));
        if (!got) {
            // Many devices do not know the request: halts are cleared on suspicion.
            if (got.error().code == ENODEV) {
                return got.error();
            }
            (void)device_.clear_halt(endpoints_.bulk_in, Deadline::after(control_deadline));
            return device_.clear_halt(endpoints_.bulk_out, Deadline::after(control_deadline));
        }
        ByteReader reader(std::span<const std::byte>(status).first(std::min(*got, status.size())));
        (void)reader.u16le();
        const std::uint16_t code = reader.u16le();
        while (reader.remaining() >= 4) {
            const auto endpoint = static_cast<std::uint8_t>(reader.u32le() & 0xFFU);
            if (endpoint == endpoints_.bulk_in || endpoint == endpoints_.bulk_out) {
                PLUGFS_TRY(device_.clear_halt(endpoint, Deadline::after(control_deadline)));
            }
        }
        if (code != response::device_busy && code != response::transaction_cancelled) {
            return {};
        }
        if (deadline.expired()) {
            return fail(ETIMEDOUT, "GetDeviceStatus", "the device stays busy");
        }
        // The device sets the pace; a short transfer with nothing to come waits without a timer of our own.
        if (in_.post(drain_post)) {
            (void)in_.next(Deadline::after(busy_pause));
            in_.cancel();
        }
    }
}

Result<void> Session::open_once() {
    auto opened = command(operation::open_session, {session_id});
    if (opened) {
        return {};
    }
    if (opened.error().code == EALREADY) {
        // Left open by a predecessor: its transaction ids and handles are not ours.
        (void)command(operation::close_session, {});
        opened = command(operation::open_session, {session_id});
    }
    return opened ? Result<void>() : Result<void>(opened.error());
}

Result<void> Session::open() {
    Result<void> opened = open_once();
    if (opened || opened.error().code == ENODEV) {
        return opened;
    }
    // Class recovery: whatever a predecessor had under way is cancelled, then the device's protocol state is reset.
    state_ = State::header;
    abort();
    opened = open_once();
    if (opened || opened.error().code == ENODEV) {
        return opened;
    }
    (void)device_.control_out(
        {.request_type = class_interface, .request = request_device_reset, .index = endpoints_.interface_number}, {},
        Deadline::after(control_deadline));
    (void)wait_until_ready(Deadline::after(ready_deadline));
    opened = open_once();
    if (opened || opened.error().code == ENODEV) {
        return opened;
    }
    in_.cancel();
    PLUGFS_TRY(device_.reset(Deadline::after(seconds(5))));
    return open_once();
}

void Session::close() {
    if (busy()) {
        abort();
    }
    (void)command(operation::close_session, {});
}

Result<void> Session::recover() {
    ++failures_;
    if (failures_ == 1) {
        return {};  // the transaction has been aborted; that is enough for most
    }
    return open();
}

}  // namespace plugfs::mtp
