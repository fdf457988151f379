// LibusbUrb: one asynchronous libusb transfer with its buffer, for whoever wants something moved.
//
// The kernel may write to the buffer as long as the transfer is in flight. So nobody frees one that is: destruction
// cancels it and waits for its end, and if that does not come within reap_limit, buffer and transfer are left allocated
// for good, and the log says so.
#pragma once

#include "usb/libusb_handle.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace plugfs::usb {

class LibusbUrb {
  public:
    // For `type` control, bulk or interrupt. A control transfer's buffer begins with its 8 bytes of setup. Larger
    // buffers come from the kernel (LibusbHandle::map(): no copying) as far as it gives any. ENOMEM.
    static Result<std::unique_ptr<LibusbUrb>> create(LibusbHandle& handle, std::uint8_t type, std::uint8_t endpoint,
                                                     std::size_t capacity);
    ~LibusbUrb();
    LibusbUrb(const LibusbUrb&) = delete;
    LibusbUrb& operator=(const LibusbUrb&) = delete;

    [[nodiscard]] std::span<std::byte> buffer() const;
    // Posts `length` bytes of the buffer. EINVAL: in flight or too long. `flags`: LIBUSB_TRANSFER_ADD_ZERO_PACKET or 0.
    // `stream`: of a bulk endpoint that has streams; 0: it has none. ENOMEM: the kernel has had no memory for it for
    // two seconds.
    [[nodiscard]] Result<void> submit(std::size_t length, std::uint8_t flags = 0, std::uint16_t stream = 0);
    // Waits for the end; at the deadline cancels, and says ETIMEDOUT; ECANCELED when called off. Returns the bytes
    // moved (of a control transfer: without its setup).
    [[nodiscard]] Result<std::size_t> wait(Deadline deadline);
    void cancel();
    // Waits until a cancelled transfer has ended, reap_limit at most.
    void reap();

    // The flag that makes an OUT transfer end in an empty packet where its length is a multiple of the packet size.
    [[nodiscard]] std::uint8_t zero_packet_flag() const;
    [[nodiscard]] std::uint8_t endpoint() const;
    [[nodiscard]] bool in_flight() const;
    [[nodiscard]] std::size_t moved() const;
    // How the last one ended: bytes moved or the error; EINVAL when there was none.
    [[nodiscard]] Result<std::size_t> outcome();

  private:
    struct State;  // what must live as long as the kernel may write
    explicit LibusbUrb(LibusbHandle& handle);
    Result<void> post();
    static void LIBUSB_CALL completed(libusb_transfer* transfer) noexcept;

    LibusbHandle& handle_;
    std::unique_ptr<State> state_;
    bool timed_out_ = false;
    std::optional<Error> unsubmitted_;  // submit() failed, with this
};

}  // namespace plugfs::usb
