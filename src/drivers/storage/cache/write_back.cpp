#include "drivers/storage/cache/write_back.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace plugfs::storage {

namespace {

using Clock = std::chrono::steady_clock;

// Records taken together at most.
constexpr std::size_t batch_bytes = std::size_t{32} << 20U;
constexpr std::size_t batch_records = 16384;
// A piece as long as this goes alone, as it lies in memory; shorter ones are copied together.
constexpr std::size_t large_piece = std::size_t{512} << 10U;
constexpr std::uint64_t bridge_limit = 16;  // blocks
constexpr std::size_t smallest_chunk = std::size_t{128} << 10U;
constexpr std::size_t largest_chunk = std::size_t{4} << 20U;
// Somebody may wait behind a transfer.
constexpr std::chrono::milliseconds long_transfer{60};
constexpr std::chrono::milliseconds short_transfer{15};

}  // namespace

WriteBack::WriteBack(LogicalUnit& unit, const Medium& medium, DirtyLog& log, std::vector<std::byte> first_block,
                     Released released)
    : unit_(unit),
      medium_(medium),
      log_(log),
      released_(std::move(released)),
      first_block_(std::move(first_block)),
      chunk_(std::clamp(unit.best_transfer(), smallest_chunk, largest_chunk)) {}

Result<WriteBack::Step> WriteBack::step(std::uint64_t goal) {
    if (begun_ != Begun::nothing) {
        if (!unit_.finished()) {
            return Step::under_way;
        }
        PLUGFS_TRY(take_result());
        return Step::more;
    }
    if (!transfers_.empty()) {
        PLUGFS_TRY(begin_next());
        return Step::more;
    }
    const auto& records = log_.records();
    const bool all_written = written_ == log_.committed_count() || records[written_].sequence > goal;
    if (all_written && written_ == 0) {
        return Step::done;
    }
    const bool next_epoch = !all_written && written_ > 0 && records[written_].epoch != records[written_ - 1].epoch;
    const std::uint64_t first = written_ > 0 ? records.front().end : 0;
    const bool much = written_ > 0 && records[written_ - 1].end - first > log_.capacity() / 2;
    if (all_written || next_epoch || much) {
        begin_confirmation();
    } else {
        plan();
    }
    return Step::more;
}

Result<bool> WriteBack::step_to_end() {
    PLUGFS_ASSIGN(const Step taken, step());
    if (taken == Step::under_way) {
        PLUGFS_TRY(take_result());
    }
    return taken != Step::done;
}

Result<void> WriteBack::finish() {
    while (true) {
        PLUGFS_ASSIGN(const bool more, step_to_end());
        if (!more) {
            return {};
        }
    }
}

InFlight WriteBack::in_flight() {
    if (begun_ == Begun::nothing) {
        return InFlight::nothing;
    }
    return unit_.finished() ? InFlight::ended : InFlight::under_way;
}

void WriteBack::plan() {
    const auto& records = log_.records();
    const std::uint64_t epoch = records[written_].epoch;
    ExtentMap content(medium_.block_size);
    ExtentMap links(medium_.block_size);
    ExtentMap entries(medium_.block_size);
    std::size_t bytes = 0;
    planned_ = written_;
    while (planned_ < log_.committed_count() && records[planned_].epoch == epoch && bytes < batch_bytes &&
           planned_ - written_ < batch_records) {
        const auto& record = records[planned_++];
        auto& pieces = record.kind == DirtyLog::Kind::write_entry  ? entries
                       : record.kind == DirtyLog::Kind::write_link ? links
                                                                   : content;
        pieces.put({record.block, record.count, record.bytes, record.sequence});
        bytes += record.bytes != nullptr ? record.count * medium_.block_size : 0;
    }
    bridge(links, content);
    add_pieces(content);
    for (const auto* pieces : {&links, &entries}) {
        if (!pieces->empty()) {
            transfers_.emplace_back();
            add_pieces(*pieces);
        }
    }
}

// What lies between two links, and has just been written, is written once more with them: one transfer takes less time
// than two. A growing file has a link in every few blocks of its table.
void WriteBack::bridge(ExtentMap& links, const ExtentMap& content) const {
    std::vector<ExtentMap::Extent> bridges;
    std::uint64_t end = 0;
    links.each(0, medium_.block_count, [&](const ExtentMap::Extent& link) {
        const std::uint64_t gap = link.block - end;
        std::vector<ExtentMap::Extent> between;
        std::uint64_t known = 0;
        if (end > 0 && gap > 0 && gap <= bridge_limit) {
            content.each(end, gap, [&](const ExtentMap::Extent& extent) {
                known += extent.bytes != nullptr ? extent.count : 0;
                between.push_back(extent);
            });
        }
        if (known == gap) {
            bridges.insert(bridges.end(), between.begin(), between.end());
        }
        end = link.block + link.count;
    });
    for (const auto& extent : bridges) {
        links.put(extent);
    }
}

void WriteBack::add_pieces(const ExtentMap& pieces) {
    pieces.each(0, medium_.block_count,
                [this](const ExtentMap::Extent& extent) { add_piece(extent.block, extent.count, extent.bytes); });
}

void WriteBack::add_piece(std::uint64_t block, std::uint64_t count, const std::byte* bytes) {
    if (bytes == nullptr) {
        if (medium_.can_unmap) {
            transfers_.push_back({block, count, {}});
        }
        return;
    }
    const std::size_t size = count * medium_.block_size;
    if (!transfers_.empty()) {
        auto& last = transfers_.back();
        const bool continues = !last.parts.empty() && last.block + last.count == block;
        const bool contiguous = continues && last.parts.back().data() + last.parts.back().size() == bytes;
        const std::size_t together = (last.count * medium_.block_size) + size;
        if (contiguous && together <= chunk_) {
            last.count += count;
            last.parts.back() = {last.parts.back().data(), last.parts.back().size() + size};
            return;
        }
        if (continues && together <= chunk_ && size < large_piece && last.parts.back().size() < large_piece) {
            last.count += count;
            last.parts.emplace_back(bytes, size);
            return;
        }
    }
    const std::size_t limit = std::max<std::size_t>(chunk_ / medium_.block_size, 1);
    for (std::uint64_t done = 0; done < count; done += limit) {
        const std::uint64_t now = std::min<std::uint64_t>(limit, count - done);
        transfers_.push_back({block + done, now, {{bytes + (done * medium_.block_size), now * medium_.block_size}}});
    }
}

Result<void> WriteBack::begin_next() {
    const Transfer& transfer = transfers_.front();
    if (transfer.count == 0) {
        if (unconfirmed_) {
            begin_confirmation();
        } else {
            sent();
        }
    } else if (transfer.parts.empty()) {
        // Only a hint: that a device refuses it is no reason to stop.
        if (auto done = unit_.unmap(transfer.block, transfer.count); !done && done.error().code == ENODEV) {
            return done;
        }
        sent();
    } else {
        return begin_write(transfer);
    }
    return {};
}

void WriteBack::sent() {
    transfers_.pop_front();
    if (transfers_.empty()) {
        written_ = planned_;
    }
}

std::span<const std::byte> WriteBack::bytes_of(const Transfer& transfer) {
    if (transfer.parts.size() == 1) {
        return transfer.parts.front();
    }
    staging_.resize(transfer.count * medium_.block_size);
    std::size_t at = 0;
    for (const auto part : transfer.parts) {
        std::memcpy(staging_.data() + at, part.data(), part.size());
        at += part.size();
    }
    return staging_;
}

Result<void> WriteBack::begin_write(const Transfer& transfer) {
    const auto bytes = bytes_of(transfer);
    if (transfer.block == 0) {
        PLUGFS_TRY(before_first_block(bytes));
    }
    unconfirmed_ = true;
    begun_ = Begun::transfer;
    begun_at_ = Clock::now();
    unit_.begin_write(transfer.block, bytes);
    return {};
}

Result<void> WriteBack::before_first_block(std::span<const std::byte> bytes) {
    const std::uint64_t now = fingerprint_of(first_block_);
    // One change of it at a time is in doubt.
    if (log_.fingerprint().before != now) {
        PLUGFS_TRY(unit_.synchronize());
        confirmed();
    }
    log_.set_fingerprint({now, fingerprint_of(bytes.first(medium_.block_size))});
    return {};
}

void WriteBack::begin_confirmation() {
    begun_ = Begun::confirmation;
    unit_.begin_synchronize();
}

Result<void> WriteBack::take_result() {
    const Begun what = std::exchange(begun_, Begun::nothing);
    PLUGFS_TRY(unit_.finish());
    if (what == Begun::confirmation) {
        confirmed();
        release_written();
        if (!transfers_.empty()) {  // it was the barrier
            sent();
        }
        return {};
    }
    const Transfer& transfer = transfers_.front();
    adapt(Clock::now() - begun_at_, transfer.count * medium_.block_size);
    if (transfer.block == 0) {
        const auto first = bytes_of(transfer).first(medium_.block_size);
        first_block_.assign(first.begin(), first.end());
    }
    sent();
    return {};
}

void WriteBack::confirmed() {
    unconfirmed_ = false;
    const std::uint64_t now = fingerprint_of(first_block_);
    log_.set_fingerprint({now, now});
}

// Within a batch, too: then it is the batches before that are confirmed with what this one has sent.
void WriteBack::release_written() {
    for (std::size_t i = 0; i < written_; ++i) {
        released_(log_.records()[i]);
    }
    planned_ -= std::min(planned_, written_);
    log_.release(std::exchange(written_, 0));
}

// Small steps on a slow device, large ones on a fast one.
void WriteBack::adapt(std::chrono::nanoseconds took, std::size_t bytes) {
    if (took > long_transfer && bytes > chunk_ / 2) {
        chunk_ = std::max(chunk_ / 2, smallest_chunk);
    } else if (took < short_transfer && bytes == chunk_) {
        chunk_ = std::min(chunk_ * 2, largest_chunk);
    }
}

}  // namespace plugfs::storage
