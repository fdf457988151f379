#include "usb/wait.h"

#include <algorithm>
#include <cerrno>

namespace plugfs::usb {

namespace {
constexpr int slice_ms = static_cast<int>(longest_uncounted.count());
std::atomic<std::atomic<std::uint64_t>*> waits = nullptr;
}  // namespace

void count_waits_in(std::atomic<std::uint64_t>* counter) {
    waits = counter;
}

void count_wait() {
    if (auto* counter = waits.load(std::memory_order_relaxed)) {
        counter->fetch_add(1, std::memory_order_relaxed);
    }
}

int wait_for(std::span<pollfd> descriptors, Deadline deadline) {
    while (true) {
        count_wait();
        const int remaining = deadline.remaining_ms();
        const int ready = ::poll(descriptors.data(), descriptors.size(), std::min(remaining, slice_ms));
        if (ready > 0 || (ready < 0 && errno != EINTR) || remaining <= slice_ms) {
            return ready < 0 && errno == EINTR ? 0 : ready;
        }
    }
}

}  // namespace plugfs::usb
