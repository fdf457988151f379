// Interrupt IN listening on libusb; see the header.
#include "usb/libusb_listener.h"

#include "common/log.h"

#include <cerrno>
#include <string>

namespace plugfs::usb {
namespace {

constexpr std::size_t posted_count = 2;   // one with the kernel while the other is looked at
constexpr std::size_t packet_limit = 64;  // waiting packets, as Device::listen() promises
constexpr unsigned error_limit = 4;       // without a good packet in between
constexpr unsigned complaint_limit = 16;

}  // namespace

Result<std::unique_ptr<LibusbListener>> LibusbListener::create(LibusbHandle& handle, std::uint8_t endpoint,
                                                               std::size_t packet_size, std::size_t maximum) {
    std::unique_ptr<LibusbListener> listener(new LibusbListener(handle, endpoint, packet_size, maximum));
    for (std::size_t i = 0; i < posted_count; ++i) {
        PLUGFS_ASSIGN(auto urb, LibusbUrb::create(handle, LIBUSB_TRANSFER_TYPE_INTERRUPT, endpoint, maximum));
        PLUGFS_TRY(urb->submit(maximum));
        listener->urbs_.push_back(std::move(urb));
    }
    return listener;
}

void LibusbListener::complain(const std::string& line) {
    if (++complaints_ <= complaint_limit) {
        log::warning("interrupt endpoint " + std::to_string(endpoint_) + ": " + line +
                     (complaints_ == complaint_limit ? " (further ones are not logged)" : ""));
    }
}

void LibusbListener::post(LibusbUrb& urb) {
    if (const auto posted = urb.submit(maximum_); !posted) {
        complain(posted.error().text() + "; given up");
        given_up_ = true;
    }
}

void LibusbListener::collect(std::deque<Arrival>& arrivals) {
    // Each transfer once at most in a call: a device that never pauses does not keep us here.
    for (std::size_t i = 0; i < urbs_.size() && !given_up_ && !urbs_[next_]->in_flight(); ++i) {
        LibusbUrb& urb = *urbs_[next_];
        next_ = (next_ + 1) % urbs_.size();
        const auto moved = urb.outcome();
        if (!moved) {
            failed(urb, moved.error());
            continue;
        }
        errors_ = 0;
        const auto packet = urb.buffer().first(*moved);
        if (packet.size() > packet_size_) {
            complain("a packet of " + std::to_string(packet.size()) + " bytes is dropped, at most " +
                     std::to_string(packet_size_) + " are wanted");
        } else {
            if (arrivals.size() >= packet_limit) {
                arrivals.pop_front();
                complain("64 packets wait, the oldest is dropped");
            }
            arrivals.push_back({endpoint_, {packet.begin(), packet.end()}});
        }
        post(urb);
    }
}

void LibusbListener::failed(LibusbUrb& urb, const Error& error) {
    if (error.code == ENODEV || error.code == ECANCELED) {
        given_up_ = true;  // until restart(), if it was a reset
        return;
    }
    if (++errors_ > error_limit) {
        complain(error.text() + "; given up");
        given_up_ = true;
        return;
    }
    complain(error.text() + "; tried again");
    if (error.code == EPIPE) {
        (void)handle_.note(libusb_clear_halt(handle_.get(), endpoint_), "clear halt");
    }
    post(urb);
}

void LibusbListener::restart() {
    given_up_ = false;
    errors_ = 0;
    for (const auto& urb : urbs_) {
        if (!urb->in_flight()) {
            post(*urb);
        }
    }
    next_ = 0;
}

}  // namespace plugfs::usb
