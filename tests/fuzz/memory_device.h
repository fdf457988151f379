// A BlockDevice in memory, for fuzz targets: what is written past its end is a bug of whoever writes.
#pragma once

#include "drivers/storage/block_device.h"

#include <algorithm>
#include <vector>

namespace plugfs::fuzz {

class MemoryDevice : public storage::BlockDevice {
  public:
    explicit MemoryDevice(std::vector<std::byte> image, std::uint32_t block_size = 512)
        : image_(std::move(image)), block_size_(block_size) {}

    [[nodiscard]] std::uint32_t block_size() const override { return block_size_; }
    [[nodiscard]] std::uint64_t size() const override { return image_.size(); }
    [[nodiscard]] bool writable() const override { return true; }
    [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> out, Use) override {
        if (!within(offset, out.size())) {
            return fail(EINVAL, "memory", "past its end");
        }
        std::copy_n(image_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return {};
    }
    [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes, Use) override {
        if (!within(offset, bytes.size())) {
            return fail(EINVAL, "memory", "past its end");
        }
        std::copy(bytes.begin(), bytes.end(), image_.begin() + static_cast<std::ptrdiff_t>(offset));
        return {};
    }
    void order() override {}
    [[nodiscard]] Result<void> commit() override { return {}; }
    [[nodiscard]] Result<void> flush() override { return {}; }
    void discard(std::uint64_t, std::uint64_t) override {}
    [[nodiscard]] std::vector<std::byte>& image() { return image_; }

  private:
    [[nodiscard]] bool within(std::uint64_t offset, std::uint64_t length) const {
        return offset <= image_.size() && length <= image_.size() - offset;
    }

    std::vector<std::byte> image_;
    std::uint32_t block_size_;
};

}  // namespace plugfs::fuzz
