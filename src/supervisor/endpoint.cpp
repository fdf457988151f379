#include "supervisor/endpoint.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <plugfs/driver.h>  // quoted()

namespace plugfs {

namespace {

constexpr std::chrono::seconds connect_deadline{5};

Error bad_endpoint(const std::string& text, const std::string& why) {
    return fail(EINVAL, "endpoint " + plugfs::quoted(text), why + "; expected unix:PATH or tcp:HOST:PORT");
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
    Endpoint endpoint;
    endpoint.text = text;
    if (text.starts_with("unix:")) {
        endpoint.unix_socket = true;
        endpoint.path = text.substr(5);
        if (endpoint.path.empty() || endpoint.path.size() >= sizeof(sockaddr_un::sun_path)) {
            return bad_endpoint(text, "the path is empty or too long");
        }
        return endpoint;
    }
    if (!text.starts_with("tcp:")) {
        return bad_endpoint(text, "unknown kind");
    }
    const auto rest = text.substr(4);
    const auto colon = rest.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == rest.size()) {
        return bad_endpoint(text, "no port");
    }
    endpoint.host = rest.substr(0, colon);
    endpoint.port = rest.substr(colon + 1);
    if (endpoint.host.front() == '[' && endpoint.host.back() == ']') {
        endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    }
    return endpoint;
}

Connector::Connector(EventLoop& loop, const Endpoint& endpoint, Done done) : loop_(loop), done_(std::move(done)) {
    if (const auto begun = begin(endpoint); !begun) {
        timer_ = loop_.after(std::chrono::milliseconds(0), [this, error = begun.error()] { finish(error); });
        return;
    }
    timer_ = loop_.after(connect_deadline, [this] { finish(fail(ETIMEDOUT, "connect")); });
    loop_.watch(
        socket_.get(),
        [this] {
            int error = 0;
            socklen_t length = sizeof error;
            (void)::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
            finish(error == 0 ? Result<UniqueFd>(std::move(socket_)) : Result<UniqueFd>(fail(error, "connect")));
        },
        true);
}

Connector::~Connector() {
    loop_.cancel(timer_);
    if (socket_) {
        loop_.unwatch(socket_.get());
    }
}

Result<void> Connector::begin(const Endpoint& endpoint) {
    sockaddr_storage address{};
    socklen_t length = 0;
    if (endpoint.unix_socket) {
        auto* name = reinterpret_cast<sockaddr_un*>(&address);
        name->sun_family = AF_UNIX;
        endpoint.path.copy(name->sun_path, sizeof name->sun_path - 1);
        length = sizeof *name;
    } else {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (const int status = ::getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found);
            status != 0) {
            return fail(EHOSTUNREACH, "look up " + plugfs::quoted(endpoint.host), ::gai_strerror(status));
        }
        std::memcpy(&address, found->ai_addr, found->ai_addrlen);
        length = found->ai_addrlen;
        ::freeaddrinfo(found);
    }
    socket_.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) {
        return fail(errno, "socket");
    }
    if (!endpoint.unix_socket) {
        const int on = 1;
        (void)::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 && errno != EINPROGRESS) {
        const int error = errno;
        socket_.reset();
        return fail(error, "connect");
    }
    return {};
}

void Connector::finish(Result<UniqueFd> result) {
    loop_.cancel(timer_);
    if (result && *result) {
        loop_.unwatch(result->get());
    } else if (socket_) {
        loop_.unwatch(socket_.get());
        socket_.reset();
    }
    // The callback may destroy this.
    const auto done = std::move(done_);
    done(std::move(result));
}

}  // namespace plugfs
