// Any bytes from a usbredir peer. The first byte chooses how far the session has come: 0 (even): the rest is all that
// the peer ever says; odd: the peer has introduced itself and a device, and the rest answers requests that are waiting
// (1: bulk IN, 2: bulk OUT, 3: interrupt OUT; interrupt IN 0x83 has a transfer, 0x84 is listened to).
#include "common/log.h"
#include "usb/usbredir_session.h"

#include <plugfs/bytes.h>

#include <sys/socket.h>

#include <cstdlib>

using namespace plugfs;
using namespace plugfs::usb;

namespace {

void header(ByteWriter& writer, std::uint32_t type, std::uint32_t length, bool wide) {
    writer.u32le(type);
    writer.u32le(length);
    writer.u32le(0);
    if (wide) {
        writer.u32le(0);
    }
}

void zeros(ByteWriter& writer, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        writer.u8(0);
    }
}

// hello, ep_info, interface_info and device_connect of an honest peer.
std::vector<std::byte> introduction() {
    ByteWriter writer;
    header(writer, usb_redir_hello, 68, false);
    zeros(writer, 64);
    writer.u32le((1U << usb_redir_cap_connect_device_version) | (1U << usb_redir_cap_ep_info_max_packet_size) |
                 (1U << usb_redir_cap_64bits_ids) | (1U << usb_redir_cap_32bits_bulk_length));
    header(writer, usb_redir_ep_info, 160, true);
    for (unsigned i = 0; i < 32; ++i) {
        const bool bulk = i == 2 || i == 17;
        const bool interrupt = i == 3 || i == 19 || i == 20;
        writer.u8(bulk ? usb_redir_type_bulk : interrupt ? usb_redir_type_interrupt : usb_redir_type_invalid);
    }
    zeros(writer, 64);
    for (unsigned i = 0; i < 32; ++i) {
        writer.u16le(8);
    }
    header(writer, usb_redir_interface_info, 132, true);
    writer.u32le(1);
    zeros(writer, 128);
    header(writer, usb_redir_device_connect, 10, true);
    zeros(writer, 10);
    return std::move(writer).take();
}

void say(int socket, std::span<const std::byte> bytes) {
    // Fits the socket's buffer: inputs are at most 64 KiB (max_len).
    if (::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && !bytes.empty()) {
        std::abort();
    }
}

void answer_requests(UniqueFd ours, const UniqueFd& theirs, std::span<const std::byte> input) {
    const auto forever = Deadline::after(std::chrono::seconds(60));
    static const auto honest = introduction();
    say(theirs.get(), honest);
    auto opened = UsbredirSession::open(std::move(ours), forever);
    if (!opened) {
        std::abort();
    }
    UsbredirSession& session = **opened;
    std::vector<std::byte> bulk_buffer(512);
    std::vector<std::byte> interrupt_buffer(20);
    Request bulk_in{.kind = Request::Kind::bulk, .endpoint = 0x81, .in = bulk_buffer, .asked = 512};
    Request bulk_out{.kind = Request::Kind::bulk, .endpoint = 0x02, .asked = 512};
    Request interrupt_out{.kind = Request::Kind::interrupt, .endpoint = 0x03, .asked = 20};
    Request interrupt_in{.kind = Request::Kind::interrupt, .endpoint = 0x83, .in = interrupt_buffer, .asked = 20};
    (void)session.submit(bulk_in, {});
    (void)session.submit(bulk_out, bulk_buffer);
    (void)session.submit(interrupt_out, interrupt_buffer);
    (void)session.submit(interrupt_in, {});
    (void)session.interrupts().listen(0x84, 8, 8);
    say(theirs.get(), input);
    ::shutdown(theirs.get(), SHUT_WR);
    (void)session.run_until([] { return false; }, forever);
    for (const Request* request : {&bulk_in, &bulk_out, &interrupt_out, &interrupt_in}) {
        if (!request->finished || request->moved > request->asked) {
            std::abort();
        }
    }
    std::size_t arrivals = 0;
    while (const auto arrival = session.interrupts().next_arrival()) {
        if (arrival->packet.size() > 8 || ++arrivals > 64) {
            std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
    log::set_up("fuzz", LogLevel::error);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > 65536) {
        return 0;
    }
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        std::abort();
    }
    UniqueFd ours(fds[0]);
    const UniqueFd theirs(fds[1]);
    const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
    if ((data[0] & 1U) != 0) {
        answer_requests(std::move(ours), theirs, rest);
        return 0;
    }
    say(theirs.get(), rest);
    ::shutdown(theirs.get(), SHUT_WR);
    (void)UsbredirSession::open(std::move(ours), Deadline::after(std::chrono::seconds(60)));
    return 0;
}
