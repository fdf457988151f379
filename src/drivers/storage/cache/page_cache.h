// PageCache: pages of a medium that were read or written as metadata, least recently used first to go.
//
// It holds what a reader is to see, written back or not; it is no place for what is not yet on the medium.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

namespace plugfs::storage {

class PageCache {
  public:
    static constexpr std::size_t page_size = 4096;  // bytes, at a multiple of it; the medium's last one may be shorter

    // At most `page_limit` pages.
    explicit PageCache(std::size_t page_limit) : page_limit_(page_limit) {}

    // The page number `page`, or an empty span. Good until the next call.
    [[nodiscard]] std::span<const std::byte> find(std::uint64_t page);
    [[nodiscard]] bool contains(std::uint64_t page) const { return pages_.count(page) != 0; }
    void put(std::uint64_t page, std::span<const std::byte> bytes);
    // These bytes of the medium have changed: pages that are here change with them.
    void changed(std::uint64_t offset, std::span<const std::byte> bytes);
    void forget(std::uint64_t offset, std::uint64_t length);
    [[nodiscard]] std::size_t size() const { return pages_.size(); }

  private:
    struct Page {
        std::vector<std::byte> bytes;
        std::list<std::uint64_t>::iterator used;
    };
    std::size_t page_limit_;
    std::unordered_map<std::uint64_t, Page> pages_;
    std::list<std::uint64_t> by_use_;  // latest first
};

}  // namespace plugfs::storage
