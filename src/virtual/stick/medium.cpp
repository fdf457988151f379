#include "virtual/stick/medium.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <random>

namespace plugfs::virtual_usb {

namespace {

Result<void> all_read(int file, std::uint64_t offset, std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = ::pread(file, out.data(), out.size(), static_cast<off_t>(offset));
        if (got <= 0) {
            return fail(got < 0 ? errno : EIO, "image", got < 0 ? "read" : "it has become shorter");
        }
        out = out.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<StickMedium>> StickMedium::open(const std::string& path, std::uint32_t block_size,
                                                       bool volatile_cache) {
    if (block_size < 512 || block_size > 4096 || (block_size & (block_size - 1)) != 0) {
        return fail(EINVAL, "block size", std::to_string(block_size) + " is no power of two from 512 to 4096");
    }
    bool read_only = false;
    UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file && (errno == EACCES || errno == EROFS)) {
        read_only = true;
        file = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) {
        return fail(errno, "image " + path);
    }
    const auto count = static_cast<std::uint64_t>(status.st_size) / block_size;
    if (!S_ISREG(status.st_mode) || count == 0) {
        return fail(EINVAL, "image " + path, "not a file of at least a block");
    }
    return std::unique_ptr<StickMedium>(new StickMedium(std::move(file), block_size, count, read_only, volatile_cache));
}

Result<void> StickMedium::read(std::uint64_t block, std::span<std::byte> out) {
    PLUGFS_TRY(all_read(file_.get(), block * block_size_, out));
    const std::uint64_t end = block + (out.size() / block_size_);
    for (auto at = cache_.lower_bound(block); at != cache_.end() && at->first < end; ++at) {
        std::ranges::copy(at->second, out.subspan((at->first - block) * block_size_).begin());
    }
    return {};
}

Result<void> StickMedium::write(std::uint64_t block, std::span<const std::byte> bytes) {
    if (!volatile_cache_) {
        return write_through(block, bytes);
    }
    for (; !bytes.empty(); bytes = bytes.subspan(block_size_), ++block) {
        const auto piece = bytes.first(block_size_);
        const auto [at, added] = cache_.try_emplace(block);
        at->second.assign(piece.begin(), piece.end());
        if (added) {
            order_.push_back(block);
        }
    }
    while (cache_.size() * block_size_ > cache_limit) {
        const std::uint64_t oldest = order_.front();
        PLUGFS_TRY(write_through(oldest, cache_.at(oldest)));
        cache_.erase(oldest);
        order_.pop_front();
    }
    return {};
}

Result<void> StickMedium::write_through(std::uint64_t block, std::span<const std::byte> bytes) {
    std::uint64_t offset = block * block_size_;
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0) {
            return fail(errno, "image", "write");
        }
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<void> StickMedium::unmap(std::uint64_t block, std::uint64_t count) {
    std::erase_if(order_, [&](std::uint64_t each) { return each >= block && each - block < count; });
    cache_.erase(cache_.lower_bound(block), cache_.lower_bound(block + count));
    if (count > 0 &&
        ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(block * block_size_),
                    static_cast<off_t>(count * block_size_)) != 0 &&
        errno != EOPNOTSUPP) {
        return fail(errno, "image", "punch a hole");
    }
    return {};
}

Result<void> StickMedium::flush() {
    // In order of blocks: neighbours in one write.
    std::vector<std::byte> run;
    std::uint64_t first = 0;
    for (const auto& [block, bytes] : cache_) {
        if (!run.empty() && block != first + (run.size() / block_size_)) {
            PLUGFS_TRY(write_through(first, run));
            run.clear();
        }
        if (run.empty()) {
            first = block;
        }
        run.insert(run.end(), bytes.begin(), bytes.end());
    }
    PLUGFS_TRY(write_through(first, run));
    cache_.clear();
    order_.clear();
    return {};
}

Result<void> StickMedium::power_cut(std::optional<std::uint64_t> seed) {
    if (seed) {
        std::mt19937_64 random(*seed);
        for (const auto& [block, bytes] : cache_) {
            if (random() % 2 == 0) {
                PLUGFS_TRY(write_through(block, bytes));
            }
        }
    }
    cache_.clear();
    order_.clear();
    return {};
}

}  // namespace plugfs::virtual_usb
