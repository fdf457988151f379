// Spool: files of the driver's own, that outlive its process.
//
// For what was written by somebody and is not on the device yet, where the device takes it only whole, or later: when a
// driver's process dies, its successor finds these files as they were. They go when the device's folder goes.
//
// Each has bytes and a note, by which the driver knows what they are. A note is replaced whole or not at all, whatever
// happens. Call it on the device thread only.
#pragma once

#include <plugfs/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace plugfs {

class Spool {
  public:
    using Id = std::uint32_t;
    static constexpr std::size_t file_limit = 64;                               // at the same time
    static constexpr std::uint64_t size_limit = std::uint64_t{128} << 30U;      // bytes of one
    static constexpr std::size_t note_limit = (std::size_t{16} << 10U) - 256U;  // bytes

    virtual ~Spool() = default;

    // All there are, a predecessor's too.
    [[nodiscard]] virtual std::vector<Id> files() const = 0;
    // A new one, empty. ENFILE: there are file_limit already; EMSGSIZE: the note is too long; ENOSPC.
    [[nodiscard]] virtual Result<Id> create(std::span<const std::byte> note) = 0;
    // Errors of all of the following: ENOENT, there is no such file; EIO.
    [[nodiscard]] virtual Result<std::vector<std::byte>> note(Id id) const = 0;
    [[nodiscard]] virtual Result<void> set_note(Id id, std::span<const std::byte> note) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size(Id id) const = 0;
    // All of it, or an error: ENOSPC, EFBIG (beyond size_limit). The file grows, with zeroes in between.
    [[nodiscard]] virtual Result<void> write(Id id, std::uint64_t offset, std::span<const std::byte> bytes) = 0;
    // Fewer bytes: the file ends there.
    [[nodiscard]] virtual Result<std::size_t> read(Id id, std::uint64_t offset, std::span<std::byte> out) const = 0;
    [[nodiscard]] virtual Result<void> resize(Id id, std::uint64_t size) = 0;
    virtual void remove(Id id) = 0;
};

}  // namespace plugfs
