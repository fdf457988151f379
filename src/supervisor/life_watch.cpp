#include "supervisor/life_watch.h"

#include <algorithm>

namespace plugfs {

namespace {
constexpr std::chrono::milliseconds interval{250};
// Until a new worker shows its first sign of life: a loaded machine may take long to start a process.
constexpr std::chrono::milliseconds first_sign{10'000};
constexpr int device_thread_factor = 5;
}  // namespace

void LifeWatch::begin(const VaultHeader& header, std::function<void()> hung) {
    end();
    if (limit_.count() == 0) {
        return;
    }
    header_ = &header;
    hung_ = std::move(hung);
    const auto now = Deadline::Clock::now();
    fuse_ = {header.heartbeat.load(), now, false};
    device_ = {header.device_heartbeat.load(), now, false};
    timer_ = loop_.after(interval, [this] { check(); });
}

void LifeWatch::end() {
    loop_.cancel(timer_);
    timer_ = 0;
    header_ = nullptr;
}

bool LifeWatch::stands_still(Pulse& pulse, std::uint64_t count, std::chrono::milliseconds limit) {
    const auto now = Deadline::Clock::now();
    if (count != pulse.count) {
        pulse = {count, now, true};
    }
    return now - pulse.since > (pulse.beats ? limit : std::max(limit, first_sign));
}

void LifeWatch::check() {
    timer_ = 0;
    const bool fuse_still = stands_still(fuse_, header_->heartbeat.load(std::memory_order_relaxed), limit_);
    const bool device_still =
        stands_still(device_, header_->device_heartbeat.load(std::memory_order_relaxed), device_thread_factor * limit_);
    if (fuse_still || device_still) {
        header_ = nullptr;
        hung_();
        return;
    }
    timer_ = loop_.after(interval, [this] { check(); });
}

}  // namespace plugfs
