// Interrupt IN endpoints over usbredir.
//
// There one does not ask for single packets: one tells the peer to start receiving, and packets come as the device
// sends them until one tells it to stop (usb-redirection-protocol, usb_redir_start_interrupt_receiving). Here that
// stream is turned back into what drivers know: transfers that wait for data, and endpoints that are listened to.
#pragma once

#include "usb/backend.h"
#include "usb/usbredir_requests.h"

#include <deque>
#include <functional>
#include <map>
#include <string>

namespace plugfs::usb {

class InterruptStreams {
  public:
    enum class Action : std::uint8_t { start, stop, clear_halt };
    // `act` sends the packet for an action on an endpoint; `complain` logs what should not happen.
    using Act = std::function<void(Action, std::uint8_t endpoint)>;
    using Complain = std::function<void(const std::string&)>;
    InterruptStreams(Act act, Complain complain) : act_(std::move(act)), complain_(std::move(complain)) {}

    // Packets of `endpoint` (`maximum` bytes each at most) become arrivals from now on. EINVAL: transfers use it.
    [[nodiscard]] Result<void> listen(std::uint8_t endpoint, std::size_t packet_size, std::size_t maximum);
    [[nodiscard]] std::optional<Arrival> next_arrival();
    [[nodiscard]] bool has_arrival() const { return !arrivals_.empty(); }

    // `request` waits for data; finished at a short packet or when it is full. EINVAL: the endpoint is listened to.
    [[nodiscard]] Result<void> submit(Request& request, std::size_t maximum);
    // It waits no longer; finished with `error`. What had arrived for it stays in its buffer and `moved`.
    void withdraw(Request& request, const Error& error);

    void on_packet(std::uint8_t endpoint, std::uint8_t status, std::span<const std::byte> data);
    void on_status(std::uint8_t endpoint, std::uint8_t status);

    // Before and after something that stops the stream at the other end (clearing a halt, another alternate setting).
    void pause(std::uint8_t endpoint);
    void resume(std::uint8_t endpoint);
    // All that wait are finished with `error`; nothing is received any more. What is listened to stays so, for
    // resume().
    void stop_all(const Error& error);
    // The endpoint is given up by its driver: stops it and forgets all about it.
    void forget(std::uint8_t endpoint, const Error& error);

    [[nodiscard]] std::vector<std::uint8_t> endpoints() const;

  private:
    struct Stream {
        std::size_t maximum = 0;      // wMaxPacketSize: a shorter packet ends a transfer
        std::size_t packet_size = 0;  // what the listener wants at most
        bool listening = false;
        bool running = false;   // started, as far as we know
        unsigned restarts = 0;  // since the last good packet
        std::deque<Request*> waiting;
        std::deque<std::vector<std::byte>> early;  // packets that nobody had asked for yet
    };
    void start(std::uint8_t endpoint, Stream& stream);
    void fail_waiting(Stream& stream, const Error& error);
    void deliver(Stream& stream, std::span<const std::byte> data);
    void keep(std::uint8_t endpoint, Stream& stream, std::span<const std::byte> data);

    Act act_;
    Complain complain_;
    std::map<std::uint8_t, Stream> streams_;  // 15 at most: only endpoints that were checked get in
    std::deque<Arrival> arrivals_;
};

}  // namespace plugfs::usb
