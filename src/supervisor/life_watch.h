// LifeWatch: notices when a worker hangs.
//
// A worker counts up two numbers in the vault: one for its FUSE thread, one for the driver's. One that stands still for
// too long means that its thread is stuck in a loop or in a system call, or that the process was stopped. (A thread
// that waits for its device counts while it waits.)
#pragma once

#include "common/vault.h"
#include "supervisor/event_loop.h"

#include <plugfs/deadline.h>

#include <chrono>
#include <functional>

namespace plugfs {

class LifeWatch {
  public:
    // `loop` must outlive it. `limit`: how long the FUSE thread may stand still; 0: nothing is watched. The driver's
    // thread gets five times as long: it may sit in a system call that the kernel does not end sooner.
    LifeWatch(EventLoop& loop, std::chrono::milliseconds limit) : loop_(loop), limit_(limit) {}
    ~LifeWatch() { end(); }
    LifeWatch(const LifeWatch&) = delete;
    LifeWatch& operator=(const LifeWatch&) = delete;

    // A worker was launched. `header` must outlive the watch, until end(). `hung` is called once, from the loop.
    void begin(const VaultHeader& header, std::function<void()> hung);
    void end();

  private:
    // A counter, and since when it has stood still.
    struct Pulse {
        std::uint64_t count = 0;
        Deadline::Clock::time_point since;
        bool beats = false;  // it has, since the launch
    };
    [[nodiscard]] static bool stands_still(Pulse& pulse, std::uint64_t count, std::chrono::milliseconds limit);
    void check();

    EventLoop& loop_;
    std::chrono::milliseconds limit_;
    const VaultHeader* header_ = nullptr;
    std::function<void()> hung_;
    EventLoop::Timer timer_ = 0;
    Pulse fuse_;
    Pulse device_;
};

}  // namespace plugfs
