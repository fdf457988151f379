// A BlockDevice on an image file, which other people's tools can look at. It keeps what happened to it, so that a test
// can cut the power at any moment afterwards.
#pragma once

#include "drivers/storage/block_device.h"

#include <filesystem>
#include <map>
#include <random>
#include <vector>

namespace plugfs::test {

class ImageDevice : public storage::BlockDevice {
  public:
    // An existing file whose size is a multiple of `block_size`.
    explicit ImageDevice(std::filesystem::path path, std::uint32_t block_size = 512);
    ~ImageDevice() override;

    [[nodiscard]] std::uint32_t block_size() const override { return block_size_; }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] bool writable() const override { return writable_; }
    [[nodiscard]] Result<void> read(std::uint64_t offset, std::span<std::byte> out, Use use) override;
    [[nodiscard]] Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) override;
    [[nodiscard]] Result<void> write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use use,
                                            Rank rank) override;
    void order() override;
    [[nodiscard]] Result<void> commit() override;
    [[nodiscard]] Result<void> flush() override;
    void discard(std::uint64_t, std::uint64_t) override {}

    void set_writable(bool writable) { writable_ = writable; }
    // The next `count` writes succeed, those after them fail with EIO.
    void fail_writes_after(std::size_t count) { writes_left_ = count; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::size_t reads() const { return reads_; }
    [[nodiscard]] std::size_t writes() const { return writes_; }

    // What happened since record(), one after the other.
    enum class What : std::uint8_t { write, order, commit, flush };
    struct Event {
        What what;
        Rank rank = Rank::content;
        std::uint64_t offset = 0;
        std::vector<std::byte> bytes = {};
    };
    void record();
    [[nodiscard]] const std::vector<Event>& events() const { return events_; }
    // The last event before number `at` that was a barrier; 0: none.
    [[nodiscard]] std::size_t barrier(std::size_t at) const;
    // The image as it was at record(), and as the medium may be when the power is cut after event number `at` at the
    // latest: everything before the last barrier; of what came after it, all up to some event, and of the rest all of
    // the ranks below one, and any blocks of that.
    void write_cut_image(const std::filesystem::path& to, std::size_t at, std::mt19937& random) const;
    // As a successor of this process finds it after event number `at`: up to the last commit.
    void write_committed_image(const std::filesystem::path& to, std::size_t at) const;

  private:
    std::filesystem::path path_;
    std::uint32_t block_size_;
    std::uint64_t size_ = 0;
    int fd_ = -1;
    bool writable_ = true;
    bool recording_ = false;
    std::size_t writes_left_ = SIZE_MAX;
    std::size_t reads_ = 0;
    std::size_t writes_ = 0;
    std::vector<std::byte> before_;
    std::vector<Event> events_;
    std::map<std::uint64_t, Rank> ranked_;  // blocks that were written above content since the last barrier: how
};

}  // namespace plugfs::test
