// LibusbHandle: a usbfs descriptor in libusb's hands, and its events.
//
// libusb neither looks for devices nor opens anything: it is given the descriptor (libusb_wrap_sys_device), which stays
// ours to close. There is no event thread; events are handled inside the calls that wait.
#pragma once

#include "common/unique_fd.h"
#include "usb/wait.h"

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <libusb.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace plugfs::usb {

class LibusbUrb;

// How long a cancelled transfer is waited for before its memory is given up for lost.
inline constexpr auto reap_limit = std::chrono::seconds(1);

// A libusb_error as an Error.
[[nodiscard]] Error error_of_libusb(int code, std::string_view stage);

class LibusbHandle {
  public:
    // ENODEV; EIO when the descriptor is not a usbfs device's.
    static Result<std::unique_ptr<LibusbHandle>> create(UniqueFd usbfs, std::size_t mapped_limit);
    ~LibusbHandle();
    LibusbHandle(const LibusbHandle&) = delete;
    LibusbHandle& operator=(const LibusbHandle&) = delete;

    [[nodiscard]] libusb_device_handle* get() const { return handle_; }
    [[nodiscard]] libusb_device* device() const { return libusb_get_device(handle_); }
    // Of usbfs, for what libusb has no function for.
    [[nodiscard]] int fd() const { return usbfs_.get(); }

    // ENODEV once the device is gone.
    [[nodiscard]] Result<void> check() const { return gone_; }
    // Returns the error of a libusb call (0: none), and notes it when it says that the device is gone.
    [[nodiscard]] Result<void> note(int code, std::string_view stage);

    // Handles events until `done()` or the deadline, or `wake_fd` is readable.
    [[nodiscard]] Result<bool> run_until(const std::function<bool()>& done, Deadline deadline, int wake_fd);
    // The same for what ends with a transfer that is in flight: one system call less for each event. `done()` is asked
    // after each event, and every `slice`. When the device is gone, what is in flight still has to be reaped: it goes
    // on for reap_limit after the loss at most, and then says ENODEV.
    [[nodiscard]] Result<bool> reap_until(const std::function<bool()>& done, Deadline deadline,
                                          std::chrono::milliseconds slice = longest_uncounted);

    // Memory of the kernel's for a transfer's buffer; null: there is no more for us. Before close.
    [[nodiscard]] std::byte* map(std::size_t size);
    void unmap(std::byte* memory, std::size_t size);

    // Every transfer that exists, so that a reset can end them all.
    void enter(LibusbUrb& urb) { urbs_.push_back(&urb); }
    void leave(LibusbUrb& urb) { std::erase(urbs_, &urb); }
    [[nodiscard]] const std::vector<LibusbUrb*>& urbs() const { return urbs_; }

  private:
    LibusbHandle(UniqueFd usbfs, std::size_t mapped_limit) : usbfs_(std::move(usbfs)), mappable_(mapped_limit) {}
    struct Ready {
        bool events = false;  // for libusb
        bool woken = false;   // `wake_fd` is readable
    };
    [[nodiscard]] Result<Ready> poll_events(Deadline deadline, int wake_fd);
    // What has happened, or happens within that time.
    void handle_events(std::chrono::milliseconds wait);
    [[nodiscard]] Result<bool> finished(const std::function<bool()>& done) const;
    void lose(std::string_view why);

    UniqueFd usbfs_;  // closed last
    libusb_context* context_ = nullptr;
    libusb_device_handle* handle_ = nullptr;
    Result<void> gone_;
    std::optional<Deadline> reap_until_;  // since it is gone
    std::vector<LibusbUrb*> urbs_;
    std::size_t mappable_;  // bytes that may still be mapped
};

}  // namespace plugfs::usb
