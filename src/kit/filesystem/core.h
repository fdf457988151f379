// What the parts of a Filesystem work on together. All of it belongs to the FUSE thread; so nothing here is locked.
#pragma once

#include "kit/device_thread.h"
#include "kit/filesystem/waiting_requests.h"
#include "kit/notifier.h"
#include "kit/session.h"
#include "kit/tree.h"

#include <functional>
#include <utility>
#include <vector>

namespace plugfs::kit {

// Whether the driver has started, and what waits for that.
class DriverStart {
  public:
    [[nodiscard]] bool done() const { return done_; }
    // At once, if it has started.
    void when_done(std::function<void()> work) {
        if (done_) {
            work();
        } else {
            waiting_.push_back(std::move(work));
        }
    }
    // From now on done() is true; go_on() does what has waited.
    void has_started() { done_ = true; }
    void go_on() {
        for (const auto& work : std::exchange(waiting_, {})) {
            work();
        }
    }

  private:
    bool done_ = false;
    std::vector<std::function<void()>> waiting_;
};

struct FilesystemCore {
    DeviceQueue& queue;
    Mailbox& mailbox;
    Tree tree = {};
    WaitingRequests waiting = {};
    DriverStart start = {};
    // Set before the first request.
    Session* session = nullptr;
    Notices* notifier = nullptr;
};

}  // namespace plugfs::kit
