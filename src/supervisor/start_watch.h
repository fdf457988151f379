// StartWatch: notices a worker that lives and does not come as far as to serve.
//
// LifeWatch sees one that stands still. But a driver may wait for its device again and again, each time within a limit;
// and one that has started may have lost the message that says so: nobody would look for what it loses (RequestWatch
// does not, before it serves), and nobody could have it replaced.
#pragma once

#include "common/vault.h"
#include "supervisor/event_loop.h"

#include <plugfs/deadline.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace plugfs {

class StartWatch {
  public:
    struct Limits {
        std::chrono::milliseconds start{std::chrono::minutes(3)};  // from the launch to the driver's start
        std::chrono::milliseconds word{0};                         // from there to the message; 0: nothing is watched
    };
    // `loop` must outlive it.
    StartWatch(EventLoop& loop, Limits limits) : loop_(loop), limits_(limits) {}
    ~StartWatch() { end(); }
    StartWatch(const StartWatch&) = delete;
    StartWatch& operator=(const StartWatch&) = delete;

    // A worker was launched, and VaultHeader::driver_started is 0. `header` must outlive the watch, until end(). `late`
    // is called once, from the loop, with what it has not done: "has not ...".
    void begin(const VaultHeader& header, std::function<void(const std::string& what)> late);
    // It serves, or has ended.
    void end();

  private:
    void check();

    EventLoop& loop_;
    Limits limits_;
    const VaultHeader* header_ = nullptr;
    std::function<void(const std::string&)> late_;
    EventLoop::Timer timer_ = 0;
    Deadline::Clock::time_point launched_;
    std::optional<Deadline::Clock::time_point> started_;  // when that was seen
};

}  // namespace plugfs
