#include "drivers/mtp/bulk_pipe.h"

#include <algorithm>
#include <bit>

namespace plugfs::mtp {

namespace {
// Transfers kept for the next time; some large and some small ones are the usual need.
constexpr std::size_t idle_limit = 8;
constexpr std::chrono::seconds cancel_deadline{1};
}  // namespace

Result<BulkIn::Owned> BulkIn::idle_transfer(std::size_t capacity) {
    // The smallest that is large enough.
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
    // Of few sizes, so that it fits the next time, too: making one takes longer than most transfers.
    return device_.create_transfer(endpoint_, std::bit_ceil(capacity));
}

void BulkIn::keep(Owned transfer) {
    if (transfer->in_flight()) {
        return;  // destroying it is what ends it
    }
    if (idle_.size() >= idle_limit) {
        idle_.erase(idle_.begin());
    }
    idle_.push_back(std::move(transfer));
}

Result<void> BulkIn::post(std::size_t size) {
    const std::size_t packets = std::max<std::size_t>((size + packet_size_ - 1) / packet_size_, 1);
    const std::size_t length = packets * packet_size_;
    PLUGFS_ASSIGN(auto transfer, idle_transfer(length));
    PLUGFS_TRY(transfer->submit(length));
    in_flight_.push_back({std::move(transfer), length});
    return {};
}

std::size_t BulkIn::bytes_posted() const {
    std::size_t bytes = 0;
    for (const auto& posted : in_flight_) {
        bytes += posted.length;
    }
    return bytes;
}

Result<BulkIn::Piece> BulkIn::next(Deadline deadline) {
    if (current_) {
        keep(std::move(current_));
    }
    if (in_flight_.empty()) {
        return fail(EIO, "bulk IN", "nothing was asked for");
    }
    current_ = std::move(in_flight_.front().transfer);
    const std::size_t asked = in_flight_.front().length;
    in_flight_.pop_front();
    PLUGFS_ASSIGN(const auto length, current_->wait(deadline));
    const auto bytes = current_->buffer().first(std::min({length, asked, current_->buffer().size()}));
    return Piece{bytes, bytes.size() < asked};
}

void BulkIn::cancel() {
    for (auto& posted : in_flight_) {
        posted.transfer->cancel();
    }
    for (auto& posted : in_flight_) {
        (void)posted.transfer->wait(Deadline::after(cancel_deadline));
        keep(std::move(posted.transfer));
    }
    in_flight_.clear();
}

}  // namespace plugfs::mtp
