#include "supervisor/start_watch.h"

#include <algorithm>
#include <utility>

namespace plugfs {

namespace {
constexpr std::chrono::milliseconds interval{500};
}  // namespace

void StartWatch::begin(const VaultHeader& header, std::function<void(const std::string&)> late) {
    end();
    if (limits_.word.count() == 0) {
        return;
    }
    header_ = &header;
    late_ = std::move(late);
    launched_ = Deadline::Clock::now();
    started_.reset();
    check();
}

void StartWatch::end() {
    loop_.cancel(std::exchange(timer_, 0));
    header_ = nullptr;
}

void StartWatch::check() {
    const auto now = Deadline::Clock::now();
    if (!started_ && header_->driver_started.load(std::memory_order_relaxed) == 1) {
        started_ = now;
    }
    const bool late = started_ ? now - *started_ > limits_.word : now - launched_ > limits_.start;
    if (late) {
        end();
        late_(started_ ? "has started and has not said so" : "has not started in time");
        return;
    }
    timer_ = loop_.after(std::min({interval, limits_.word, limits_.start}), [this] { check(); });
}

}  // namespace plugfs
