// BlockDevice: a medium as bytes that can be read and written, whatever is below: a LUN behind a cache, a partition of
// one, an image in a test.
//
// Two things can happen to what has been written. The process may die: then a successor finds all that was written up
// to the last commit(), and nothing after it. The cable may be pulled: then the medium holds what flush() has confirmed
// and any part of what came later, but nothing from behind a barrier whose front has not arrived (order()). A file
// system writes so that it can stand both.
#pragma once

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace plugfs::storage {

class BlockDevice {
  public:
    virtual ~BlockDevice() = default;
    BlockDevice() = default;
    BlockDevice(const BlockDevice&) = delete;
    BlockDevice& operator=(const BlockDevice&) = delete;

    // Bytes of a block (512 to 4096, a power of two), and of the whole medium (a multiple of it).
    [[nodiscard]] virtual std::uint32_t block_size() const = 0;
    [[nodiscard]] virtual std::uint64_t size() const = 0;
    [[nodiscard]] virtual bool writable() const = 0;

    // What a read is for: metadata comes in small pieces and is kept, data in large ones, is read ahead of when it is
    // read in sequence, and goes first when room is needed.
    enum class Use : std::uint8_t { metadata, data };

    // Reads all of `out`, at any offset and of any length. EINVAL: not within the medium; EIO, ENODEV, ENOMEDIUM: the
    // device; ECANCELED: the wait was called off (data only).
    [[nodiscard]] virtual Result<void> read(std::uint64_t offset, std::span<std::byte> out, Use use) = 0;
    // Writes all of `bytes`, at any offset and of any length; a later read sees them at once. EROFS, and as above.
    [[nodiscard]] virtual Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) = 0;
    // What is of a higher rank reaches the medium after all of a lower one that has been written before; what is
    // written later need not wait for it, but for the next order(). So what grows bit by bit is on the medium once:
    // what it has been filled with, then what leads there (the link of a chain), then the last entry that says how much
    // that is.
    enum class Rank : std::uint8_t { content, link, entry };
    // As write(), which is of rank `content`. A block that has been written in a higher rank begins with an order() of
    // its own.
    [[nodiscard]] virtual Result<void> write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use use,
                                                    Rank rank) {
        if (rank != Rank::content) {
            order();
        }
        PLUGFS_TRY(write(offset, bytes, use));
        if (rank != Rank::content) {
            order();
        }
        return {};
    }
    // What is written from now on reaches the medium after everything that was written before.
    virtual void order() = 0;
    // What has been written since the last commit takes effect together: a successor of this process sees all of it or
    // nothing. Without it, it sees nothing.
    [[nodiscard]] virtual Result<void> commit() = 0;
    // commit(), and returns when all of it is on the medium and the device has confirmed that (SYNCHRONIZE CACHE).
    [[nodiscard]] virtual Result<void> flush() = 0;
    // The content of these bytes does not matter any more (UNMAP where the device has it). May do nothing.
    virtual void discard(std::uint64_t offset, std::uint64_t length) = 0;
};

}  // namespace plugfs::storage
