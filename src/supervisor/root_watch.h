// RootWatch: notices a mount whose root the kernel takes for broken.
//
// A driver whose memory is damaged may answer for its root folder that it is none. The kernel refuses everything in
// such a mount from then on, whoever serves it: no successor can help, only another mount.
#pragma once

#include "supervisor/event_loop.h"

#include <functional>
#include <string>

namespace plugfs {

class RootWatch {
  public:
    // `loop` must outlive it.
    explicit RootWatch(EventLoop& loop) : loop_(loop) {}
    ~RootWatch() { end(); }
    RootWatch(const RootWatch&) = delete;
    RootWatch& operator=(const RootWatch&) = delete;

    // `mount_point` is mounted. `broken` is called once, from the loop, within a second.
    void begin(const std::string& mount_point, std::function<void()> broken);
    void end();

  private:
    void check();

    EventLoop& loop_;
    std::string mount_point_;
    std::function<void()> broken_;
    EventLoop::Timer timer_ = 0;
};

}  // namespace plugfs
