// Session: transactions whose data goes to the device (PTP 9.3; Still Image Class 1.0, 7).
//
// The data container goes out in pieces, two of them in flight. A device that does not want it halts the endpoint and
// says why in its response, which may come before we are done.

#include "drivers/mtp/session.h"

#include <algorithm>
#include <array>

namespace plugfs::mtp {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t piece_size = std::size_t{256} << 10U;
constexpr std::size_t slowest_bytes_per_ms = 16;

}  // namespace

Result<Response> Session::send(std::uint16_t operation, ParameterList parameters, std::uint64_t size,
                               const Source& source) {
    // The response is not asked for before the data is there: devices halt when they have nothing to say.
    prepare(operation);
    sends_ = true;
    PLUGFS_TRY(guarded(send_command(operation, parameters)));
    PLUGFS_TRY(command_sent());
    const auto sent = send_data(size, source);
    if (!sent && sent.error().code == EPIPE) {
        // Why, it may have said.
        stop_sending();
        if (device_.clear_halt(endpoints_.bulk_out, Deadline::after(timing_.control))) {
            refused_early_ = true;
            auto response = finish();
            refused_early_ = false;
            if (!response && failure_ == Failure::refused) {
                return response;
            }
            return guarded(fail(EIO, operation_name(operation), "data phase: the endpoint halted")).error();
        }
    }
    if (source_failed_) {
        // Nothing is wrong with the device.
        Error error = *source_failed_;
        abort();
        failure_ = Failure::none;
        return error;
    }
    PLUGFS_TRY(guarded(sent));
    return finish();
}

Result<void> Session::send_data(std::uint64_t size, const Source& source) {
    source_failed_.reset();
    std::uint64_t left = size;
    std::uint64_t sent = 0;
    std::size_t turn = 0;
    bool first = true;
    do {
        auto& transfer = senders_[turn];
        if (!transfer) {
            PLUGFS_ASSIGN(transfer, device_.create_transfer(endpoints_.bulk_out, piece_size));
        }
        PLUGFS_TRY(wait_sent(*transfer));
        const auto buffer = transfer->buffer();
        std::size_t length = 0;
        if (first) {
            const auto header = data_header_bytes(operation_, transaction_, size);
            std::copy(header.begin(), header.end(), buffer.begin());
            length = header.size();
        }
        auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size() - length));
        // QEMU's player does not take a transfer shorter than a container's header, and loses what passes 512 KiB in
        // one: where it can be, the last one gets a packet of the one before.
        const std::uint64_t rest = left - count;
        sent += length + count;
        if (rest > 0 && rest < container_header_size && sent % (2 * piece_size) != 0) {
            count -= endpoints_.bulk_out_packet;
            sent -= endpoints_.bulk_out_packet;
        }
        if (const auto given = source(buffer.subspan(length, count)); !given) {
            source_failed_ = given.error();
            return given;
        }
        left -= count;
        length += count;
        // The end of the data: a short packet, or an empty one.
        PLUGFS_TRY(transfer->submit(length, left == 0 && length % endpoints_.bulk_out_packet == 0));
        first = false;
        turn = 1 - turn;
    } while (left > 0);
    for (std::size_t i = 0; i < senders_.size(); ++i, turn = 1 - turn) {
        if (senders_[turn]) {
            PLUGFS_TRY(wait_sent(*senders_[turn]));
        }
    }
    return {};
}

Result<void> Session::wait_sent(usb::Transfer& transfer) {
    if (!transfer.in_flight()) {
        return {};
    }
    const milliseconds moving(piece_size / slowest_bytes_per_ms);
    const auto sent = transfer.wait(Deadline::after(timing_.taking + moving));
    return sent ? Result<void>()
                : fail(sent.error().code, operation_name(operation_), "data phase: " + sent.error().text());
}

void Session::stop_sending() {
    for (const auto& transfer : senders_) {
        if (transfer && transfer->in_flight()) {
            transfer->cancel();
        }
    }
    for (const auto& transfer : senders_) {
        if (transfer && transfer->in_flight()) {
            (void)transfer->wait(Deadline::after(timing_.control));
        }
    }
}

}  // namespace plugfs::mtp
