// ReadCache: the blocks of one file that have been fetched from the device or are on their way.
//
// A read is served from blocks; what is missing is fetched. A reader that goes through the file from front to back is
// recognised by where it goes on: what it reads grows into larger fetches and into read-ahead, never more than it has
// already read, so a short look into the middle of a film costs little. A random reader gets just what it asked for.
// The kernel keeps what it was given in its page cache; so a block goes as soon as all of it has been given once.
//
// Used by the FUSE thread alone; the device thread fills a block's buffer while its state is `fetching`.
#pragma once

#include <plugfs/result.h>

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace plugfs::kit {

struct Block {
    enum class State : std::uint8_t { fetching, ready, failed };
    std::uint64_t offset = 0;
    std::size_t wanted = 0;  // bytes asked of the device
    std::size_t length = 0;  // bytes that came; fewer than wanted: the file ends there
    std::size_t given = 0;   // bytes given to readers
    State state = State::fetching;
    bool ahead = false;                  // nobody waits for it yet
    bool unwanted = false;               // nobody waits for it any more, and nobody will
    std::uint64_t job = 0;               // its number in the device queue
    std::unique_ptr<std::byte[]> bytes;  // allocated by the device thread, when its turn comes
    Error error;
};

class ReadCache {
  public:
    struct Limits {
        std::size_t fetch = std::size_t{1} << 20U;  // largest single fetch: Driver::read_size()
        std::size_t ahead = std::size_t{2} << 20U;  // most bytes fetched before they are asked for
    };
    // Starts the fetch of a block; completed() must follow, on the FUSE thread, not from inside the call.
    using Fetch = std::function<void(const std::shared_ptr<Block>&)>;
    // Somebody waits now for a block that was fetched ahead.
    using Hurry = std::function<void(const Block&)>;
    // Nobody wants a block any more whose fetch has not ended: it is `unwanted` now. completed() is not needed, and
    // harmless.
    using Drop = std::function<void(const Block&)>;
    // The answer: an error, or the bytes (valid during the call).
    using Reply = std::function<void(const Error* error, std::span<const iovec> parts)>;

    ReadCache(Limits limits, Fetch fetch, Hurry hurry, Drop drop);

    // Reads [offset, offset + size) of a file of `file_size` bytes. `reply` is called once: at once, or when the last
    // block has come. Returns a number for cancel(), 0 when it has been answered.
    std::uint64_t read(std::uint64_t offset, std::size_t size, std::uint64_t file_size, Reply reply);
    // Forgets a waiting read; its reply is not called. What is being fetched for it alone is dropped; with the last
    // reader what is fetched ahead, too. False if there is none by that number.
    bool cancel(std::uint64_t id);
    // A fetch has ended; the block's state, length and error are set.
    void completed(const std::shared_ptr<Block>& block);
    // The content has changed, or nobody has the file open any more: nothing that was fetched counts. Waiting reads
    // still get their answer.
    void clear();

    [[nodiscard]] bool idle() const { return waiting_.empty(); }
    [[nodiscard]] std::size_t cached_bytes() const;

  private:
    // A reader going front to back.
    struct Stream {
        std::uint64_t next = 0;  // where its next read begins
        std::uint64_t run = 0;   // bytes read in one go so far
    };
    struct Waiting {
        std::uint64_t id;
        std::uint64_t offset;
        std::size_t size;
        std::vector<std::shared_ptr<Block>> blocks;  // cover the range, in order
        Reply reply;
    };
    Stream& stream_for(std::uint64_t offset, std::size_t size);
    std::vector<std::shared_ptr<Block>> cover(std::uint64_t offset, std::size_t size, std::uint64_t run,
                                              std::uint64_t file_size);
    void read_ahead(const Stream& stream, std::uint64_t file_size);
    std::shared_ptr<Block> start(std::uint64_t offset, std::size_t size, bool ahead);
    [[nodiscard]] std::shared_ptr<Block> block_at(std::uint64_t offset) const;
    [[nodiscard]] std::uint64_t next_block_after(std::uint64_t offset, std::uint64_t end) const;
    static bool settled(const Waiting& waiting);
    void answer(Waiting& waiting);
    void trim();
    void drop_unwanted();

    Limits limits_;
    Fetch fetch_;
    Hurry hurry_;
    Drop drop_;
    std::map<std::uint64_t, std::shared_ptr<Block>> blocks_;  // by offset, not overlapping
    std::vector<Stream> streams_;                             // most recent first, bounded
    std::list<Waiting> waiting_;
    std::uint64_t last_id_ = 0;
};

}  // namespace plugfs::kit
