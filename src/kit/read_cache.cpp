#include "kit/read_cache.h"

#include <algorithm>

namespace plugfs::kit {

namespace {

constexpr std::size_t stream_limit = 8;
// The kernel's own read-ahead may send neighbouring requests a little out of order.
constexpr std::uint64_t stream_slack = std::uint64_t{256} << 10U;
// Read-ahead begins when a reader has gone this far.
constexpr std::uint64_t least_run = std::uint64_t{64} << 10U;

std::uint64_t end_of(const Block& block) {
    return block.offset + block.wanted;
}

}  // namespace

ReadCache::ReadCache(Limits limits, Fetch fetch, Hurry hurry, Drop drop)
    : limits_(limits), fetch_(std::move(fetch)), hurry_(std::move(hurry)), drop_(std::move(drop)) {}

std::uint64_t ReadCache::read(std::uint64_t offset, std::size_t size, std::uint64_t file_size, Reply reply) {
    if (offset >= file_size || size == 0) {
        reply(nullptr, {});
        return 0;
    }
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, file_size - offset));
    const Stream stream = stream_for(offset, size);
    Waiting waiting{++last_id_, offset, size, cover(offset, size, stream.run, file_size), std::move(reply)};
    read_ahead(stream, file_size);
    if (settled(waiting)) {
        answer(waiting);
        trim();
        return 0;
    }
    waiting_.push_back(std::move(waiting));
    return last_id_;
}

ReadCache::Stream& ReadCache::stream_for(std::uint64_t offset, std::size_t size) {
    const std::uint64_t end = offset + size;
    auto found = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& stream) {
        return offset <= stream.next + stream_slack && offset + stream_slack >= stream.next && stream.run > 0;
    });
    if (found == streams_.end()) {
        if (streams_.size() == stream_limit) {
            streams_.pop_back();
        }
        streams_.insert(streams_.begin(), Stream{end, size});
    } else {
        found->run += end > found->next ? end - found->next : 0;
        found->next = std::max(found->next, end);
        std::rotate(streams_.begin(), found, found + 1);
    }
    return streams_.front();
}

std::shared_ptr<Block> ReadCache::block_at(std::uint64_t offset) const {
    auto after = blocks_.upper_bound(offset);
    if (after == blocks_.begin()) {
        return nullptr;
    }
    const auto& block = std::prev(after)->second;
    return offset < end_of(*block) ? block : nullptr;
}

std::uint64_t ReadCache::next_block_after(std::uint64_t offset, std::uint64_t end) const {
    const auto after = blocks_.upper_bound(offset);
    return after == blocks_.end() ? end : std::min(end, after->first);
}

std::vector<std::shared_ptr<Block>> ReadCache::cover(std::uint64_t offset, std::size_t size, std::uint64_t run,
                                                     std::uint64_t file_size) {
    // What a sequential reader will want next comes with what it wants now: larger fetches are faster.
    const std::uint64_t end = offset + size;
    const std::uint64_t generous = run > size && run >= least_run ? std::min<std::uint64_t>(run, limits_.fetch) : 0;
    std::vector<std::shared_ptr<Block>> covering;
    for (std::uint64_t at = offset; at < end;) {
        auto block = block_at(at);
        if (block == nullptr) {
            const std::uint64_t room = next_block_after(at, file_size) - at;
            const std::uint64_t length = std::min({room, std::max(end - at, generous), std::uint64_t{limits_.fetch}});
            block = start(at, static_cast<std::size_t>(length), false);
        } else if (block->ahead) {
            block->ahead = false;
            if (block->state == Block::State::fetching) {
                hurry_(*block);
            }
        }
        at = end_of(*block);
        covering.push_back(std::move(block));
    }
    return covering;
}

void ReadCache::read_ahead(const Stream& stream, std::uint64_t file_size) {
    if (stream.run < least_run || streams_.front().next != stream.next) {
        return;
    }
    const std::uint64_t goal = std::min<std::uint64_t>(stream.run, limits_.ahead);
    const std::uint64_t target = std::min(file_size, stream.next + goal);
    std::uint64_t covered = stream.next;
    for (auto block = block_at(covered); covered < target && block != nullptr; block = block_at(covered)) {
        covered = end_of(*block);
    }
    // Half used up before more is asked for, or the fetches would shrink to the size of the reads.
    if (covered >= target || (covered > stream.next && covered - stream.next > goal / 2 && target < file_size)) {
        return;
    }
    while (covered < target) {
        if (const auto block = block_at(covered)) {
            covered = end_of(*block);
            continue;
        }
        const std::uint64_t room = next_block_after(covered, file_size) - covered;
        const std::uint64_t length = std::min({room, std::max(goal, least_run), std::uint64_t{limits_.fetch}});
        covered = end_of(*start(covered, static_cast<std::size_t>(length), true));
    }
}

std::shared_ptr<Block> ReadCache::start(std::uint64_t offset, std::size_t size, bool ahead) {
    auto block = std::make_shared<Block>();
    block->offset = offset;
    block->wanted = size;
    block->ahead = ahead;
    blocks_[offset] = block;
    fetch_(block);
    return block;
}

bool ReadCache::settled(const Waiting& waiting) {
    return std::none_of(waiting.blocks.begin(), waiting.blocks.end(),
                        [](const auto& block) { return block->state == Block::State::fetching; });
}

void ReadCache::answer(Waiting& waiting) {
    std::vector<iovec> parts;
    const Error* error = nullptr;
    std::uint64_t at = waiting.offset;
    const std::uint64_t end = waiting.offset + waiting.size;
    for (const auto& block : waiting.blocks) {
        if (block->state == Block::State::failed) {
            error = &block->error;
            break;
        }
        const std::uint64_t stop = std::min(end, block->offset + block->length);
        if (stop > at) {
            parts.push_back({block->bytes.get() + (at - block->offset), static_cast<std::size_t>(stop - at)});
            block->given += stop - at;
            at = stop;
        }
        if (block->length < block->wanted) {
            break;  // the file ends here
        }
    }
    // Bytes that came before the failure are a short read; the next read gets the error.
    waiting.reply(parts.empty() ? error : nullptr, parts);
}

void ReadCache::completed(const std::shared_ptr<Block>& block) {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const bool concerned = std::find(at->blocks.begin(), at->blocks.end(), block) != at->blocks.end();
        if (concerned && settled(*at)) {
            Waiting done = std::move(*at);
            at = waiting_.erase(at);
            answer(done);
        } else {
            ++at;
        }
    }
    trim();
}

bool ReadCache::cancel(std::uint64_t id) {
    const auto found =
        std::find_if(waiting_.begin(), waiting_.end(), [id](const Waiting& waiting) { return waiting.id == id; });
    if (found == waiting_.end()) {
        return false;
    }
    waiting_.erase(found);
    drop_unwanted();
    return true;
}

// Out of the cache at once: whoever asks for these bytes from now on gets a fetch of his own.
void ReadCache::drop_unwanted() {
    std::erase_if(blocks_, [this](const auto& item) {
        const auto& block = item.second;
        const bool awaited = std::any_of(waiting_.begin(), waiting_.end(), [&block](const Waiting& waiting) {
            return std::find(waiting.blocks.begin(), waiting.blocks.end(), block) != waiting.blocks.end();
        });
        const bool drops = block->state == Block::State::fetching && !awaited && (!block->ahead || waiting_.empty());
        if (drops) {
            block->unwanted = true;
            drop_(*block);
        }
        return drops;
    });
}

void ReadCache::clear() {
    blocks_.clear();
    streams_.clear();
}

void ReadCache::trim() {
    // Given in full, failed (the next read tries again), or left behind by every reader.
    std::size_t ready = 0;
    for (auto at = blocks_.begin(); at != blocks_.end();) {
        const Block& block = *at->second;
        const bool done =
            block.state == Block::State::failed ||
            (block.state == Block::State::ready && (block.given >= block.length || block.length < block.wanted));
        if (done) {
            at = blocks_.erase(at);
        } else {
            ready += block.state == Block::State::ready ? block.length : 0;
            ++at;
        }
    }
    const std::size_t limit = (2 * limits_.ahead) + limits_.fetch;
    for (auto at = blocks_.begin(); at != blocks_.end() && ready > limit;) {
        const bool awaited = std::any_of(streams_.begin(), streams_.end(), [&](const Stream& stream) {
            return end_of(*at->second) > stream.next && at->first < stream.next + limits_.ahead;
        });
        if (at->second->state == Block::State::ready && !awaited) {
            ready -= at->second->length;
            at = blocks_.erase(at);
        } else {
            ++at;
        }
    }
}

std::size_t ReadCache::cached_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [offset, block] : blocks_) {
        bytes += block->state == Block::State::ready ? block->wanted : 0;
    }
    return bytes;
}

}  // namespace plugfs::kit
