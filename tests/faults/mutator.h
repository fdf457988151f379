// Mutator: a device that lies. It stands between a driver and a virtual device, passes on what the driver says, and
// what the device says with changes: bytes and lengths of its data, statuses, packets that are left out or come twice,
// and an end in the middle. Which ones follows from the seed and the number of the connection alone.
//
// The usbredir protocol's packets have a header of 16 bytes: type, length, id (usbredirproto.h, usb_redir_header with
// the capability for 64-bit ids); before both sides have said hello, of 12.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace plugfs::faults {

class Mutator {
  public:
    // Listens on the unix socket `path`; every connection there gets one to the device at `device`.
    static Result<std::unique_ptr<Mutator>> create(const std::string& path, std::string device, std::uint64_t seed);
    ~Mutator();
    Mutator(const Mutator&) = delete;
    Mutator& operator=(const Mutator&) = delete;

    // Connections so far; changes so far.
    std::atomic<unsigned> connections = 0;
    std::atomic<unsigned long> changes = 0;
    // While false, everything is passed on as it is.
    std::atomic<bool> lies = false;

  private:
    Mutator(UniqueFd listener, UniqueFd stop, std::string device, std::uint64_t seed);
    void run();
    void serve(int driver, int device);
    // Passes on the whole packets in `bytes`; false: the connection is to end.
    bool pass_on(std::vector<std::byte>& bytes, int driver);
    // The packet as the driver gets it; empty: not at all.
    std::vector<std::byte> changed(std::vector<std::byte> packet);
    void change_data(std::vector<std::byte>& packet);
    std::size_t below(std::size_t limit);
    bool one_in(std::size_t count) { return below(count) == 0; }

    UniqueFd listener_;
    UniqueFd stop_;
    std::string device_;
    std::uint64_t seed_;
    std::mt19937_64 random_;
    std::size_t packets_ = 0;  // of this connection
    std::size_t honest_ = 0;   // so many at its begin
    std::size_t rate_ = 1;     // afterwards one in so many is changed
    std::thread thread_;
};

}  // namespace plugfs::faults
