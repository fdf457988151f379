// The usbfs double; see the header.
#include "mock_usbfs.h"

#include "scripted_host.h"  // Model

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>

namespace plugfs::usb::test {
namespace {

MockUsbfs* current = nullptr;

}  // namespace

MockUsbfs::MockUsbfs() {
    REQUIRE(current == nullptr);
    current = this;
}

MockUsbfs::~MockUsbfs() {
    current = nullptr;
}

UniqueFd MockUsbfs::open() {
    UniqueFd fd(::memfd_create("usbfs", MFD_CLOEXEC));
    const Model model;
    REQUIRE(::write(fd.get(), model.device_descriptor.data(), model.device_descriptor.size()) > 0);
    REQUIRE(::write(fd.get(), model.configuration.data(), model.configuration.size()) > 0);
    fd_ = fd.get();
    return fd;
}

void MockUsbfs::complete(usbdevfs_urb& urb, int status, std::size_t actual_length) {
    REQUIRE(std::erase(pending_, &urb) == 1);
    urb.status = status;
    urb.actual_length = static_cast<int>(actual_length);
    completed_.push_back(&urb);
}

void MockUsbfs::answer(usbdevfs_urb& urb, const std::vector<std::byte>& data) {
    REQUIRE(data.size() <= static_cast<std::size_t>(urb.buffer_length));
    std::ranges::copy(data, static_cast<std::byte*>(urb.buffer));
    complete(urb, 0, data.size());
}

void MockUsbfs::unplug() {
    unplugged_ = true;
    while (!pending_.empty()) {
        complete(*pending_.front(), -ESHUTDOWN, 0);
    }
}

int MockUsbfs::submit(usbdevfs_urb& urb) {
    if (unplugged_) {
        return -ENODEV;
    }
    if (without_memory > 0 && urb.type != USBDEVFS_URB_TYPE_CONTROL) {
        --without_memory;
        return -ENOMEM;
    }
    pending_.push_back(&urb);
    if (urb.type == USBDEVFS_URB_TYPE_CONTROL) {
        answer_control(urb);
    } else if (submitted) {
        submitted(urb);
    }
    return 0;
}

void MockUsbfs::answer_control(usbdevfs_urb& urb) {
    const auto* setup = static_cast<const std::uint8_t*>(urb.buffer);
    auto* data = static_cast<std::byte*>(urb.buffer) + 8;
    const std::size_t wanted = setup[6] | (setup[7] << 8U);
    if (setup[0] != 0x80 || setup[1] != 6 || setup[3] != 3) {
        if (control) {
            control(urb);
        }
        return;
    }
    const Model model;
    const auto found = model.strings.find(setup[2]);
    if (found == model.strings.end()) {
        complete(urb, -EPIPE, 0);
        return;
    }
    std::string answer = std::string("\0\3", 2) + found->second;
    answer[0] = static_cast<char>(answer.size());
    const std::size_t length = std::min(wanted, answer.size());
    std::memcpy(data, answer.data(), length);
    complete(urb, 0, length);
}

int MockUsbfs::discard(usbdevfs_urb& urb) {
    if (std::ranges::find(pending_, &urb) == pending_.end()) {
        return -EINVAL;
    }
    if (cancels) {
        complete(urb, -ENOENT, static_cast<std::size_t>(urb.actual_length));
    }
    return 0;
}

int MockUsbfs::reap(void* argument) {
    if (completed_.empty()) {
        return unplugged_ ? -ENODEV : -EAGAIN;
    }
    *static_cast<void**>(argument) = completed_.front();
    completed_.pop_front();
    return 0;
}

int MockUsbfs::handle_ioctl(unsigned long request, void* argument) {
    const auto number = [&](std::size_t index) {
        return std::to_string(static_cast<const unsigned*>(argument)[index]);
    };
    switch (request) {
        case USBDEVFS_SUBMITURB:
            return submit(*static_cast<usbdevfs_urb*>(argument));
        case USBDEVFS_DISCARDURB:
            return discard(*static_cast<usbdevfs_urb*>(argument));
        case USBDEVFS_REAPURBNDELAY:
            return reap(argument);
        default:
            break;
    }
    if (unplugged_) {
        return -ENODEV;
    }
    switch (request) {
        case USBDEVFS_GET_CAPABILITIES:
            *static_cast<std::uint32_t*>(argument) = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM |
                                                     USBDEVFS_CAP_BULK_SCATTER_GATHER |
                                                     USBDEVFS_CAP_REAP_AFTER_DISCONNECT | USBDEVFS_CAP_MMAP;
            return 0;
        case USBDEVFS_CONNECTINFO:
            *static_cast<usbdevfs_connectinfo*>(argument) = {5, 0};
            return 0;
        case USBDEVFS_GET_SPEED:
            return 3;           // USB_SPEED_HIGH
        case USBDEVFS_CONTROL:  // libusb asks for the active configuration
            *static_cast<std::uint8_t*>(static_cast<usbdevfs_ctrltransfer*>(argument)->data) = 1;
            return 1;
        case USBDEVFS_CLAIMINTERFACE:
            if (static_cast<int>(*static_cast<unsigned*>(argument)) == busy_interface) {
                return -EBUSY;
            }
            calls_.push_back("claim " + number(0));
            return 0;
        case USBDEVFS_DISCONNECT_CLAIM:
            calls_.push_back("claim again " + number(0));
            return 0;
        case USBDEVFS_RELEASEINTERFACE:
            calls_.push_back("release " + number(0));
            return 0;
        case USBDEVFS_SETINTERFACE:
            calls_.push_back("setting " + number(0) + " " + number(1));
            return 0;
        case USBDEVFS_CLEAR_HALT:
            calls_.push_back("clear " + number(0));
            return 0;
        case USBDEVFS_ALLOC_STREAMS: {
            const auto& asked = *static_cast<const usbdevfs_streams*>(argument);
            calls_.push_back("streams " + std::to_string(asked.num_streams) + " on " + std::to_string(asked.num_eps));
            return std::min(streams, static_cast<int>(asked.num_streams));
        }
        case USBDEVFS_RESET:
            calls_.emplace_back("reset");
            CHECK(pending_.empty());
            return returns_from_reset ? 0 : -ENODEV;
        default:
            return -ENOTTY;
    }
}

short MockUsbfs::ready(short events) const {
    const int writable = completed_.empty() ? 0 : events & (POLLOUT | POLLWRNORM);
    return static_cast<short>(writable | (unplugged_ ? POLLHUP | POLLERR : 0));
}

void* MockUsbfs::map(std::size_t length) {
    if (!gives_memory) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    ++mappings_;
    return reinterpret_cast<void*>(
        ::syscall(SYS_mmap, nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

}  // namespace plugfs::usb::test

using plugfs::usb::test::current;

// Without ThreadSanitizer's notes: its runtime calls these before it is ready to take any.
#define BEFORE_SANITIZER __attribute__((no_sanitize("thread")))

extern "C" {

BEFORE_SANITIZER int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    if (current == nullptr || !current->owns(fd)) {
        return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
    }
    const int result = current->handle_ioctl(request, argument);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

BEFORE_SANITIZER int poll(pollfd* fds, nfds_t count, int timeout) {
    int own = 0;
    std::vector<pollfd> others(fds, fds + count);
    for (auto& other : others) {
        if (current != nullptr && current->owns(other.fd)) {
            own += current->ready(other.events) != 0 ? 1 : 0;
            other.fd = -1;
        }
    }
    // The mock does nothing by itself: when it is not ready now, waiting does not make it so.
    const int ready = static_cast<int>(::syscall(SYS_poll, others.data(), count, own > 0 ? 0 : timeout));
    if (ready < 0) {
        return ready;
    }
    for (nfds_t i = 0; i < count; ++i) {
        const bool mine = current != nullptr && current->owns(fds[i].fd);
        fds[i].revents = mine ? current->ready(fds[i].events) : others[i].revents;
    }
    return ready + own;
}

// By its plain name, which is what libusb calls: with 64-bit file offsets the header makes it mmap64.
void* mock_mmap(void* address, std::size_t length, int protection, int flags, int fd, long offset) noexcept
    __asm__("mmap");
BEFORE_SANITIZER void* mock_mmap(void* address, std::size_t length, int protection, int flags, int fd,
                                 long offset) noexcept {
    if (current != nullptr && current->owns(fd)) {
        return current->map(length);
    }
    return reinterpret_cast<void*>(::syscall(SYS_mmap, address, length, protection, flags, fd, offset));
}
}
