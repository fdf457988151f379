// LibusbListener: keeps an interrupt IN endpoint being read, for Device::listen().
#pragma once

#include "usb/backend.h"
#include "usb/libusb_urb.h"

#include <deque>
#include <vector>

namespace plugfs::usb {

class LibusbListener {
  public:
    // Packets of at most `packet_size` bytes are taken, longer ones dropped; `maximum` is the endpoint's
    // wMaxPacketSize. `handle` must outlive the listener.
    static Result<std::unique_ptr<LibusbListener>> create(LibusbHandle& handle, std::uint8_t endpoint,
                                                          std::size_t packet_size, std::size_t maximum);

    [[nodiscard]] std::uint8_t endpoint() const { return endpoint_; }
    // Moves the packets that have come to the end of `arrivals` and asks for more.
    void collect(std::deque<Arrival>& arrivals);
    // Asks for packets again after a reset.
    void restart();

  private:
    LibusbListener(LibusbHandle& handle, std::uint8_t endpoint, std::size_t packet_size, std::size_t maximum)
        : handle_(handle), endpoint_(endpoint), packet_size_(packet_size), maximum_(maximum) {}
    void post(LibusbUrb& urb);
    void failed(LibusbUrb& urb, const Error& error);
    void complain(const std::string& line);

    LibusbHandle& handle_;
    std::uint8_t endpoint_;
    std::size_t packet_size_;
    std::size_t maximum_;
    std::vector<std::unique_ptr<LibusbUrb>> urbs_;  // in flight together; they end in turns
    std::size_t next_ = 0;                          // whose turn it is
    unsigned errors_ = 0;                           // since the last good packet
    unsigned complaints_ = 0;
    bool given_up_ = false;
};

}  // namespace plugfs::usb
