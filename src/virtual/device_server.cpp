#include "virtual/device_server.h"

#include "common/log.h"

#include <plugfs/deadline.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace plugfs::virtual_usb {

namespace {
constexpr std::size_t line_limit = 1024;
constexpr int client_deadline_ms = 1000;
}  // namespace

int DeviceServer::wait_ms() const {
    const auto wake = initiator_ ? initiator_->next_wake() : std::nullopt;
    return wake ? std::min(1000, Deadline::at(*wake).remaining_ms()) : -1;
}

Result<void> DeviceServer::serve(int listener, int control, int stop) {
    while (true) {
        std::array<pollfd, 5> ready = {
            {{stop, POLLIN, 0},
             {watch_fd, POLLIN, 0},
             {control, POLLIN, 0},
             {initiator_ || !plugged_ ? -1 : listener, POLLIN, 0},
             {initiator_ ? initiator_->fd() : -1, initiator_ ? initiator_->events() : short{0}, 0}}};
        if (::poll(ready.data(), ready.size(), wait_ms()) < 0 && errno != EINTR) {
            return fail(errno, "poll");
        }
        if (ready[0].revents != 0) {
            return {};
        }
        if (ready[1].revents != 0) {
            watched();
        }
        if (ready[2].revents != 0) {
            answer_command(control);
        }
        if (ready[3].revents != 0) {
            accept_initiator(listener);
        }
        // In any case: a command or a change may have queued something to send.
        if (initiator_ && !initiator_->serve()) {
            initiator_.reset();
            device_.reset();
        }
        if (after_round) {
            after_round();
        }
    }
}

void DeviceServer::answer_command(int control) {
    const UniqueFd client(::accept4(control, nullptr, nullptr, SOCK_CLOEXEC));
    pollfd wait{client.get(), POLLIN, 0};
    std::array<char, line_limit> buffer{};
    if (client && ::poll(&wait, 1, client_deadline_ms) == 1) {
        const ssize_t length = ::recv(client.get(), buffer.data(), buffer.size(), 0);
        const std::string text(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
        const auto answer = command(text.substr(0, text.find('\n'))) + "\n";
        (void)::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
}

void DeviceServer::accept_initiator(int listener) {
    UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) {
        return;
    }
    if (auto server = UsbredirServer::create(std::move(socket), device_, traffic_)) {
        initiator_ = std::move(*server);
    } else {
        log::error(server.error().text());
    }
}

void DeviceServer::unplug() {
    plugged_ = false;
    initiator_.reset();
    device_.reset();
}

}  // namespace plugfs::virtual_usb
