#include "supervisor/event_loop.h"

#include "common/log.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>

namespace plugfs {

Result<std::unique_ptr<EventLoop>> EventLoop::create() {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return fail(errno, "epoll_create1");
    }
    return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll)));
}

void EventLoop::watch(int fd, Callback ready, bool writable) {
    epoll_event event{};
    event.events = writable ? EPOLLOUT : EPOLLIN;
    event.data.fd = fd;
    const int operation = watches_.count(fd) != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) {
        log::error("epoll_ctl: " + std::string(std::strerror(errno)));
        return;
    }
    watches_[fd] = std::make_shared<Callback>(std::move(ready));
}

void EventLoop::unwatch(int fd) {
    if (watches_.erase(fd) != 0) {
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
}

EventLoop::Timer EventLoop::after(std::chrono::milliseconds delay, Callback due) {
    const Timer timer = ++last_timer_;
    timers_[{Deadline::Clock::now() + delay, timer}] = std::move(due);
    return timer;
}

void EventLoop::cancel(Timer timer) {
    const auto found =
        std::find_if(timers_.begin(), timers_.end(), [timer](const auto& item) { return item.first.second == timer; });
    if (found != timers_.end()) {
        timers_.erase(found);
    }
}

int EventLoop::wait_ms() const {
    return timers_.empty() ? -1 : Deadline::at(timers_.begin()->first.first).remaining_ms();
}

void EventLoop::run_due_timers() {
    while (!timers_.empty() && timers_.begin()->first.first <= Deadline::Clock::now()) {
        const auto timer = timers_.extract(timers_.begin());
        timer.mapped()();
    }
}

void EventLoop::run() {
    while (running_) {
        std::array<epoll_event, 64> events{};
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
        if (count < 0 && errno != EINTR) {
            log::error("epoll_wait: " + std::string(std::strerror(errno)));
            return;
        }
        for (int i = 0; i < count; ++i) {
            // An earlier callback of this round may have removed it.
            if (const auto found = watches_.find(events[static_cast<std::size_t>(i)].data.fd);
                found != watches_.end()) {
                const auto callback = found->second;
                (*callback)();
            }
        }
        run_due_timers();
    }
}

}  // namespace plugfs
