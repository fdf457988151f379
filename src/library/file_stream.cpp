#include "library/file_stream.h"

#include <algorithm>
#include <climits>

namespace plugfs::library {

namespace {
constexpr std::uint64_t block_size = std::uint64_t{32} << 10U;
}

long FileStream::length() {
    return static_cast<long>(std::min<std::uint64_t>(file_.size, LONG_MAX));
}

void FileStream::seek(long offset, Position from) {
    const long base = from == Beginning ? 0 : (from == Current ? position_ : length());
    // An offset is the file's word.
    if (offset > 0 && base > LONG_MAX - offset) {
        position_ = LONG_MAX;
    } else {
        position_ = std::max(base + offset, 0L);
    }
}

std::span<const std::byte> FileStream::block(std::uint64_t number) {
    if (const auto known = blocks_.find(number); known != blocks_.end()) {
        return known->second;
    }
    const std::uint64_t begin = number * block_size;
    if (error_ || begin >= file_.size || read_ >= read_limit) {
        return {};
    }
    std::vector<std::byte> bytes(static_cast<std::size_t>(std::min(block_size, file_.size - begin)));
    std::size_t done = 0;
    while (done < bytes.size()) {
        const auto got = file_.read(begin + done, std::span(bytes).subspan(done));
        if (!got) {
            error_ = got.error();
            return {};
        }
        if (*got == 0) {
            break;  // the file has become shorter
        }
        done += std::min(*got, bytes.size() - done);
    }
    bytes.resize(done);
    read_ += block_size;
    return blocks_[number] = std::move(bytes);
}

TagLib::ByteVector FileStream::readBlock(unsigned long length) {
    TagLib::ByteVector out;
    std::uint64_t left = std::min<std::uint64_t>(length, read_limit);
    while (left > 0) {
        const auto at = static_cast<std::uint64_t>(position_);
        const auto bytes = block(at / block_size);
        const std::uint64_t within = at % block_size;
        if (within >= bytes.size()) {
            break;
        }
        const std::uint64_t count = std::min(left, bytes.size() - within);
        out.append(
            TagLib::ByteVector(reinterpret_cast<const char*>(bytes.data() + within), static_cast<unsigned int>(count)));
        position_ += static_cast<long>(count);
        left -= count;
    }
    return out;
}

}  // namespace plugfs::library
