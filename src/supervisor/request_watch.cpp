#include "supervisor/request_watch.h"

#include <poll.h>

#include <utility>

namespace plugfs {

namespace {

constexpr std::chrono::milliseconds interval{500};

bool has_requests(int fuse) {
    pollfd ready{fuse, POLLIN, 0};
    return ::poll(&ready, 1, 0) != 0;
}

}  // namespace

void RequestWatch::begin(const Watched& watched, std::function<void(Lost)> lost) {
    end();
    if (limit_.count() == 0) {
        return;
    }
    watched_ = watched;
    lost_ = std::move(lost);
    timer_ = loop_.after(interval, [this] { check(); });
}

void RequestWatch::end() {
    loop_.cancel(timer_);
    timer_ = 0;
    idle_since_.clear();
    too_many_since_.reset();
    not_taken_since_.reset();
}

void RequestWatch::check() {
    timer_ = loop_.after(interval, [this] { check(); });
    const auto now = Deadline::Clock::now();
    const auto requests = watched_.requests->list();
    std::optional<Lost> how;
    if (stuck_in_slot(requests, now)) {
        how = Lost::in_slot;
    } else if (left_with_the_kernel(now)) {
        how = Lost::not_taken;
    } else if (gone_without_answer(requests.size(), now)) {
        how = Lost::without_slot;
    }
    if (how) {
        end();
        const auto lost = lost_;
        lost(*how);
    }
}

// While the device thread works, the slots may all be taken: then it is the device that is waited for.
bool RequestWatch::left_with_the_kernel(Time now) {
    const bool busy = watched_.header->device_busy.load(std::memory_order_relaxed) != 0;
    const std::uint64_t before = std::exchange(taken_, watched_.header->requests_taken.load(std::memory_order_relaxed));
    if (busy || before != taken_ || !has_requests(watched_.fuse)) {
        not_taken_since_.reset();
        return false;
    }
    if (!not_taken_since_) {
        not_taken_since_ = now;
    }
    return now - *not_taken_since_ >= limit_;
}

bool RequestWatch::stuck_in_slot(const std::vector<PendingRequests::Request>& requests, Time now) {
    if (watched_.header->device_busy.load(std::memory_order_relaxed) != 0) {
        idle_since_.clear();
        return false;
    }
    std::map<std::uint64_t, Time> idle_since;
    bool stuck = false;
    for (const auto& request : requests) {
        const auto known = idle_since_.find(request.unique);
        const Time since = known == idle_since_.end() ? now : known->second;
        idle_since[request.unique] = since;
        stuck |= now - since >= limit_;
    }
    idle_since_ = std::move(idle_since);
    return stuck;
}

// A look at a moving thing: only looks between which the kernel had nothing to give out are believed, and all of them
// must agree for as long as the limit.
bool RequestWatch::gone_without_answer(std::size_t in_slots, Time now) {
    if (has_requests(watched_.fuse)) {
        return false;
    }
    const auto waiting = connections_.waiting(watched_.connection);
    if (!waiting || *waiting <= in_slots || *waiting <= watched_.requests->list().size()) {
        too_many_since_.reset();
        return false;
    }
    if (has_requests(watched_.fuse)) {
        return false;
    }
    if (!too_many_since_) {
        too_many_since_ = now;
    }
    return now - *too_many_since_ >= limit_;
}

}  // namespace plugfs
