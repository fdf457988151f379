// The other end of a usbredir socket, for tests: a usb-host with a device whose answers a test writes down.
//
// It runs on a thread of its own until the socket is closed. Its hooks run on that thread; what they note is to be read
// after stop(). Standard requests (descriptors, halts) are answered from the model; everything else is up to the hooks.
#pragma once

#include "common/unique_fd.h"

#include <usbredirparser.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace plugfs::usb::test {

using Bytes = std::vector<std::byte>;

// Bytes from numbers: bytes({0x12, 1}).
Bytes bytes(std::initializer_list<int> values);
// `size` bytes that differ from place to place and from one `seed` to another.
Bytes pattern(std::size_t size, unsigned seed = 0);
// A usbredir packet as it goes over the wire, with whatever length the header is to announce.
Bytes raw_packet(std::uint32_t type, std::uint64_t id, const Bytes& body, std::uint32_t announced, bool wide = true);
Bytes raw_packet(std::uint32_t type, std::uint64_t id, const Bytes& body);

// A device with bulk IN 0x81, bulk OUT 0x02 and interrupt IN 0x83 (packets of 16 bytes) in interface 0, and interface 1
// with an empty setting 0 and a setting 1 that has bulk IN 0x84.
struct Model {
    Bytes device_descriptor;
    Bytes configuration;
    std::map<std::uint8_t, std::string> strings;  // UTF-16LE bodies
    std::vector<int> capabilities;
    std::uint8_t speed = usb_redir_speed_high;
    std::uint8_t active_configuration = 1;
    Model();
};

class ScriptedHost {
  public:
    using Header = usb_redir_bulk_packet_header;
    struct Hooks {
        std::function<void(std::uint64_t id, const usb_redir_control_packet_header&, std::span<const std::byte>)>
            control;
        std::function<void(std::uint64_t id, const usb_redir_bulk_packet_header&, std::span<const std::byte>)> bulk;
        std::function<void(std::uint64_t id)> cancel;
        std::function<void(std::uint8_t endpoint)> start_interrupts;
        std::function<void(std::uint8_t endpoint)> stop_interrupts;
        std::function<void(std::uint8_t endpoint)> clear_halt;
        std::function<void()> reset;
    };

    // Takes over `socket`, introduces itself and `model`, and serves. Set the hooks before.
    ScriptedHost(UniqueFd socket, Model model, Hooks hooks = {});
    ~ScriptedHost();
    ScriptedHost(const ScriptedHost&) = delete;
    ScriptedHost& operator=(const ScriptedHost&) = delete;
    // Joins the thread; the other end must have been closed, or a hook have called vanish().
    void stop();

    // For the hooks:
    void answer_bulk(std::uint64_t id, std::uint8_t endpoint, std::uint8_t status, std::span<const std::byte> data);
    void answer_bulk_out(std::uint64_t id, std::uint8_t endpoint, std::uint8_t status, std::size_t length);
    void interrupt(std::uint8_t endpoint, std::uint8_t status, std::span<const std::byte> data);
    void interrupt_status(std::uint8_t endpoint, std::uint8_t status);
    void disconnect();
    void send_raw(const Bytes& packet);
    void vanish() { vanished_ = true; }
    usbredirparser* parser() { return parser_; }
    Model& model() { return model_; }

  private:
    struct Callbacks;
    void run();
    void introduce();
    void send_endpoints();
    void answer_control(std::uint64_t id, usb_redir_control_packet_header header, std::span<const std::byte> data);
    Bytes descriptor(const usb_redir_control_packet_header& header) const;

    UniqueFd socket_;
    Model model_;
    Hooks hooks_;
    usbredirparser* parser_ = nullptr;
    bool alternate_ = false;  // of interface 1
    bool vanished_ = false;
    std::thread thread_;
};

// A connected pair of stream sockets.
std::pair<UniqueFd, UniqueFd> socket_pair();

}  // namespace plugfs::usb::test
