// StickMedium: what is in a virtual stick: an image file, and a cache in front of it that forgets when the power goes.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plugfs::virtual_usb {

class StickMedium {
  public:
    // `block_size`: 512 to 4096, a power of two. What the image has behind its last whole block is not used. With
    // `volatile_cache`, writes stay in memory until flush(), or until cache_limit forces the oldest of them out.
    // EINVAL; errors of open(2). An image that may not be written to is `read_only()`.
    static Result<std::unique_ptr<StickMedium>> open(const std::string& path, std::uint32_t block_size,
                                                     bool volatile_cache);

    static constexpr std::size_t cache_limit = std::size_t{256} << 20U;

    [[nodiscard]] std::uint32_t block_size() const { return block_size_; }
    [[nodiscard]] std::uint64_t block_count() const { return block_count_; }
    [[nodiscard]] bool read_only() const { return read_only_; }
    [[nodiscard]] bool has_cache() const { return volatile_cache_; }
    [[nodiscard]] std::size_t unflushed() const { return cache_.size(); }  // blocks

    // Whole blocks within the medium. EIO and the like: the image file.
    Result<void> read(std::uint64_t block, std::span<std::byte> out);
    Result<void> write(std::uint64_t block, std::span<const std::byte> bytes);
    // Zeroes, where the file can have holes.
    Result<void> unmap(std::uint64_t block, std::uint64_t count);
    // Everything that was written is in the file.
    Result<void> flush();
    // The power goes: what was not flushed is lost; with a seed, each block of it is lost or not, at random.
    Result<void> power_cut(std::optional<std::uint64_t> seed);

  private:
    StickMedium(UniqueFd file, std::uint32_t block_size, std::uint64_t block_count, bool read_only, bool volatile_cache)
        : file_(std::move(file)),
          block_size_(block_size),
          block_count_(block_count),
          read_only_(read_only),
          volatile_cache_(volatile_cache) {}
    Result<void> write_through(std::uint64_t block, std::span<const std::byte> bytes);

    UniqueFd file_;
    std::uint32_t block_size_;
    std::uint64_t block_count_;
    bool read_only_;
    bool volatile_cache_;
    std::map<std::uint64_t, std::vector<std::byte>> cache_;
    std::deque<std::uint64_t> order_;  // of first writing; blocks of cache_ each once
};

}  // namespace plugfs::virtual_usb
