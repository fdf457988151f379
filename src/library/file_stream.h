// FileStream: a file on a device, as TagLib reads it: in blocks that are kept, with a bound on all that is read.
#pragma once

#include "library/tags.h"

#include <taglib/tiostream.h>

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace plugfs::library {

class FileStream : public TagLib::IOStream {
  public:
    // `file` must outlive it.
    explicit FileStream(const TaggedFile& file) : file_(file) {}

    // Why reading ended early, if it did.
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

    [[nodiscard]] TagLib::FileName name() const override { return file_.name.c_str(); }
    TagLib::ByteVector readBlock(unsigned long length) override;
    // Nothing is ever written.
    void writeBlock(const TagLib::ByteVector& /*data*/) override {}
    void insert(const TagLib::ByteVector& /*data*/, unsigned long /*start*/, unsigned long /*replace*/) override {}
    void removeBlock(unsigned long /*start*/, unsigned long /*length*/) override {}
    [[nodiscard]] bool readOnly() const override { return true; }
    [[nodiscard]] bool isOpen() const override { return true; }
    void seek(long offset, Position from) override;
    void clear() override {}
    [[nodiscard]] long tell() const override { return position_; }
    long length() override;
    void truncate(long /*length*/) override {}

  private:
    // The block with that number; empty when it cannot be read.
    std::span<const std::byte> block(std::uint64_t number);

    const TaggedFile& file_;
    long position_ = 0;
    std::uint64_t read_ = 0;
    std::map<std::uint64_t, std::vector<std::byte>> blocks_;
    std::optional<Error> error_;
};

}  // namespace plugfs::library
