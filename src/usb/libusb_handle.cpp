// Opening, and the event loop; see the header.
#include "usb/libusb_handle.h"
#include "usb/wait.h"

#include "common/log.h"

#include <poll.h>

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
        case LIBUSB_ERROR_NOT_FOUND:
        case LIBUSB_ERROR_INVALID_PARAM:
            return error(EINVAL);
        default:
            return error(EIO);
    }
}

Result<std::unique_ptr<LibusbHandle>> LibusbHandle::create(UniqueFd usbfs) {
    std::unique_ptr<LibusbHandle> handle(new LibusbHandle(std::move(usbfs)));
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

void LibusbHandle::lose(std::string_view why) {
    if (gone_) {
        log::warning("the device is gone: " + std::string(why));
        gone_ = fail(ENODEV, "usbfs", std::string(why));
        reap_until_ = Deadline::after(reap_limit);
    }
}

Result<bool> LibusbHandle::run_until(const std::function<bool()>& done, Deadline deadline, int wake_fd) {
    for (;;) {
        if (done()) {
            return true;
        }
        const Deadline limit = reap_until_ ? Deadline::earlier(deadline, *reap_until_) : deadline;
        const bool last = limit.expired();
        PLUGFS_ASSIGN(const bool woken, poll_events(limit, wake_fd));
        timeval zero{};
        const int code = libusb_handle_events_timeout_completed(context_, &zero, nullptr);
        if (code < 0 && code != LIBUSB_ERROR_INTERRUPTED) {
            lose(std::string("handling events: ") + libusb_error_name(code));
        }
        if (woken || last) {
            const bool finished = done();
            if (!finished) {
                PLUGFS_TRY(gone_);
            }
            return finished;
        }
    }
}

Result<bool> LibusbHandle::poll_events(Deadline deadline, int wake_fd) {
    std::vector<pollfd> fds;
    const libusb_pollfd** const list = libusb_get_pollfds(context_);
    if (list == nullptr) {
        return fail(ENOMEM, "libusb_get_pollfds");
    }
    for (const libusb_pollfd** entry = list; *entry != nullptr; ++entry) {
        fds.push_back({(*entry)->fd, (*entry)->events, 0});
    }
    libusb_free_pollfds(list);
    fds.push_back({wake_fd, POLLIN, 0});
    const int ready = wait_for(fds, deadline);
    if (ready < 0) {
        return fail(EIO, "usbfs", std::string("poll: ") + std::strerror(errno));
    }
    if (ready <= 0) {
        return false;
    }
    for (const pollfd& fd : fds) {
        // usbfs says so when the device has gone (or is about to: libusb then sees the same).
        if (fd.fd == usbfs_.get() && (fd.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
            lose("unplugged");
        }
    }
    return fds.back().revents != 0;
}

}  // namespace plugfs::usb
