// Bytes from outside, read and written with bounds.
//
// Everything that a device sends is parsed through ByteReader. It never reads past its end: a read that
// would yields 0 (or an empty span) and marks the reader failed for good, so a parser can read a whole
// structure and check ok() once. The first failure's offset is kept for the log line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace plugfs {

// Copies all of `from` to the beginning of `to`, which must be at least as long and may not overlap with it. For what
// is long: a range algorithm copies spans byte by byte with some compilers.
inline void copy_bytes(std::span<const std::byte> from, std::span<std::byte> to) {
    if (!from.empty()) {
        std::memcpy(to.data(), from.data(), from.size());
    }
}

class ByteReader {
  public:
    explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return !failed_; }
    [[nodiscard]] std::size_t offset() const { return offset_; }
    [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }
    // Where the first read past the end was tried; only when !ok().
    [[nodiscard]] std::size_t failed_at() const { return failed_at_; }

    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1, false)); }
    std::uint16_t u16le() { return static_cast<std::uint16_t>(number(2, false)); }
    std::uint32_t u32le() { return static_cast<std::uint32_t>(number(4, false)); }
    std::uint64_t u64le() { return number(8, false); }
    std::uint16_t u16be() { return static_cast<std::uint16_t>(number(2, true)); }
    std::uint32_t u32be() { return static_cast<std::uint32_t>(number(4, true)); }
    std::uint64_t u64be() { return number(8, true); }

    // The next `count` bytes, still owned by whoever owns the reader's bytes; empty on failure.
    std::span<const std::byte> take(std::size_t count) {
        if (!need(count)) {
            return {};
        }
        const auto part = bytes_.subspan(offset_, count);
        offset_ += count;
        return part;
    }
    void skip(std::size_t count) { (void)take(count); }

  private:
    bool need(std::size_t count) {
        if (failed_ || count > remaining()) {
            if (!failed_) {
                failed_ = true;
                failed_at_ = offset_;
            }
            return false;
        }
        return true;
    }
    std::uint64_t number(std::size_t width, bool big_endian) {
        std::uint64_t value = 0;
        const auto part = take(width);
        for (std::size_t i = 0; i < part.size(); ++i) {
            const auto shift = 8 * (big_endian ? width - 1 - i : i);
            value |= static_cast<std::uint64_t>(part[i]) << shift;
        }
        return value;
    }

    std::span<const std::byte> bytes_;
    std::size_t offset_ = 0;
    std::size_t failed_at_ = 0;
    bool failed_ = false;
};

// Builds a byte string; grows as needed.
class ByteWriter {
  public:
    void u8(std::uint8_t value) { number(value, 1, false); }
    void u16le(std::uint16_t value) { number(value, 2, false); }
    void u32le(std::uint32_t value) { number(value, 4, false); }
    void u64le(std::uint64_t value) { number(value, 8, false); }
    void u16be(std::uint16_t value) { number(value, 2, true); }
    void u32be(std::uint32_t value) { number(value, 4, true); }
    void u64be(std::uint64_t value) { number(value, 8, true); }
    void append(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
    [[nodiscard]] std::vector<std::byte> take() && { return std::move(bytes_); }

  private:
    void number(std::uint64_t value, std::size_t width, bool big_endian) {
        for (std::size_t i = 0; i < width; ++i) {
            const auto shift = 8 * (big_endian ? width - 1 - i : i);
            bytes_.push_back(static_cast<std::byte>(value >> shift));
        }
    }
    std::vector<std::byte> bytes_;
};

}  // namespace plugfs
