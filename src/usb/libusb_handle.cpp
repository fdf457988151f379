// Opening, and the event loop; see the header.
#include "usb/libusb_handle.h"

#include "common/log.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace plugfs::usb {

Error error_of_libusb(int code, std::string_view stage) {
    const auto error = [&](int number) { return fail(number, std::string(stage), libusb_error_name(code)); };
    switch (code) {
        case LIBUSB_ERROR_NO_DEVICE:
            return error(ENODEV);
        case LIBUSB_ERROR_BUSY:
            return error(EBUSY);
        case LIBUSB_ERROR_PIPE:
            return error(EPIPE);
        case LIBUSB_ERROR_TIMEOUT:
            return error(ETIMEDOUT);
        case LIBUSB_ERROR_OVERFLOW:
            return error(EOVERFLOW);
        case LIBUSB_ERROR_NOT_SUPPORTED:
            return error(ENOTSUP);
        case LIBUSB_ERROR_NO_MEM:
            return error(ENOMEM);
        case LIBUSB_ERROR_NOT_FOUND:
        case LIBUSB_ERROR_INVALID_PARAM:
            return error(EINVAL);
        default:
            return error(EIO);
    }
}

Result<std::unique_ptr<LibusbHandle>> LibusbHandle::create(UniqueFd usbfs, std::size_t mapped_limit) {
    std::unique_ptr<LibusbHandle> handle(new LibusbHandle(std::move(usbfs), mapped_limit));
    // For all contexts that are created from here on; a worker has this one.
    if (const int code = libusb_set_option(nullptr, LIBUSB_OPTION_NO_DEVICE_DISCOVERY); code != LIBUSB_SUCCESS) {
        return error_of_libusb(code, "libusb_set_option");
    }
    if (const int code = libusb_init(&handle->context_); code != LIBUSB_SUCCESS) {
        return error_of_libusb(code, "libusb_init");
    }
    PLUGFS_TRY(handle->note(libusb_wrap_sys_device(handle->context_, handle->usbfs_.get(), &handle->handle_),
                            "libusb_wrap_sys_device"));
    return handle;
}

LibusbHandle::~LibusbHandle() {
    if (handle_ != nullptr) {
        libusb_close(handle_);
    }
    if (context_ != nullptr) {
        libusb_exit(context_);
    }
}

Result<void> LibusbHandle::note(int code, std::string_view stage) {
    if (code >= 0) {
        return {};
    }
    if (code == LIBUSB_ERROR_NO_DEVICE) {
        lose(stage);
    }
    return error_of_libusb(code, stage);
}

std::byte* LibusbHandle::map(std::size_t size) {
    if (size > mappable_) {
        return nullptr;
    }
    auto* const memory = reinterpret_cast<std::byte*>(libusb_dev_mem_alloc(handle_, size));
    mappable_ -= memory != nullptr ? size : 0;
    return memory;
}

void LibusbHandle::unmap(std::byte* memory, std::size_t size) {
    libusb_dev_mem_free(handle_, reinterpret_cast<unsigned char*>(memory), size);
    mappable_ += size;
}

void LibusbHandle::lose(std::string_view why) {
    if (gone_) {
        log::warning("the device is gone: " + std::string(why));
        gone_ = fail(ENODEV, "usbfs", std::string(why));
        reap_until_ = Deadline::after(reap_limit);
    }
}

void LibusbHandle::handle_events(std::chrono::milliseconds wait) {
    timeval limit{wait.count() / 1000, static_cast<suseconds_t>(wait.count() % 1000 * 1000)};
    const int code = libusb_handle_events_timeout_completed(context_, &limit, nullptr);
    if (code < 0 && code != LIBUSB_ERROR_INTERRUPTED) {
        lose(std::string("handling events: ") + libusb_error_name(code));
    }
}

Result<bool> LibusbHandle::run_until(const std::function<bool()>& done, Deadline deadline, int wake_fd) {
    for (;;) {
        if (done()) {
            return true;
        }
        const bool last = deadline.expired();
        PLUGFS_ASSIGN(const auto ready, poll_events(deadline, wake_fd));
        if (ready.events) {
            handle_events(std::chrono::milliseconds(0));
        }
        if (ready.woken || last || !gone_) {
            return finished(done);
        }
    }
}

Result<bool> LibusbHandle::reap_until(const std::function<bool()>& done, Deadline deadline,
                                      std::chrono::milliseconds slice) {
    for (;;) {
        if (done()) {
            return true;
        }
        const Deadline limit = reap_until_ ? Deadline::earlier(deadline, *reap_until_) : deadline;
        const bool last = limit.expired();
        count_wait();
        handle_events(std::min(slice, std::chrono::milliseconds(limit.remaining_ms())));
        if (last) {
            return finished(done);
        }
    }
}

Result<bool> LibusbHandle::finished(const std::function<bool()>& done) const {
    if (done()) {
        return true;
    }
    PLUGFS_TRY(gone_);
    return false;
}

Result<LibusbHandle::Ready> LibusbHandle::poll_events(Deadline deadline, int wake_fd) {
    std::vector<pollfd> fds;
    const libusb_pollfd** const list = libusb_get_pollfds(context_);
    if (list == nullptr) {
        return fail(ENOMEM, "libusb_get_pollfds");
    }
    for (const libusb_pollfd** entry = list; *entry != nullptr; ++entry) {
        fds.push_back({(*entry)->fd, (*entry)->events, 0});
    }
    libusb_free_pollfds(list);
    // Not among libusb's any more once it has seen that the device is gone.
    fds.push_back({usbfs_.get(), 0, 0});
    fds.push_back({wake_fd, POLLIN, 0});
    const int ready = wait_for(fds, deadline);
    if (ready < 0) {
        return fail(EIO, "usbfs", std::string("poll: ") + std::strerror(errno));
    }
    const auto wake = fds.end() - 1;
    const auto usbfs = fds.end() - 2;
    const bool events = std::any_of(fds.begin(), usbfs, [](const pollfd& fd) { return fd.revents != 0; });
    // usbfs says so when the device has gone (or is about to: libusb then sees the same).
    if ((usbfs->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        lose("unplugged");
    }
    return Ready{events, wake->revents != 0};
}

}  // namespace plugfs::usb
