// BlockCache: what is written back at leisure, and what becomes of it when the device fails.

#include "drivers/storage/cache/block_cache.h"

#include <algorithm>

namespace plugfs::storage {

namespace {

using Clock = Deadline::Clock;

constexpr unsigned failure_limit = 3;
constexpr std::chrono::milliseconds failure_pause{500};
constexpr std::chrono::milliseconds idle{60'000};
// The end of what is under way has tend() called: see Driver::in_flight().
constexpr std::chrono::milliseconds while_under_way{1000};

std::chrono::milliseconds time_until(Clock::time_point moment, Clock::time_point now) {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(moment - now), std::chrono::milliseconds(1));
}

}  // namespace

Error BlockCache::failed(const Error& error) {
    try_again_ = Clock::now() + failure_pause;
    ++failures_;
    // A device that is gone may come back; to another process.
    if (error.code != ENODEV && !failure_ &&
        (failures_ >= failure_limit || error.code == EROFS || error.code == ENOMEDIUM)) {
        failure_ = error;
    }
    return error;
}

bool BlockCache::much_waits() const {
    return log_->used() > std::min<std::uint64_t>(log_->capacity() / 4, limits_.much);
}

void BlockCache::begin_draining() {
    draining_to_ = log_->records().empty() ? 0 : log_->records().back().sequence;
    drain_began_ = Clock::now();
}

void BlockCache::emptied() {
    draining_to_.reset();
    dirty_since_.reset();
    emptied_ = Clock::now();
}

std::chrono::milliseconds BlockCache::give_back_when_quiet(Clock::time_point now) {
    if (emptied_ && now < *emptied_ + limits_.quiet) {
        return time_until(*emptied_ + limits_.quiet, now);
    }
    if (emptied_) {
        log_->give_back_memory();
        emptied_.reset();
    }
    return idle;
}

Result<std::chrono::milliseconds> BlockCache::tend() {
    const auto now = Clock::now();
    if (failure_ || !dirty_since_) {
        return failure_ ? idle : give_back_when_quiet(now);
    }
    const auto left = [now](Clock::time_point moment) { return time_until(moment, now); };
    if (failures_ > 0 && now < try_again_) {
        return left(try_again_);
    }
    // What make_room() has begun is gone on with, too.
    const bool begun = write_back_->in_flight() != InFlight::nothing;
    if (!draining_to_ && (begun || now >= *dirty_since_ + limits_.old_age || much_waits())) {
        begin_draining();
    }
    if (!draining_to_) {
        return left(*dirty_since_ + limits_.old_age);
    }
    const auto step = write_back_->step(*draining_to_);
    if (!step) {
        return failed(step.error());
    }
    if (*step == WriteBack::Step::under_way) {
        return while_under_way;
    }
    failures_ = 0;
    if (*step == WriteBack::Step::more) {
        return std::chrono::milliseconds(0);
    }
    if (log_->records().empty()) {
        emptied();
        return limits_.quiet;
    }
    draining_to_.reset();
    // What has come since then, none of it before that moment, gets as old as the rest.
    dirty_since_ = drain_began_;
    const bool much = log_->committed_count() > 0 && much_waits();
    return much ? std::chrono::milliseconds(0) : left(*dirty_since_ + limits_.old_age);
}

}  // namespace plugfs::storage
