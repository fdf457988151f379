// VirtualDevice: what a program has to implement to look like a USB device. UsbredirServer puts it on the wire.
//
// Class-neutral: descriptors, class and vendor requests, bytes for OUT endpoints, transfers from IN endpoints. All
// calls are made on one thread.
#pragma once

#include <plugfs/usb.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::virtual_usb {

struct DeviceDescription {
    std::uint16_t vendor_id = 0x1209;
    std::uint16_t product_id = 0x0001;
    std::uint16_t device_release = 0x0100;
    usb::Speed speed = usb::Speed::high;
    std::string manufacturer = "plugfs";
    std::string product;
    std::string serial_number;
    std::vector<usb::Interface> interfaces;  // alternate setting 0 only
};

// Bytes that the device wants to send: some in memory, then a part of a file. Read as they are asked for.
class ByteSource {
  public:
    ByteSource() = default;
    explicit ByteSource(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
    // `read` gives the next bytes, as many as fit; it is called for `length` bytes in all.
    void append(std::uint64_t length, std::function<void(std::span<std::byte>)> read) {
        rest_ = length;
        read_ = std::move(read);
    }
    [[nodiscard]] std::uint64_t size() const { return bytes_.size() - at_ + rest_; }
    // Takes up to `count` bytes.
    std::vector<std::byte> take(std::size_t count);

  private:
    std::vector<std::byte> bytes_;
    std::size_t at_ = 0;
    std::uint64_t rest_ = 0;
    std::function<void(std::span<std::byte>)> read_;
};

// One transfer of an IN endpoint. It ends with a short packet; when its length is a multiple of the packet size, with
// an empty one if `zero_length_packet` says so.
struct InTransfer {
    using Clock = std::chrono::steady_clock;
    ByteSource bytes;
    bool zero_length_packet = true;
    bool stall = false;        // the endpoint halts instead
    std::uint16_t stream = 0;  // of an endpoint that has streams: on which it goes
    Clock::time_point not_before = Clock::time_point::min();
};

class VirtualDevice {
  public:
    virtual ~VirtualDevice() = default;

    [[nodiscard]] virtual const DeviceDescription& description() const = 0;
    // A class or vendor request. Nothing: the request is not supported (stall). For OUT requests the answer's bytes do
    // not count.
    virtual std::optional<std::vector<std::byte>> control(const usb::Setup& setup, bool in,
                                                          std::span<const std::byte> data, std::size_t length) = 0;
    // Bytes of one OUT transfer. False: the endpoint stalls.
    virtual bool out(std::uint8_t endpoint, std::span<const std::byte> bytes) = 0;
    // The same on a stream of an endpoint that has streams (Endpoint::stream_limit).
    virtual bool out_on_stream(std::uint8_t endpoint, std::uint16_t stream, std::span<const std::byte> bytes) {
        (void)stream;
        return out(endpoint, bytes);
    }
    // What an IN endpoint sends next, or null. The transfer is taken from the front of the queue as it is sent.
    virtual std::deque<InTransfer>& in(std::uint8_t endpoint) = 0;
    // The bus was reset, or a new connection begins: everything queued is gone.
    virtual void reset() = 0;
    virtual void halt_cleared(std::uint8_t endpoint) = 0;
};

}  // namespace plugfs::virtual_usb
