// PagedRegion: a table on the medium (a FAT, an allocation bitmap), read by pages of which only the last used ones are
// in memory, and changed there; what has changed goes to the device when asked, or when its page makes room.
#pragma once

#include "drivers/storage/block_device.h"

#include <vector>

namespace plugfs::storage {

class PagedRegion {
  public:
    static constexpr std::size_t page_size = std::size_t{32} << 10U;
    static constexpr std::size_t page_limit = 32;

    // `copies`: where on the device it lies; the first is read (the others when that fails), all are written. Not
    // empty. `length` in bytes.
    PagedRegion(BlockDevice& device, std::vector<std::uint64_t> copies, std::uint64_t length);

    [[nodiscard]] std::uint64_t length() const { return length_; }
    // The bytes from `offset` (less than the length) to the end of its page: at least one. Valid until the next call.
    [[nodiscard]] Result<std::span<const std::byte>> read(std::uint64_t offset);
    // Within the region; seen by read() at once, by the device with write_out().
    [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes);
    [[nodiscard]] Result<void> write_out(BlockDevice::Rank rank = BlockDevice::Rank::content);
    // Forgets what has not been written out.
    void forget();

  private:
    static constexpr std::size_t unit = page_size / 64;  // what one bit of `changed` stands for

    struct Page {
        std::uint64_t number = 0;
        std::uint64_t last_used = 0;
        std::uint64_t changed = 0;
        std::vector<std::byte> bytes;
    };

    [[nodiscard]] Result<Page*> page(std::uint64_t number);
    [[nodiscard]] Result<void> load(Page& page, std::uint64_t number);
    [[nodiscard]] Result<void> write_page(Page& page, BlockDevice::Rank rank);

    BlockDevice& device_;
    std::vector<std::uint64_t> copies_;
    std::uint64_t length_;
    std::vector<Page> pages_;
    Page* recent_ = nullptr;
    std::uint64_t clock_ = 0;
};

}  // namespace plugfs::storage
