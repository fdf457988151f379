// RingMemory: the pages below the dirty log's ring, which are taken as the ring grows into them.
#pragma once

#include <cstddef>
#include <span>

namespace plugfs::storage {

class RingMemory {
  public:
    // Whether a predecessor has taken pages is not known; it is taken for granted.
    explicit RingMemory(std::span<std::byte> ring) : ring_(ring), held_(ring.size()) {}

    // Before `length` bytes at `offset` are written for the first time: a long piece gets its pages at once. One by
    // one, as they are touched, that takes as long as the copying.
    void prepare(std::size_t offset, std::size_t length);
    // What is behind the first `kept` bytes does not matter any more: the system has its pages back. They read as
    // zeroes, where memory can be given back at all; else as they are.
    void give_back(std::size_t kept);
    // Bytes from the beginning that may have pages.
    [[nodiscard]] std::size_t held() const { return held_; }

  private:
    std::span<std::byte> ring_;
    std::size_t prepared_ = 0;
    std::size_t held_;
};

}  // namespace plugfs::storage
