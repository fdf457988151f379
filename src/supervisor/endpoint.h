// Endpoints: where a device is that is not plugged in here. "unix:PATH" or "tcp:HOST:PORT" ("tcp:[::1]:4000"), usbredir
// behind it.
#pragma once

#include "common/unique_fd.h"
#include "supervisor/event_loop.h"

#include <plugfs/result.h>

#include <functional>
#include <memory>
#include <string>

namespace plugfs {

struct Endpoint {
    std::string text;  // as given
    bool unix_socket = false;
    std::string host;  // TCP
    std::string port;  // TCP
    std::string path;  // unix
};

// EINVAL with what is expected.
[[nodiscard]] Result<Endpoint> parse_endpoint(const std::string& text);

// One attempt to connect, without blocking but for the look-up of a host name. Destroying it gives it up.
class Connector {
  public:
    using Done = std::function<void(Result<UniqueFd>)>;
    // `done` is called once, from the event loop, at the latest after five seconds (ETIMEDOUT).
    Connector(EventLoop& loop, const Endpoint& endpoint, Done done);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

  private:
    Result<void> begin(const Endpoint& endpoint);
    void finish(Result<UniqueFd> result);

    EventLoop& loop_;
    Done done_;
    UniqueFd socket_;
    EventLoop::Timer timer_ = 0;
};

}  // namespace plugfs
