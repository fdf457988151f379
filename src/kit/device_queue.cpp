#include "kit/device_queue.h"

#include <sys/eventfd.h>

#include <algorithm>

namespace plugfs::kit {

Result<std::unique_ptr<DeviceQueue>> DeviceQueue::create() {
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) {
        return fail(errno, "eventfd");
    }
    PLUGFS_ASSIGN(auto call_off, usb::CallOff::create());
    return std::unique_ptr<DeviceQueue>(new DeviceQueue(std::move(event), std::move(call_off)));
}

JobId DeviceQueue::add(Priority priority, Job job) {
    JobId id = 0;
    bool sleeps = false;
    {
        const std::lock_guard lock(mutex_);
        id = ++last_id_;
        lists_[static_cast<std::size_t>(priority)].push_back({id, std::move(job)});
        sleeps = std::exchange(sleeping_, false);
    }
    if (sleeps) {
        wake();
    }
    return id;
}

std::optional<DeviceQueue::Waiting> DeviceQueue::extract(JobId id) {
    for (auto& list : lists_) {
        const auto found =
            std::find_if(list.begin(), list.end(), [id](const Waiting& waiting) { return waiting.id == id; });
        if (found != list.end()) {
            Waiting waiting = std::move(*found);
            list.erase(found);
            return waiting;
        }
    }
    return std::nullopt;
}

void DeviceQueue::hurry(JobId id, Priority priority) {
    const std::lock_guard lock(mutex_);
    if (auto waiting = extract(id)) {
        lists_[static_cast<std::size_t>(priority)].push_back(std::move(*waiting));
    }
}

bool DeviceQueue::remove(JobId id) {
    const std::lock_guard lock(mutex_);
    return extract(id).has_value();
}

void DeviceQueue::call_off(JobId id) {
    const std::lock_guard lock(mutex_);
    if (id != 0 && id == running_) {
        call_off_->ask();
    }
}

std::optional<Job> DeviceQueue::take() {
    const std::lock_guard lock(mutex_);
    if (call_off_->asked()) {  // meant for the job that has ended
        (void)call_off_->take();
    }
    running_ = 0;
    for (auto& list : lists_) {
        if (!list.empty()) {
            sleeping_ = false;
            running_ = list.front().id;
            Job job = std::move(list.front().job);
            list.pop_front();
            return job;
        }
    }
    sleeping_ = true;
    if (woken_.exchange(false)) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(event_.get(), &count, sizeof count);
    }
    return std::nullopt;
}

bool DeviceQueue::empty() {
    const std::lock_guard lock(mutex_);
    return std::all_of(lists_.begin(), lists_.end(), [](const auto& list) { return list.empty(); });
}

void DeviceQueue::wake() {
    // Before: who is woken before this thread goes on would find nothing to read otherwise, and be woken again and
    // again.
    woken_ = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    // And after, or what is written could be left in it.
    woken_ = true;
}

}  // namespace plugfs::kit
