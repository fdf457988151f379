// Mailbox: work for the FUSE thread from other threads.
//
// The FUSE thread owns the tree, the caches and all replies; whoever else has something to change there posts a
// function. The mutex guards the vector alone: the queue between the threads, which is what a lock is for here.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace plugfs::kit {

class Mailbox {
  public:
    static Result<std::unique_ptr<Mailbox>> create();

    // Any thread. Posts come from jobs and device events, whose number the device queue and the transports bound.
    void post(std::function<void()> work);

    // Readable while there is work.
    [[nodiscard]] int fd() const { return event_.get(); }

    // The FUSE thread: runs what was posted so far.
    void run_all();

  private:
    explicit Mailbox(UniqueFd event) : event_(std::move(event)) {}
    UniqueFd event_;
    std::mutex mutex_;
    bool announced_ = false;  // the descriptor is readable, or about to be
    std::vector<std::function<void()>> work_;
};

}  // namespace plugfs::kit
