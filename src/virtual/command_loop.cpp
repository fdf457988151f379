#include "virtual/command_loop.h"

#include "virtual/usbredir_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace plugfs::virtual_usb {

int command_loop(int listener, VirtualDevice& device, const std::function<void(const std::string& line)>& command) {
    TrafficCount traffic;
    std::unique_ptr<UsbredirServer> host;
    std::string typed;
    while (true) {
        std::array<pollfd, 3> ready{{{STDIN_FILENO, POLLIN, 0},
                                     {host ? -1 : listener, POLLIN, 0},
                                     {host ? host->fd() : -1, host ? host->events() : short{0}, 0}}};
        if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) {
            return 1;
        }
        if (ready[0].revents != 0) {
            std::array<char, 256> buffer{};
            const ssize_t length = ::read(STDIN_FILENO, buffer.data(), buffer.size());
            if (length <= 0) {
                return 0;
            }
            typed.append(buffer.data(), static_cast<std::size_t>(length));
            for (auto end = typed.find('\n'); end != std::string::npos; end = typed.find('\n')) {
                command(typed.substr(0, end));
                typed.erase(0, end + 1);
            }
        }
        if (ready[1].revents != 0) {
            if (auto server = UsbredirServer::create(UniqueFd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)),
                                                     device, traffic)) {
                host = std::move(*server);
            }
        }
        if (host && !host->serve()) {
            host.reset();
        }
    }
}

}  // namespace plugfs::virtual_usb
