#include "drivers/storage/image_device.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace plugfs::test {

namespace {

void save(const std::filesystem::path& to, std::span<const std::byte> bytes) {
    std::ofstream stream(to, std::ios::binary | std::ios::trunc);
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(stream.flush().good());
}

void apply(std::vector<std::byte>& image, std::uint64_t offset, std::span<const std::byte> bytes) {
    std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

ImageDevice::ImageDevice(std::filesystem::path path, std::uint32_t block_size)
    : path_(std::move(path)), block_size_(block_size), fd_(::open(path_.c_str(), O_RDWR | O_CLOEXEC)) {
    REQUIRE(fd_ >= 0);
    size_ = std::filesystem::file_size(path_);
    REQUIRE(size_ % block_size_ == 0);
}

ImageDevice::~ImageDevice() {
    ::close(fd_);
}

Result<void> ImageDevice::read(std::uint64_t offset, std::span<std::byte> out, Use) {
    ++reads_;
    if (offset > size_ || out.size() > size_ - offset) {
        return fail(EINVAL, "image", "read past its end");
    }
    const auto got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    return got == static_cast<ssize_t>(out.size()) ? Result<void>() : fail(EIO, "image");
}

Result<void> ImageDevice::write(std::uint64_t offset, std::span<const std::byte> bytes, Use use) {
    return write_ranked(offset, bytes, use, Rank::content);
}

Result<void> ImageDevice::write_ranked(std::uint64_t offset, std::span<const std::byte> bytes, Use, Rank rank) {
    for (std::uint64_t block = offset / block_size_; block * block_size_ < offset + bytes.size(); ++block) {
        if (const auto found = ranked_.find(block); found != ranked_.end() && found->second > rank) {
            order();
        }
        if (rank != Rank::content) {
            ranked_[block] = rank;
        }
    }
    if (!writable_) {
        return fail(EROFS, "image");
    }
    if (offset > size_ || bytes.size() > size_ - offset) {
        return fail(EINVAL, "image", "write past its end");
    }
    if (writes_left_ == 0) {
        return fail(EIO, "image", "a write that was to fail");
    }
    writes_left_ -= writes_left_ == SIZE_MAX ? 0 : 1;
    ++writes_;
    if (recording_) {
        events_.push_back({What::write, rank, offset, {bytes.begin(), bytes.end()}});
    }
    const auto put = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    return put == static_cast<ssize_t>(bytes.size()) ? Result<void>() : fail(EIO, "image");
}

void ImageDevice::order() {
    ranked_.clear();
    if (recording_) {
        events_.push_back({What::order});
    }
}

Result<void> ImageDevice::commit() {
    if (recording_) {
        events_.push_back({What::commit});
    }
    return {};
}

Result<void> ImageDevice::flush() {
    ranked_.clear();
    if (recording_) {
        events_.push_back({What::flush});
    }
    return {};
}

void ImageDevice::record() {
    before_.resize(size_);
    REQUIRE(read(0, before_, Use::data));
    events_.clear();
    recording_ = true;
}

std::size_t ImageDevice::barrier(std::size_t at) const {
    while (at > 0 && events_[at - 1].what != What::order && events_[at - 1].what != What::flush) {
        --at;
    }
    return at == 0 ? 0 : at - 1;
}

void ImageDevice::write_cut_image(const std::filesystem::path& to, std::size_t at, std::mt19937& random) const {
    auto image = before_;
    const std::size_t last_barrier = barrier(at);
    const std::size_t arrived = last_barrier + random() % (at - last_barrier + 1);
    for (std::size_t i = 0; i < arrived; ++i) {
        apply(image, events_[i].offset, events_[i].bytes);
    }
    // Each block has got as far as it has.
    const auto highest = static_cast<Rank>(random() % 3);
    std::map<std::uint64_t, bool> stopped;
    for (const Rank rank : {Rank::content, Rank::link, Rank::entry}) {
        for (std::size_t i = arrived; i < at && rank <= highest; ++i) {
            const auto& event = events_[i];
            if (event.what != What::write || event.rank != rank) {
                continue;
            }
            std::span<const std::byte> rest(event.bytes);
            for (std::uint64_t offset = event.offset; !rest.empty();) {
                const auto count = std::min<std::size_t>(rest.size(), block_size_ - offset % block_size_);
                bool& stop = stopped.try_emplace(offset / block_size_, random() % 2 == 0).first->second;
                stop = stop || random() % 4 == 0;
                if (!stop || rank < highest) {
                    apply(image, offset, rest.first(count));
                }
                offset += count;
                rest = rest.subspan(count);
            }
        }
    }
    save(to, image);
}

void ImageDevice::write_committed_image(const std::filesystem::path& to, std::size_t at) const {
    auto image = before_;
    std::size_t end = at;
    while (end > 0 && events_[end - 1].what != What::commit && events_[end - 1].what != What::flush) {
        --end;
    }
    for (std::size_t i = 0; i < end; ++i) {
        apply(image, events_[i].offset, events_[i].bytes);
    }
    save(to, image);
}

}  // namespace plugfs::test
