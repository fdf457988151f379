// A usbfs device for tests of the libusb transport, under the real libusb and without a kernel's USB.
//
// The program that links mock_usbfs.cpp has its ioctl(), poll() and mmap() replaced: calls on the mock's descriptor go
// to the mock, which behaves as Documentation/driver-api/usb/usb.rst and drivers/usb/core/devio.c have it; all others
// go to the kernel. Everything happens on the caller's thread.
#pragma once

#include "common/unique_fd.h"

#include <linux/usbdevice_fs.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace plugfs::usb::test {

class MockUsbfs {
  public:
    // A device with the descriptors of Model. One at a time.
    MockUsbfs();
    ~MockUsbfs();
    MockUsbfs(const MockUsbfs&) = delete;
    MockUsbfs& operator=(const MockUsbfs&) = delete;

    // The device's descriptor, for open_libusb().
    UniqueFd open();

    // Called for each bulk and interrupt URB that is posted; it may complete it at once. Without: it stays pending.
    std::function<void(usbdevfs_urb&)> submitted;
    // Called for control requests that are not for descriptors; likewise.
    std::function<void(usbdevfs_urb&)> control;
    int busy_interface = -1;  // claimed by a kernel driver
    bool cancels = true;      // false: a discarded URB never ends
    bool returns_from_reset = true;
    bool gives_memory = true;  // mmap() works
    int without_memory = 0;    // so many URBs are refused with ENOMEM
    int streams = -EINVAL;     // what asking for bulk streams gives: so many, or an error (no streams)

    // Ends a pending URB. `status` is 0 or a negative errno, as the kernel has it.
    void complete(usbdevfs_urb& urb, int status, std::size_t actual_length);
    // Ends it with data (IN).
    void answer(usbdevfs_urb& urb, const std::vector<std::byte>& data);
    void unplug();

    [[nodiscard]] std::deque<usbdevfs_urb*>& pending() { return pending_; }
    // Requests in the order of their coming: "claim 0", "setting 1 1", "clear 129", "reset", ...
    [[nodiscard]] const std::vector<std::string>& calls() const { return calls_; }
    [[nodiscard]] unsigned mappings() const { return mappings_; }

    // For the replaced functions. Results: 0 or more, or a negative errno.
    [[nodiscard]] bool owns(int fd) const { return fd >= 0 && fd == fd_; }
    int handle_ioctl(unsigned long request, void* argument);
    [[nodiscard]] short ready(short events) const;
    void* map(std::size_t length);

  private:
    int submit(usbdevfs_urb& urb);
    void answer_control(usbdevfs_urb& urb);
    int discard(usbdevfs_urb& urb);
    int reap(void* argument);

    int fd_ = -1;
    bool unplugged_ = false;
    unsigned mappings_ = 0;
    std::deque<usbdevfs_urb*> pending_;
    std::deque<usbdevfs_urb*> completed_;
    std::vector<std::string> calls_;
};

}  // namespace plugfs::usb::test
