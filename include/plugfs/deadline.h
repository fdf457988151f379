// Deadline: the moment at which a wait gives up. Every wait in plugfs takes one.
//
// A deadline is a point in time, not a length, so it can be handed down through several waits without
// each of them starting the clock anew.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>

namespace plugfs {

class Deadline {
  public:
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] static Deadline after(std::chrono::milliseconds length) { return Deadline(Clock::now() + length); }
    [[nodiscard]] static Deadline at(Clock::time_point moment) { return Deadline(moment); }

    [[nodiscard]] bool expired() const { return Clock::now() >= moment_; }
    [[nodiscard]] Clock::time_point moment() const { return moment_; }

    // What is left, rounded up, never negative: fits poll(2).
    [[nodiscard]] int remaining_ms() const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment_ - Clock::now()).count();
        return static_cast<int>(std::clamp<long long>(left, 0, INT_MAX));
    }

    [[nodiscard]] static Deadline earlier(Deadline a, Deadline b) { return a.moment_ < b.moment_ ? a : b; }

    // A wait until then ends earlier, with ECANCELED, when nobody wants what it waits for any more: a reader was
    // interrupted. For the data of Driver::read(); a driver that says so gets the device ready for the next call and
    // returns ECANCELED.
    [[nodiscard]] Deadline unless_called_off() const {
        Deadline same = *this;
        same.may_be_called_off_ = true;
        return same;
    }
    [[nodiscard]] bool may_be_called_off() const { return may_be_called_off_; }

  private:
    explicit Deadline(Clock::time_point moment) : moment_(moment) {}
    Clock::time_point moment_;
    bool may_be_called_off_ = false;
};

}  // namespace plugfs
