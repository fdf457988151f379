// DeviceServer: the main loop of a virtual device that listens on a socket, with a control socket for commands.
//
// One initiator at a time; the next one that connects waits until the first has gone.
#pragma once

#include "virtual/usbredir_server.h"

#include <functional>
#include <memory>
#include <string>

namespace plugfs::virtual_usb {

class DeviceServer {
  public:
    // `device` must outlive it.
    explicit DeviceServer(VirtualDevice& device) : device_(device) {}

    // Executes one line of the control protocol and returns the answer, one line.
    std::function<std::string(const std::string& line)> command;
    // Called when watch_fd is readable; -1: never.
    int watch_fd = -1;
    std::function<void()> watched;
    // Called after each round, when anything may have happened.
    std::function<void()> after_round;

    // Accepts initiators on `listener` and commands on `control` (-1: none) until `stop` is readable.
    Result<void> serve(int listener, int control, int stop);

    // Closes the connection and accepts no other; accepts one again.
    void unplug();
    void plug() { plugged_ = true; }
    [[nodiscard]] bool connected() const { return initiator_ != nullptr; }
    [[nodiscard]] const TrafficCount& traffic() const { return traffic_; }

  private:
    void accept_initiator(int listener);
    void answer_command(int control);
    [[nodiscard]] int wait_ms() const;

    VirtualDevice& device_;
    TrafficCount traffic_;
    std::unique_ptr<UsbredirServer> initiator_;
    bool plugged_ = true;
};

// A listening socket for "unix:PATH" or "tcp:HOST:PORT" (numeric host). A stale unix socket is replaced.
[[nodiscard]] Result<UniqueFd> listen_on(const std::string& endpoint);

}  // namespace plugfs::virtual_usb
