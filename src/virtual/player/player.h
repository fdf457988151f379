// Player: a virtual media player that listens on a socket, with a control socket for its faults.
//
// One initiator at a time; the next one that connects waits until the first has gone.
#pragma once

#include "virtual/player/responder.h"
#include "virtual/usbredir_server.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace plugfs::virtual_usb {

struct PlayerOptions {
    DeviceDescription device;
    std::vector<std::pair<std::string, std::string>> storages;  // (name, folder)
    std::vector<std::string> faults;
};

class Player {
  public:
    static Result<std::unique_ptr<Player>> create(const PlayerOptions& options);

    // Accepts initiators on `listener` and commands on `control` (-1: none) until `stop` is readable.
    Result<void> serve(int listener, int control, int stop);

    // One line of the control protocol; returns the answer, one line. "help" lists them.
    std::string command(const std::string& line);

  private:
    Player(DeviceDescription device, std::unique_ptr<ObjectStore> store);
    void accept_initiator(int listener);
    void serve_initiator(short events);
    void report_changes();
    void check_unplug();
    [[nodiscard]] std::string counts() const;
    [[nodiscard]] int wait_ms() const;

    std::unique_ptr<ObjectStore> store_;
    Faults faults_;
    Responder responder_;
    TrafficCount traffic_;
    std::unique_ptr<UsbredirServer> initiator_;
    std::uint64_t unplug_base_ = 0;  // data_sent() when the fault unplug-after was set
    bool plugged_ = true;
};

// A listening socket for "unix:PATH" or "tcp:HOST:PORT" (numeric host). A stale unix socket is replaced.
[[nodiscard]] Result<UniqueFd> listen_on(const std::string& endpoint);

}  // namespace plugfs::virtual_usb
