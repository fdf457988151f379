// Demo: virtual players for people without a device at hand (--demo).
//
// Generates a small library of tracks in a temporary folder and starts plugfs-virtual, once for each player, each on a
// socket of its own there. All of it goes when this is destroyed.
#pragma once

#include "supervisor/endpoint.h"
#include "supervisor/launch.h"

#include <plugfs/result.h>

#include <memory>
#include <string>
#include <vector>

namespace plugfs {

class Demo {
  public:
    static Result<std::unique_ptr<Demo>> create(unsigned players);
    ~Demo();
    Demo(const Demo&) = delete;
    Demo& operator=(const Demo&) = delete;

    // To be attached like any other.
    [[nodiscard]] const std::vector<Endpoint>& endpoints() const { return endpoints_; }

  private:
    explicit Demo(std::string folder) : folder_(std::move(folder)) {}
    Result<void> start_player(unsigned number);

    std::string folder_;
    std::vector<Endpoint> endpoints_;
    std::vector<Process> players_;
};

}  // namespace plugfs
