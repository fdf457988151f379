// WholeObject: reads of an object on a device that can only send objects whole (GetObject).
//
// The object is fetched from its beginning, and reads are served as the data arrives; between reads the transaction
// stays open. The last megabytes are kept, so that readers who follow each other closely, or go back a little, need no
// second transfer, and a small object is fetched once. Another operation ends the transaction: what is nearly over is
// fetched to its end, the rest cancelled, to begin anew when it is needed again.
#pragma once

#include "drivers/mtp/session.h"

#include <chrono>
#include <deque>
#include <span>
#include <vector>

namespace plugfs::mtp {

class WholeObject {
  public:
    // `session` must outlive it.
    explicit WholeObject(Session& session) : session_(session) {}

    // Reads [offset, offset + out.size()) of an object of `size` bytes; the range lies within it.
    Result<std::size_t> read(std::uint32_t handle, std::uint64_t size, std::uint64_t offset, std::span<std::byte> out);

    // Ends the transaction if one is open, so that another can begin. What has arrived stays.
    void interrupt();
    // Whether the data is being read: another operation that can wait should.
    [[nodiscard]] bool in_use() const;
    // Gives up what nobody has read for a while. To be called now and then.
    void tidy();
    // The object has changed: forgets its data.
    void forget(std::uint32_t handle);
    // The same for whatever there is.
    void forget_all() { forget(handle_); }

  private:
    Result<void> begin(std::uint32_t handle, std::uint64_t size);
    Result<void> fetch_piece(std::uint64_t wanted_from);
    void keep(std::vector<std::byte> piece, std::uint64_t wanted_from);
    Result<void> end();
    void copy_out(std::uint64_t offset, std::span<std::byte> out) const;
    void clear();

    Session& session_;
    std::uint32_t handle_ = 0;  // 0: none
    std::uint64_t size_ = 0;
    bool open_ = false;           // the transaction is under way
    std::uint64_t position_ = 0;  // of the transaction's next byte
    std::uint64_t begin_ = 0;     // of the bytes kept
    std::uint64_t end_ = 0;
    std::deque<std::vector<std::byte>> pieces_;
    Deadline::Clock::time_point last_read_;
};

}  // namespace plugfs::mtp
