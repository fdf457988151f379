#include "kit/read_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>

using namespace plugfs;
using namespace plugfs::kit;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

std::byte content(std::uint64_t offset) {
    return static_cast<std::byte>((offset * 31 + (offset >> 12U)) & 0xffU);
}

// A device that answers when told to, and counts.
struct Fixture {
    std::deque<std::shared_ptr<Block>> waiting;
    std::vector<const Block*> hurried;
    std::vector<std::uint64_t> dropped;  // offsets
    std::uint64_t fetched = 0;
    std::size_t fetches = 0;
    ReadCache cache{ReadCache::Limits{mib, 2 * mib},
                    [this](const std::shared_ptr<Block>& block) {
                        waiting.push_back(block);
                        fetched += block->wanted;
                        ++fetches;
                    },
                    [this](const Block& block) { hurried.push_back(&block); },
                    [this](const Block& block) { dropped.push_back(block.offset); }};

    void complete_one(std::optional<std::size_t> length = {}) {
        const auto block = waiting.front();
        waiting.pop_front();
        block->bytes = std::make_unique<std::byte[]>(block->wanted);
        for (std::size_t i = 0; i < block->wanted; ++i) {
            block->bytes[i] = content(block->offset + i);
        }
        block->length = length.value_or(block->wanted);
        block->state = Block::State::ready;
        cache.completed(block);
    }
    void complete_all() {
        while (!waiting.empty()) {
            complete_one();
        }
    }
};

struct Answer {
    bool given = false;
    int error = 0;
    std::vector<std::byte> bytes;
    ReadCache::Reply reply() {
        return [this](const Error* failure, std::span<const iovec> parts) {
            given = true;
            error = failure != nullptr ? failure->code : 0;
            for (const auto& part : parts) {
                const auto* from = static_cast<const std::byte*>(part.iov_base);
                bytes.insert(bytes.end(), from, from + part.iov_len);
            }
        };
    }
    [[nodiscard]] bool right(std::uint64_t offset, std::size_t size) const {
        bool equal = bytes.size() == size;
        for (std::size_t i = 0; equal && i < size; ++i) {
            equal = bytes[i] == content(offset + i);
        }
        return equal;
    }
};

}  // namespace

TEST_CASE("a random read fetches just what it asked for") {
    Fixture device;
    Answer answer;
    device.cache.read(50 * mib, 4 * kib, 100 * mib, answer.reply());
    CHECK_FALSE(answer.given);
    device.complete_all();
    CHECK(answer.right(50 * mib, 4 * kib));
    CHECK(device.fetched == 4 * kib);
    CHECK(device.cache.cached_bytes() == 0);
}

TEST_CASE("a sequential reader is read ahead of, in growing fetches, and gets every byte once") {
    Fixture device;
    const std::uint64_t size = 20 * mib + 123;
    for (std::uint64_t offset = 0; offset < size; offset += 128 * kib) {
        Answer answer;
        device.cache.read(offset, 128 * kib, size, answer.reply());
        device.complete_all();
        REQUIRE(answer.given);
        REQUIRE(answer.right(offset, static_cast<std::size_t>(std::min<std::uint64_t>(128 * kib, size - offset))));
        REQUIRE(device.cache.cached_bytes() <= 5 * mib);
    }
    CHECK(device.fetched == size);
    CHECK(device.fetches < 40);
    CHECK(device.cache.cached_bytes() == 0);
}

TEST_CASE("a look of 1 MiB into the middle costs less than 4 MiB") {
    Fixture device;
    for (std::uint64_t offset = 50 * mib; offset < 51 * mib; offset += 128 * kib) {
        Answer answer;
        device.cache.read(offset, 128 * kib, 100 * mib, answer.reply());
        device.complete_all();
    }
    CHECK(device.fetched <= 3 * mib);
}

TEST_CASE("several readers of one file do not disturb each other") {
    Fixture device;
    std::array<std::uint64_t, 3> at = {0, 30 * mib, 60 * mib};
    for (int round = 0; round < 40; ++round) {
        for (auto& offset : at) {
            Answer answer;
            device.cache.read(offset, 128 * kib, 100 * mib, answer.reply());
            device.complete_all();
            REQUIRE(answer.right(offset, 128 * kib));
            offset += 128 * kib;
        }
    }
    CHECK(device.fetched < 3 * (5 * mib + 3 * mib));
}

TEST_CASE("somebody who waits for a block that was fetched ahead hurries it along") {
    Fixture device;
    Answer first;
    device.cache.read(0, 256 * kib, 100 * mib, first.reply());
    Answer second;
    device.cache.read(256 * kib, 128 * kib, 100 * mib, second.reply());
    CHECK_FALSE(device.hurried.empty());
    device.complete_all();
    CHECK(first.right(0, 256 * kib));
    CHECK(second.right(256 * kib, 128 * kib));
}

TEST_CASE("a file that ends before its size gives a short read, then nothing") {
    Fixture device;
    Answer answer;
    device.cache.read(0, 64 * kib, mib, answer.reply());
    device.complete_one(10 * kib);
    CHECK(answer.right(0, 10 * kib));
    Answer past;
    device.cache.read(2 * mib, 64 * kib, mib, past.reply());
    CHECK(past.given);
    CHECK(past.bytes.empty());
    CHECK(past.error == 0);
}

TEST_CASE("a failed fetch fails its reader, and the next read tries again") {
    Fixture device;
    Answer answer;
    device.cache.read(0, 4 * kib, mib, answer.reply());
    const auto block = device.waiting.front();
    device.waiting.pop_front();
    block->state = Block::State::failed;
    block->error = fail(EIO, "GetPartialObject");
    device.cache.completed(block);
    CHECK(answer.error == EIO);
    Answer again;
    device.cache.read(0, 4 * kib, mib, again.reply());
    device.complete_all();
    CHECK(again.right(0, 4 * kib));
}

TEST_CASE("what is fetched for a cancelled read alone is dropped, and fetched anew for whoever comes then") {
    Fixture device;
    Answer interrupted;
    Answer other;
    const auto id = device.cache.read(0, 4 * kib, mib, interrupted.reply());
    const auto with_other = device.cache.read(512 * kib, 4 * kib, mib, interrupted.reply());
    device.cache.read(512 * kib, 4 * kib, mib, other.reply());
    REQUIRE(device.fetches == 2);
    CHECK(device.cache.cancel(id));
    CHECK(device.dropped == std::vector<std::uint64_t>{0});
    CHECK(device.waiting.front()->unwanted);
    CHECK(device.cache.cancel(with_other));
    CHECK(device.dropped.size() == 1);
    Answer later;
    device.cache.read(0, 4 * kib, mib, later.reply());
    CHECK(device.fetches == 3);
    // The dropped fetch may fail for having been called off: that is nobody's error.
    const auto dropped = device.waiting.front();
    device.waiting.pop_front();
    dropped->error = fail(ECANCELED, "read");
    dropped->state = Block::State::failed;
    device.cache.completed(dropped);
    CHECK_FALSE(later.given);
    device.complete_all();
    CHECK(later.right(0, 4 * kib));
    CHECK(other.right(512 * kib, 4 * kib));
    CHECK_FALSE(interrupted.given);
}

TEST_CASE("with the last reader goes what is fetched ahead") {
    Fixture device;
    // From front to back, until something is on its way that nobody waits for.
    for (std::uint64_t at = 0; device.waiting.empty(); at += 64 * kib) {
        REQUIRE(at < 4 * mib);
        Answer answer;
        device.cache.read(at, 64 * kib, 16 * mib, answer.reply());
        while (!answer.given) {
            device.complete_one();
        }
    }
    Answer interrupted;
    const auto id = device.cache.read(8 * mib, 4 * kib, 16 * mib, interrupted.reply());
    const std::size_t under_way = device.waiting.size();
    REQUIRE(under_way >= 2);
    CHECK(device.cache.cancel(id));
    CHECK(device.dropped.size() == under_way);
}

TEST_CASE("a cancelled read is not answered; one that waits when the content changes still is") {
    Fixture device;
    Answer cancelled;
    const auto id = device.cache.read(0, 4 * kib, mib, cancelled.reply());
    CHECK(device.cache.cancel(id));
    CHECK_FALSE(device.cache.cancel(id));
    Answer waiting;
    device.cache.read(512 * kib, 4 * kib, mib, waiting.reply());
    device.cache.clear();
    device.complete_all();
    CHECK_FALSE(cancelled.given);
    CHECK(waiting.right(512 * kib, 4 * kib));
    CHECK(device.cache.idle());
}
