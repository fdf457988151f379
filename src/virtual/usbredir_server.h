// UsbredirServer: puts a VirtualDevice on one usbredir connection, as the "usb-host" side (the one that has the
// device).
//
// Transfers follow USB: a bulk IN request of the other side is completed when it is full or when the device ends a
// transfer with a short or empty packet. The other side is not trusted: requests that wait are bounded, and packets for
// endpoints that are not there are answered with an error.
#pragma once

#include "common/unique_fd.h"
#include "virtual/virtual_device.h"

#include <map>

struct usbredirparser;
struct usb_redir_control_packet_header;
struct usb_redir_bulk_packet_header;

namespace plugfs::virtual_usb {

struct TrafficCount {
    std::uint64_t bytes_in = 0;  // device to us, bulk
    std::uint64_t bytes_out = 0;
};

class UsbredirServer {
  public:
    // Takes over a connected stream socket. `device` must outlive it.
    static Result<std::unique_ptr<UsbredirServer>> create(UniqueFd socket, VirtualDevice& device, TrafficCount& count);
    ~UsbredirServer();
    UsbredirServer(const UsbredirServer&) = delete;
    UsbredirServer& operator=(const UsbredirServer&) = delete;

    [[nodiscard]] int fd() const { return socket_.get(); }
    // What to poll fd() for.
    [[nodiscard]] short events() const;
    // When pump() has something to do though fd() is quiet (a delayed transfer).
    [[nodiscard]] std::optional<InTransfer::Clock::time_point> next_wake() const;
    // Reads and writes what can be. False: the other side has gone.
    bool serve();
    // Hands what the device wants to send to the requests that wait for it.
    void pump();

  private:
    UsbredirServer(UniqueFd socket, VirtualDevice& device, TrafficCount& count)
        : socket_(std::move(socket)), device_(device), count_(count) {}
    static UsbredirServer& self(void* pointer) { return *static_cast<UsbredirServer*>(pointer); }
    void set_callbacks();
    void set_callbacks_for_what_is_not_there();
    void refuse_stream(std::uint64_t id, std::uint8_t endpoint);
    void announce();
    void on_control(std::uint64_t id, usb_redir_control_packet_header& header, std::span<const std::byte> data);
    std::optional<std::vector<std::byte>> standard_request(std::uint8_t request, std::uint16_t value,
                                                           std::uint16_t index, std::size_t length);
    void on_bulk(std::uint64_t id, const usb_redir_bulk_packet_header& header, std::span<const std::byte> data);
    void cancel(std::uint64_t id);
    void pump_bulk(std::uint8_t endpoint);
    void pump_interrupt(std::uint8_t endpoint);
    void move_bulk(std::uint8_t endpoint, std::size_t transfer, std::size_t request);
    void complete(std::uint8_t endpoint, std::size_t request, std::uint8_t status);
    void answer_streams(std::uint64_t id, std::uint32_t endpoints, std::uint32_t count);
    void send_bulk_status(std::uint64_t id, std::uint8_t endpoint, std::uint32_t stream, std::uint8_t status);
    [[nodiscard]] const usb::Endpoint* endpoint(std::uint8_t address) const;

    struct Request {
        std::uint64_t id = 0;
        std::uint32_t stream = 0;
        std::size_t length = 0;
        std::vector<std::byte> bytes;
    };
    UniqueFd socket_;
    VirtualDevice& device_;
    TrafficCount& count_;
    usbredirparser* parser_ = nullptr;
    std::map<std::uint8_t, std::deque<Request>> waiting_;  // bulk IN, by endpoint
    std::map<std::uint8_t, bool> receiving_;               // interrupt IN streams that were started
    std::map<std::uint8_t, bool> halted_;
    std::uint8_t configuration_ = 1;
    std::uint64_t interrupt_id_ = 0;
    bool gone_ = false;
};

}  // namespace plugfs::virtual_usb
