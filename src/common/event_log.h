// EventLog: lines that grow at the end of a file which people read with cat, tail -f and poll.
//
// The history is bounded: when it passes the limit its older half goes, and the file shrinks, which `tail -f`
// understands
// ("file truncated"). A reader's offset therefore belongs to its open file (Reader), not to the log: it goes on where
// it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plugfs {

class EventLog {
  public:
    explicit EventLog(std::size_t limit = std::size_t{1} << 20U) : limit_(limit) {}

    // One open file. Created at open, kept until release.
    class Reader {
      public:
        // Up to `size` bytes at the file offset `offset`; empty at the end.
        std::string_view read(const EventLog& log, std::uint64_t offset, std::size_t size);
        // Whether read() has given everything there is.
        [[nodiscard]] bool at_end(const EventLog& log) const { return position_ >= log.end_; }

      private:
        friend class EventLog;
        std::uint64_t base_ = 0;      // position in the log of file offset 0
        std::uint64_t position_ = 0;  // first byte not yet given
    };
    // `offset`: where the reader is in its file already; it goes on there with the oldest line there is.
    [[nodiscard]] Reader open(std::uint64_t offset = 0) const;

    // Adds the JSON object `json` with the time put in front: {"time":"2026-01-31T12:00:00.123Z",...}. Must begin with
    // "{" and have at least one member.
    void append(std::string_view json);

    [[nodiscard]] std::size_t size() const { return history_.size(); }

  private:
    std::size_t limit_;
    std::string history_;
    std::uint64_t end_ = 0;  // bytes ever added
    [[nodiscard]] std::uint64_t begin() const { return end_ - history_.size(); }
};

}  // namespace plugfs
