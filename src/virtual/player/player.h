// Player: a virtual media player that listens on a socket, with a control socket for its faults.
#pragma once

#include "virtual/device_server.h"
#include "virtual/player/responder.h"

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
    void report_changes();
    void check_unplug();
    [[nodiscard]] std::string counts() const;

    std::unique_ptr<ObjectStore> store_;
    Faults faults_;
    Responder responder_;
    DeviceServer server_;
    std::uint64_t unplug_base_ = 0;  // data_sent() when the fault unplug-after was set
};

}  // namespace plugfs::virtual_usb
