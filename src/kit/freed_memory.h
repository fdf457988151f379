// FreedMemory: what becomes of memory that a worker has freed.
//
// Blocks of a megabyte come and go with every read. By default the C library gives them back to the kernel each time,
// which faults them in, and zeroes them, the next time: that costs more than to copy them. So what is freed is kept for
// the next one, and given back when nothing has been done for a while.
#pragma once

#include <chrono>
#include <cstddef>

namespace plugfs::kit {

class FreedMemory {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t limit = std::size_t{8} << 20U;  // bytes that are kept, in each of malloc's arenas
    static constexpr std::chrono::seconds idle_time{3};

    // For the whole process, from here on.
    FreedMemory();
    // Something was done.
    void used(Clock::time_point now);
    // Nothing was. True if that has given memory back.
    bool idle(Clock::time_point now);

  private:
    Clock::time_point last_used_;
    bool kept_ = true;
};

}  // namespace plugfs::kit
