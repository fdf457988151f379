// LogLimit: how many of a driver's lines go into plugfsd's own log, which the whole machine shares. All of them go
// through the device's ring (supervisor/log_ring.h).
#pragma once

#include <plugfs/deadline.h>

#include <chrono>

namespace plugfs {

class LogLimit {
  public:
    explicit LogLimit(unsigned lines = 200, std::chrono::milliseconds period = std::chrono::seconds(10))
        : lines_(lines), period_(period) {}

    // Whether one more line may go there, now.
    [[nodiscard]] bool admits() {
        const auto now = Deadline::Clock::now();
        if (now - begin_ >= period_) {
            begin_ = now;
            count_ = 0;
        }
        return ++count_ <= lines_;
    }
    // After admits() has said no: whether that was the first time in this period.
    [[nodiscard]] bool first_refused() const { return count_ == lines_ + 1; }

  private:
    unsigned lines_;
    std::chrono::milliseconds period_;
    Deadline::Clock::time_point begin_;
    unsigned count_ = 0;
};

}  // namespace plugfs
