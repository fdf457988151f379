#include "drivers/mtp/whole_object.h"

#include <algorithm>
#include <cstring>

namespace plugfs::mtp {

namespace {

constexpr std::size_t piece_size = std::size_t{256} << 10U;
// What is kept for readers that go back, and what is fetched to the end rather than cancelled.
constexpr std::uint64_t window_limit = std::uint64_t{16} << 20U;
constexpr std::chrono::milliseconds fetch_to_end_time{250};
constexpr std::chrono::milliseconds busy_time{500};
constexpr std::chrono::seconds idle_time{2};

}  // namespace

void WholeObject::clear() {
    pieces_.clear();
    handle_ = 0;
    begin_ = end_ = position_ = 0;
}

Result<void> WholeObject::begin(std::uint32_t handle, std::uint64_t size) {
    if (open_) {
        session_.abort();
        open_ = false;
    }
    if (handle != handle_ || size != size_) {
        clear();
    }
    const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(size, piece_size));
    PLUGFS_TRY(session_.begin(operation::get_object, {handle}, first, size));
    handle_ = handle;
    size_ = size;
    position_ = 0;
    open_ = true;
    return {};
}

// The next piece of the transaction. What lies before `wanted_from` need not be kept.
Result<void> WholeObject::fetch_piece(std::uint64_t wanted_from) {
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, size_ - position_)));
    const auto got = session_.read_data(piece);
    if (!got || *got < piece.size()) {
        open_ = false;
        if (!got) {
            return got.error();
        }
        const auto ended = session_.finish();
        return ended ? fail(EIO, "GetObject",
                            "the data ended at " + std::to_string(position_ + *got) + ", ObjectCompressedSize is " +
                                std::to_string(size_))
                     : ended.error();
    }
    keep(std::move(piece), wanted_from);
    return position_ == size_ ? end() : Result<void>();
}

// Pieces begin at multiples of their size, so each is either kept already, follows what is kept, or lies before it.
void WholeObject::keep(std::vector<std::byte> piece, std::uint64_t wanted_from) {
    const std::uint64_t at = position_;
    position_ += piece.size();
    if (at < begin_) {
        if (position_ <= wanted_from) {
            return;
        }
        pieces_.clear();
        begin_ = end_ = at;
    }
    if (at == end_) {
        end_ = position_;
        pieces_.push_back(std::move(piece));
    }
    while (end_ - begin_ > window_limit && begin_ + pieces_.front().size() <= wanted_from) {
        begin_ += pieces_.front().size();
        pieces_.pop_front();
    }
}

Result<void> WholeObject::end() {
    open_ = false;
    if (session_.data_pending()) {
        session_.abort();  // it has grown since it was listed; what was listed is here
        return {};
    }
    if (const auto ended = session_.finish(); !ended) {
        clear();  // the device takes back what it sent
        return ended.error();
    }
    return {};
}

Result<std::size_t> WholeObject::read(std::uint32_t handle, std::uint64_t size, std::uint64_t offset,
                                      std::span<std::byte> out) {
    last_read_ = Deadline::Clock::now();
    const bool same = handle == handle_ && size == size_;
    const std::uint64_t until = offset + out.size();
    if (!same || offset < begin_ || until > end_) {
        // Pieces arrive in order: what lies behind the transaction takes a new one.
        const bool ahead = same && open_ && (offset >= begin_ || position_ <= offset);
        if (!ahead) {
            PLUGFS_TRY(begin(handle, size));
        }
        while (offset < begin_ || until > end_) {
            if (!open_) {
                return fail(EIO, "GetObject", "no data for offset " + std::to_string(offset));
            }
            PLUGFS_TRY(fetch_piece(offset));
        }
    }
    copy_out(offset, out);
    last_read_ = Deadline::Clock::now();
    return out.size();
}

void WholeObject::copy_out(std::uint64_t offset, std::span<std::byte> out) const {
    std::uint64_t at = begin_;
    for (const auto& piece : pieces_) {
        const std::uint64_t piece_end = at + piece.size();
        if (offset < piece_end && !out.empty()) {
            const auto from = static_cast<std::size_t>(offset - at);
            const std::size_t count = std::min(out.size(), piece.size() - from);
            std::memcpy(out.data(), piece.data() + from, count);
            out = out.subspan(count);
            offset += count;
        }
        at = piece_end;
    }
}

void WholeObject::interrupt() {
    if (!open_) {
        return;
    }
    // Nearly over: the rest is kept, too.
    const auto deadline = Deadline::after(fetch_to_end_time);
    while (open_ && size_ - position_ <= window_limit / 2 && position_ == end_ && !deadline.expired()) {
        if (!fetch_piece(begin_)) {
            clear();
            return;
        }
    }
    if (open_) {
        session_.abort();
        open_ = false;
    }
}

bool WholeObject::in_use() const {
    return open_ && Deadline::Clock::now() - last_read_ < busy_time;
}

void WholeObject::tidy() {
    if (handle_ != 0 && Deadline::Clock::now() - last_read_ > idle_time) {
        interrupt();
        clear();
    }
}

void WholeObject::forget(std::uint32_t handle) {
    if (handle == handle_) {
        if (open_) {
            session_.abort();
            open_ = false;
        }
        clear();
    }
}

}  // namespace plugfs::mtp
