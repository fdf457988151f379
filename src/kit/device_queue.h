// DeviceQueue: the jobs that wait for the device thread, most urgent first.
//
// The FUSE thread adds jobs and may hurry one along; the device thread takes them. A job is short by contract (one
// chunk, one part of a listing), so a small request waits for one chunk at most, however long the file that is being
// read. The mutex guards the lists: a job that is hurried along moves within the queue, which a plain channel cannot
// do.
#pragma once

#include "common/unique_fd.h"
#include "usb/call_off.h"

#include <plugfs/driver.h>

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace plugfs::kit {

enum class Priority : std::uint8_t {
    metadata,  // someone waits for names or attributes
    demanded,  // someone waits for data, or for the rest of a long listing
    ahead,     // nobody waits yet
};

using Job = std::function<void(Driver&)>;
using JobId = std::uint64_t;

class DeviceQueue {
  public:
    static Result<std::unique_ptr<DeviceQueue>> create();

    JobId add(Priority priority, Job job);
    // Moves a job that still waits to the end of a more urgent class.
    void hurry(JobId id, Priority priority);
    // Takes a job out that still waits; false when it is running or done.
    bool remove(JobId id);
    // Ends the wait for the device of the job that is running, if it is this one; see usb/call_off.h.
    void call_off(JobId id);

    // The device thread: the next job, if there is one.
    std::optional<Job> take();
    // Whether nothing waits.
    [[nodiscard]] bool empty();
    // Readable when a job comes after take() had none left, or after wake().
    [[nodiscard]] int wake_fd() const { return event_.get(); }
    // Ends a wait on wake_fd without a job. Any thread.
    void wake();
    // What ends the waits of the job that is running.
    [[nodiscard]] usb::CallOff& waits() { return *call_off_; }

  private:
    DeviceQueue(UniqueFd event, std::unique_ptr<usb::CallOff> call_off)
        : event_(std::move(event)), call_off_(std::move(call_off)) {}
    struct Waiting {
        JobId id;
        Job job;
    };
    std::optional<Waiting> extract(JobId id);

    UniqueFd event_;
    std::atomic<bool> woken_ = false;  // something has been written to it
    std::mutex mutex_;
    bool sleeping_ = true;  // the device thread has found nothing, and may wait for the descriptor
    std::array<std::deque<Waiting>, 3> lists_;
    JobId last_id_ = 0;
    JobId running_ = 0;
    std::unique_ptr<usb::CallOff> call_off_;
};

}  // namespace plugfs::kit
