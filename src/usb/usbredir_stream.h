// UsbredirStream: a socket with the usbredir protocol on it, our side being the usb-guest.
//
// It moves bytes between the socket and libusbredirparser, with PacketGuard in between, and turns the library's C
// callbacks into calls of UsbredirEvents. The socket is used without blocking; all waiting is poll(2) with a deadline.
//
// Once the peer has closed, or has sent what no honest peer sends, the stream is broken for good: nothing is read or
// sent any more.
#pragma once

#include "common/unique_fd.h"
#include "usb/usbredir_guard.h"

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <usbredirparser.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace plugfs::usb {

// What arrives. Called from within UsbredirStream::pump(), one packet at a time; the spans are valid during the call.
// All values are the peer's, unchecked but for the lengths of the packets.
class UsbredirEvents {
  public:
    virtual ~UsbredirEvents() = default;
    UsbredirEvents() = default;
    UsbredirEvents(const UsbredirEvents&) = delete;
    UsbredirEvents& operator=(const UsbredirEvents&) = delete;

    virtual void on_hello() = 0;
    virtual void on_device_connect(const usb_redir_device_connect_header& header) = 0;
    virtual void on_device_disconnect() = 0;
    virtual void on_interface_info(const usb_redir_interface_info_header& header) = 0;
    virtual void on_ep_info(const usb_redir_ep_info_header& header) = 0;
    virtual void on_configuration_status(std::uint64_t id, const usb_redir_configuration_status_header& header) = 0;
    virtual void on_alt_setting_status(std::uint64_t id, const usb_redir_alt_setting_status_header& header) = 0;
    virtual void on_interrupt_receiving_status(const usb_redir_interrupt_receiving_status_header& header) = 0;
    virtual void on_control_packet(std::uint64_t id, const usb_redir_control_packet_header& header,
                                   std::span<const std::byte> data) = 0;
    virtual void on_bulk_packet(std::uint64_t id, const usb_redir_bulk_packet_header& header,
                                std::span<const std::byte> data) = 0;
    virtual void on_interrupt_packet(std::uint64_t id, const usb_redir_interrupt_packet_header& header,
                                     std::span<const std::byte> data) = 0;
};

class UsbredirStream {
  public:
    // `events` and `bulk_limit` (the most data that a bulk packet may carry at the moment) must outlive the stream.
    // ENOMEM.
    static Result<std::unique_ptr<UsbredirStream>> create(UniqueFd socket, UsbredirEvents& events,
                                                          const std::size_t& bulk_limit);
    ~UsbredirStream();
    UsbredirStream(const UsbredirStream&) = delete;
    UsbredirStream& operator=(const UsbredirStream&) = delete;

    // Sends what is queued and handles what has come; when there is neither, waits for it until `deadline`, or until
    // `wake_fd` (if any) is readable. Handles a bounded amount in one call, and may return early. True when `wake_fd`
    // is readable. ENODEV when the peer has closed, EPROTO when it does not keep to the protocol.
    [[nodiscard]] Result<bool> pump(Deadline deadline, int wake_fd = -1);
    // Sends what can be sent at once.
    void flush();

    // Queues packets with the library's usbredirparser_send_...(parser(), ...). Ask may_send() before.
    [[nodiscard]] usbredirparser* parser() { return parser_; }
    // EIO when the peer has not taken what was sent before and the queue is full; ENODEV or EPROTO when broken.
    [[nodiscard]] Result<void> may_send() const;

    [[nodiscard]] bool peer_has(int capability) const { return usbredirparser_peer_has_cap(parser_, capability) != 0; }
    [[nodiscard]] bool broken() const { return !state_.ok(); }

  private:
    struct Callbacks;  // the C functions that the library calls

    UsbredirStream(UniqueFd socket, UsbredirEvents& events, const std::size_t& bulk_limit);
    int read(std::span<std::byte> out);
    int write(std::span<const std::byte> bytes);
    // Bytes from the socket: -1 and broken, 0 when there is nothing, or how many.
    long receive(std::span<std::byte> out);
    void break_off(Error error);
    [[nodiscard]] Result<bool> wait(Deadline deadline, int wake_fd);

    UniqueFd socket_;
    UsbredirEvents& events_;
    PacketGuard guard_;
    usbredirparser* parser_ = nullptr;
    Result<void> state_;            // the reason why the stream is broken
    std::vector<std::byte> input_;  // bytes received ahead of what the library asked for
    std::size_t input_begin_ = 0;
    std::size_t input_end_ = 0;
    bool sending_failed_ = false;
    std::size_t budget_ = 0;  // what the library may still read in this call of pump()
};

}  // namespace plugfs::usb
