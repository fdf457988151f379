// SpoolFile: the Spool (plugfs/spool.h) in one sparse file that the supervisor has made and keeps, without a name.
//
// It has room for file_limit files: for each two headers, of which the newer valid one counts, and a stretch of
// size_limit bytes, which take space only where something was written.
//
//   headers   file_limit x 2 x header_size, from offset 0
//   bytes     file_limit x size_limit, from offset bytes_offset
//
// A header is written beside the one that counts, so a process may die at any moment: then the older one still counts.
// The successor checks what it reads: the writer has crashed. Used by the device thread alone.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/spool.h>

#include <array>
#include <memory>

namespace plugfs::kit {

class SpoolFile : public Spool {
  public:
    static constexpr std::size_t header_size = std::size_t{16} << 10U;
    static constexpr std::uint64_t bytes_offset = file_limit * 2 * header_size;

    // Reads what a predecessor has left there. EIO: it cannot be read.
    static Result<std::unique_ptr<SpoolFile>> create(UniqueFd file);

    [[nodiscard]] std::vector<Id> files() const override;
    [[nodiscard]] Result<Id> create(std::span<const std::byte> note) override;
    [[nodiscard]] Result<std::vector<std::byte>> note(Id id) const override;
    [[nodiscard]] Result<void> set_note(Id id, std::span<const std::byte> note) override;
    [[nodiscard]] Result<std::uint64_t> size(Id id) const override;
    [[nodiscard]] Result<void> write(Id id, std::uint64_t offset, std::span<const std::byte> bytes) override;
    [[nodiscard]] Result<std::size_t> read(Id id, std::uint64_t offset, std::span<std::byte> out) const override;
    [[nodiscard]] Result<void> resize(Id id, std::uint64_t size) override;
    void remove(Id id) override;

  private:
    struct File {
        bool used = false;
        std::uint64_t generation = 0;
        std::uint64_t size = 0;
        std::vector<std::byte> note;
    };
    explicit SpoolFile(UniqueFd file) : file_(std::move(file)) {}
    Result<void> load(Id id);
    [[nodiscard]] Result<void> exists(Id id) const;
    // Makes `next` the one that counts.
    Result<void> commit(Id id, File next);
    Result<void> write_all(std::uint64_t at, std::span<const std::byte> bytes);
    // Gives the space of a file's bytes from `from` on back; they read as zeroes.
    Result<void> punch(Id id, std::uint64_t from);
    [[nodiscard]] static std::uint64_t start_of(Id id) { return bytes_offset + (id * size_limit); }

    UniqueFd file_;
    std::array<File, file_limit> files_;
};

}  // namespace plugfs::kit
