// EventLoop: the supervisor's one thread waits here for descriptors and for moments in time.
//
// Callbacks may add and remove watches and timers, their own included.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

namespace plugfs {

class EventLoop {
  public:
    static Result<std::unique_ptr<EventLoop>> create();

    using Callback = std::function<void()>;

    // Calls `ready` whenever `fd` has something to read (or `writable`: can be written to), or has failed or been
    // closed by its other side. unwatch() before `fd` is closed.
    void watch(int fd, Callback ready, bool writable = false);
    void unwatch(int fd);

    // Calls `due` once, after `delay`. The number is for cancel().
    using Timer = std::uint64_t;
    Timer after(std::chrono::milliseconds delay, Callback due);
    void cancel(Timer timer);

    // Turns until quit() is called.
    void run();
    void quit() { running_ = false; }

  private:
    explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
    void run_due_timers();
    [[nodiscard]] int wait_ms() const;

    UniqueFd epoll_;
    std::unordered_map<int, std::shared_ptr<Callback>> watches_;
    std::map<std::pair<Deadline::Clock::time_point, Timer>, Callback> timers_;
    Timer last_timer_ = 0;
    bool running_ = true;
};

}  // namespace plugfs
