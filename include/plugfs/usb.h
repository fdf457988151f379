// The USB device that a driver is given.
//
// A driver sees this interface and nothing below it: whether the device hangs on this machine (usbfs through
// libusb) or on another (usbredir) makes no difference. All calls are made on the driver's device thread, block,
// and take a deadline. Numbers and names follow the USB 2.0 specification, chapter 9 (descriptors: 9.6).
//
// Error codes, on every call:
//   ENODEV     the device is gone; nothing will work again
//   EPIPE      the endpoint stalled (control: the request is not supported); clear_halt() before the next use
//   ETIMEDOUT  the deadline passed; the transfer has been cancelled and its buffer is free again
//   EOVERFLOW  the device sent more than was asked for
//   ECANCELED  the transfer was cancelled, or called off (Deadline::unless_called_off())
//   EINVAL     no such interface, endpoint or direction: a driver's mistake
//   EIO        anything else on the bus; the detail says what
#pragma once

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace plugfs::usb {

enum class Speed : std::uint8_t { unknown, low, full, high, super, super_plus };
enum class TransferType : std::uint8_t { control = 0, isochronous = 1, bulk = 2, interrupt = 3 };

// USB 2.0, 9.6.6 (bEndpointAddress, bmAttributes, wMaxPacketSize, bInterval).
struct Endpoint {
    std::uint8_t address = 0;
    std::uint8_t attributes = 0;
    std::uint16_t max_packet_size = 0;  // bytes in a packet, without the "additional transactions" bits
    std::uint8_t interval = 0;
    // Mass storage: what UAS uses it for (the Pipe Usage descriptor's bPipeID: 1 command, 2 status, 3 data in, 4 data
    // out); 0: nothing is said.
    std::uint8_t pipe_usage = 0;
    // Bulk endpoints at SuperSpeed: how many streams it can carry (USB 3.2, 9.6.7: 2 to the power of MaxStreams); 0:
    // none.
    std::uint16_t stream_limit = 0;

    [[nodiscard]] bool in() const { return (address & 0x80U) != 0; }
    [[nodiscard]] TransferType type() const { return static_cast<TransferType>(attributes & 3U); }
};

// One alternate setting of one interface; USB 2.0, 9.6.5.
struct Interface {
    std::uint8_t number = 0;
    std::uint8_t alternate_setting = 0;
    std::uint8_t interface_class = 0;
    std::uint8_t interface_subclass = 0;
    std::uint8_t interface_protocol = 0;
    std::string name;  // the iInterface string, UTF-8, as the device gave it (not made safe); empty if there is none
    std::vector<Endpoint> endpoints;
};

// Who the device says it is; USB 2.0, 9.6.1. Strings are UTF-8, at most 126 UTF-16 units long, not made safe.
struct Identity {
    std::uint16_t vendor_id = 0;
    std::uint16_t product_id = 0;
    std::uint16_t device_release = 0;  // bcdDevice
    std::uint8_t device_class = 0;
    std::uint8_t device_subclass = 0;
    std::uint8_t device_protocol = 0;
    Speed speed = Speed::unknown;
    std::string manufacturer;
    std::string product;
    std::string serial_number;
};

// The fixed part of a control transfer; USB 2.0, 9.3. The length and the direction bit follow from the call.
struct Setup {
    std::uint8_t request_type = 0;  // bmRequestType without the direction bit: type and recipient
    std::uint8_t request = 0;       // bRequest
    std::uint16_t value = 0;        // wValue
    std::uint16_t index = 0;        // wIndex
};

// One bulk or interrupt transfer with a buffer of its own; submit, wait, and use it again. Several may be in flight
// on one endpoint; they complete in the order of their submission. Destroying one in flight cancels it and waits
// for the cancellation (a second at most).
class Transfer {
  public:
    virtual ~Transfer() = default;
    Transfer() = default;
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    // The whole buffer, owned by the transfer. Do not touch it while in flight.
    [[nodiscard]] virtual std::span<std::byte> buffer() = 0;
    // Starts to send or asks for `length` bytes (at most the capacity; 0 sends or expects an empty packet). IN lengths
    // should be multiples of the packet size, or the device may overflow. `zero_length_packet` (OUT): follow a transfer
    // whose length is a multiple of the packet size by an empty packet.
    [[nodiscard]] virtual Result<void> submit(std::size_t length, bool zero_length_packet = false) = 0;
    // The same on a stream of a bulk endpoint (allocate_streams()). Transfers on one stream complete in the order of
    // their submission. ENOTSUP: this connection carries no streams.
    [[nodiscard]] virtual Result<void> submit_to_stream(std::uint16_t stream, std::size_t length) {
        (void)stream;
        (void)length;
        return fail(ENOTSUP, "submit to stream");
    }
    // Waits for the end. Returns the bytes moved; fewer than asked for is no error here (a short packet ends a
    // transfer). On ETIMEDOUT and ECANCELED `moved()` says how many bytes had moved.
    [[nodiscard]] virtual Result<std::size_t> wait(Deadline deadline) = 0;
    [[nodiscard]] virtual std::size_t moved() const = 0;
    [[nodiscard]] virtual bool in_flight() const = 0;
    // Asks for cancellation; wait() then returns ECANCELED (or the result, if it was quicker).
    virtual void cancel() = 0;
};

class Device {
  public:
    virtual ~Device() = default;
    Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    [[nodiscard]] virtual const Identity& identity() const = 0;
    // All alternate settings of the active configuration.
    [[nodiscard]] virtual std::span<const Interface> interfaces() const = 0;

    // Claims an interface before its endpoints are used. EBUSY: another program or a kernel driver has it.
    [[nodiscard]] virtual Result<void> claim(std::uint8_t interface_number) = 0;
    [[nodiscard]] virtual Result<void> release(std::uint8_t interface_number) = 0;
    [[nodiscard]] virtual Result<void> set_alternate_setting(std::uint8_t interface_number,
                                                             std::uint8_t alternate_setting, Deadline deadline) = 0;

    // Control transfers on endpoint 0; at most 65,535 bytes. They return the bytes moved in the data stage.
    [[nodiscard]] virtual Result<std::size_t> control_in(const Setup& setup, std::span<std::byte> data,
                                                         Deadline deadline) = 0;
    [[nodiscard]] virtual Result<std::size_t> control_out(const Setup& setup, std::span<const std::byte> data,
                                                          Deadline deadline) = 0;

    // A transfer for a bulk or interrupt endpoint (its direction is the address's bit 7), with a buffer of `capacity`
    // bytes. Must be destroyed before the device is.
    [[nodiscard]] virtual Result<std::unique_ptr<Transfer>> create_transfer(std::uint8_t endpoint,
                                                                            std::size_t capacity) = 0;

    // Gives bulk endpoints of one claimed interface streams (USB 3.2, 8.12.1.4), 1 to the number returned, which is
    // `count` or less. A reset, another alternate setting and release() take them away again; before that, no transfer
    // may be in flight on them, and an endpoint with streams takes none without. ENOTSUP: the device, the host
    // controller or this connection has no streams.
    [[nodiscard]] virtual Result<std::uint16_t> allocate_streams(std::span<const std::uint8_t> endpoints,
                                                                 std::uint16_t count) {
        (void)endpoints;
        (void)count;
        return fail(ENOTSUP, "allocate streams");
    }

    // Keeps an interrupt IN endpoint being read from now on; each packet (at most `packet_size` bytes) is given to
    // Driver::arrived() on the device thread, between calls. At most 64 packets wait; older ones are dropped and
    // logged.
    [[nodiscard]] virtual Result<void> listen(std::uint8_t endpoint, std::size_t packet_size) = 0;

    // CLEAR_FEATURE(ENDPOINT_HALT), and both sides' data toggles back to 0.
    [[nodiscard]] virtual Result<void> clear_halt(std::uint8_t endpoint, Deadline deadline) = 0;
    // Resets the device on its port; interfaces stay claimed, alternate settings go back to 0, everything in flight is
    // cancelled. ENODEV if it comes back as something else.
    [[nodiscard]] virtual Result<void> reset(Deadline deadline) = 0;
};

}  // namespace plugfs::usb
