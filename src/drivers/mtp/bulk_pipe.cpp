#include "drivers/mtp/bulk_pipe.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {
// Transfers kept for the next time; one large and some small ones are the usual need.
constexpr std::size_t idle_limit = 4;
constexpr std::chrono::seconds cancel_deadline{1};
}  // namespace

Result<BulkIn::Owned> BulkIn::idle_transfer(std::size_t capacity) {
    // The smallest that is large enough: a posted buffer costs by its size.
    auto best = idle_.end();
    for (auto at = idle_.begin(); at != idle_.end(); ++at) {
        const bool fits = (*at)->buffer().size() >= capacity;
        if (fits && (best == idle_.end() || (*at)->buffer().size() < (*best)->buffer().size())) {
            best = at;
        }
    }
    if (best != idle_.end()) {
        Owned transfer = std::move(*best);
        idle_.erase(best);
        return transfer;
    }
    return device_.create_transfer(endpoint_, capacity);
}

Result<void> BulkIn::post(std::size_t size) {
    const std::size_t length = std::max(rounded(size), packet_size_);
    PLUGFS_ASSIGN(auto transfer, idle_transfer(length));
    PLUGFS_TRY(transfer->submit(length));
    in_flight_.push_back(std::move(transfer));
    return {};
}

Result<std::span<const std::byte>> BulkIn::next(Deadline deadline) {
    if (current_) {
        if (idle_.size() >= idle_limit) {
            idle_.erase(idle_.begin());
        }
        idle_.push_back(std::move(current_));
    }
    if (in_flight_.empty()) {
        return fail(EIO, "bulk IN", "nothing was asked for");
    }
    current_ = std::move(in_flight_.front());
    in_flight_.pop_front();
    PLUGFS_ASSIGN(const auto length, current_->wait(deadline));
    return std::span<const std::byte>(current_->buffer().first(std::min(length, current_->buffer().size())));
}

void BulkIn::cancel() {
    for (auto& transfer : in_flight_) {
        transfer->cancel();
    }
    for (auto& transfer : in_flight_) {
        (void)transfer->wait(Deadline::after(cancel_deadline));
    }
    in_flight_.clear();
}

}  // namespace plugfs::mtp
