// RequestWatch: notices requests that a living worker has lost.
//
// A worker whose memory is damaged may beat and serve, and still have forgotten a request, whose reader would wait for
// ever. There are three ways to forget one:
//
//   it stands in its slot, and nobody works on it: the device thread has been idle all the time since it came
//   it has no slot any more, and the kernel has no answer: the kernel counts more requests than there are slots filled
//   and requests not taken yet
//   it is not taken: the kernel has requests to give out, and the worker takes none, though its device thread is idle
#pragma once

#include "supervisor/event_loop.h"
#include "supervisor/fuse_connections.h"
#include "supervisor/pending_requests.h"

#include <functional>
#include <map>
#include <optional>

namespace plugfs {

class RequestWatch {
  public:
    enum class Lost : std::uint8_t { in_slot, without_slot, not_taken };
    struct Watched {
        int fuse = -1;
        const PendingRequests* requests = nullptr;  // both must outlive the watch, until end()
        const VaultHeader* header = nullptr;
        unsigned connection = 0;  // its number in fusectl
    };

    // `loop` and `connections` must outlive it. `limit`: how long a request must seem lost; 0: nothing is watched.
    RequestWatch(EventLoop& loop, const FuseConnections& connections, std::chrono::milliseconds limit)
        : loop_(loop), connections_(connections), limit_(limit) {}
    ~RequestWatch() { end(); }
    RequestWatch(const RequestWatch&) = delete;
    RequestWatch& operator=(const RequestWatch&) = delete;

    // The worker serves. `lost` is called once, from the loop.
    void begin(const Watched& watched, std::function<void(Lost)> lost);
    void end();
    [[nodiscard]] std::chrono::milliseconds limit() const { return limit_; }

  private:
    using Time = Deadline::Clock::time_point;
    void check();
    [[nodiscard]] bool stuck_in_slot(const std::vector<PendingRequests::Request>& requests, Time now);
    [[nodiscard]] bool gone_without_answer(std::size_t in_slots, Time now);
    [[nodiscard]] bool left_with_the_kernel(Time now);

    EventLoop& loop_;
    const FuseConnections& connections_;
    std::chrono::milliseconds limit_;
    Watched watched_;
    std::function<void(Lost)> lost_;
    EventLoop::Timer timer_ = 0;
    std::map<std::uint64_t, Time> idle_since_;  // by unique
    std::optional<Time> too_many_since_;
    std::optional<Time> not_taken_since_;
    std::uint64_t taken_ = 0;  // what the vault said at the last look
};

}  // namespace plugfs
