// Rig: plugfsd with virtual players, for the fault injection: victims, whose drivers get the faults, and neighbours,
// who must not notice.
#pragma once

#include <plugfs/result.h>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace plugfs::faults {

class Rig {
  public:
    // Starts everything; returns when all players are served. `stage`: where plugfs is installed.
    static Result<std::unique_ptr<Rig>> create(const std::string& stage, unsigned victims, unsigned neighbours);
    // Ends everything and removes its folder.
    ~Rig();
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    // Players are numbered from 0, the victims first.
    [[nodiscard]] std::string file(unsigned player) const;
    [[nodiscard]] std::string control(unsigned player, const char* name) const;
    [[nodiscard]] std::string state(unsigned player) const;
    [[nodiscard]] pid_t worker(unsigned player) const;
    void restart(unsigned player) const;
    // Copies the vault of its driver, for a person. The copy's path.
    [[nodiscard]] std::string keep(unsigned player) const;
    [[nodiscard]] bool mounted(unsigned player) const;

    [[nodiscard]] const std::vector<std::byte>& content() const { return content_; }
    [[nodiscard]] pid_t supervisor() const { return supervisor_; }
    // Whether the supervisor still is the process that was started.
    [[nodiscard]] bool supervisor_lives() const;
    [[nodiscard]] std::size_t supervisor_memory() const;  // KiB of its own
    [[nodiscard]] std::size_t supervisor_descriptors() const;
    // The last lines of its log, for a report.
    [[nodiscard]] std::string log() const;

  private:
    Rig() = default;
    Result<void> start(const std::string& stage, unsigned players);

    std::string folder_;
    std::vector<std::byte> content_;
    std::vector<pid_t> players_;
    pid_t supervisor_ = -1;
};

// The first line of a file; empty if it cannot be read.
[[nodiscard]] std::string first_line(const std::string& path);

}  // namespace plugfs::faults
