// Stick: a virtual USB stick or card reader that listens on a socket, with a control socket for its media and faults.
#pragma once

#include "virtual/device_server.h"
#include "virtual/stick/unit.h"

namespace plugfs::virtual_usb {

enum class StickTransport : std::uint8_t { bulk_only, uas };

struct StickOptions {
    DeviceDescription device;
    StickTransport transport = StickTransport::bulk_only;
    std::vector<std::string> images;  // one a logical unit, 16 at most; empty: no medium
    std::uint32_t block_size = 512;
    bool volatile_cache = false;  // see StickMedium
    bool removable = true;
    std::vector<std::string> faults;
};

class Stick {
  public:
    static Result<std::unique_ptr<Stick>> create(const StickOptions& options);

    // Accepts initiators on `listener` and commands on `control` (-1: none) until `stop` is readable.
    Result<void> serve(int listener, int control, int stop);

    // One line of the control protocol; returns the answer, one line. "help" lists them.
    std::string command(const std::string& line);

    // For tests in the same process.
    [[nodiscard]] VirtualDevice& device() { return *target_; }
    [[nodiscard]] StickUnit& unit(std::size_t number) { return *units_.at(number); }
    [[nodiscard]] bool powered() const { return powered_; }

  private:
    explicit Stick(const StickOptions& options);
    Result<void> insert(std::size_t number, const std::string& image);
    std::string media_command(const std::string& verb, const std::string& argument);
    std::string power_cut(std::optional<std::uint64_t> seed);
    [[nodiscard]] std::string counts() const;

    StickOptions options_;
    StickFaults faults_;
    std::vector<std::unique_ptr<StickUnit>> units_;
    std::unique_ptr<VirtualDevice> target_;
    std::unique_ptr<DeviceServer> server_;
    bool powered_ = true;
    std::uint64_t cut_seed_ = 0;  // of the next power cut by a fault; 0: everything is lost
};

}  // namespace plugfs::virtual_usb
