// listen_on(): sockets for virtual devices.

#include "virtual/device_server.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace plugfs::virtual_usb {

namespace {

Result<UniqueFd> listen_at(const sockaddr* address, socklen_t length, const std::string& endpoint) {
    UniqueFd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (socket && address->sa_family != AF_UNIX) {
        (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    constexpr int backlog = 8;
    if (!socket || ::bind(socket.get(), address, length) != 0 || ::listen(socket.get(), backlog) != 0) {
        return fail(errno, "listen on " + endpoint);
    }
    return socket;
}

}  // namespace

Result<UniqueFd> listen_on(const std::string& endpoint) {
    if (endpoint.starts_with("unix:")) {
        const auto path = endpoint.substr(5);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.empty() || path.size() >= sizeof address.sun_path) {
            return fail(EINVAL, "listen on " + endpoint, "the path is empty or too long");
        }
        path.copy(address.sun_path, path.size());
        (void)::unlink(path.c_str());
        return listen_at(reinterpret_cast<const sockaddr*>(&address), sizeof address, endpoint);
    }
    const auto colon = endpoint.rfind(':');
    if (!endpoint.starts_with("tcp:") || colon <= 4) {
        return fail(EINVAL, "listen on " + endpoint, "expected unix:PATH or tcp:HOST:PORT");
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (const int status =
            ::getaddrinfo(endpoint.substr(4, colon - 4).c_str(), endpoint.substr(colon + 1).c_str(), &hints, &found);
        status != 0) {
        return fail(EINVAL, "listen on " + endpoint, ::gai_strerror(status));
    }
    auto socket = listen_at(found->ai_addr, found->ai_addrlen, endpoint);
    ::freeaddrinfo(found);
    return socket;
}

}  // namespace plugfs::virtual_usb
