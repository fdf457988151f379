// The one place where a thread waits for the device.
#pragma once

#include <plugfs/deadline.h>

#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>

namespace plugfs::usb {

// Every wait counts this up, some times a second, so that somebody outside can tell a thread that waits for a device,
// which ends by its deadline, from one that hangs. One for the process; null: nobody looks.
void count_waits_in(std::atomic<std::uint64_t>* counter);

// The longest that a wait goes on without being counted.
inline constexpr std::chrono::milliseconds longest_uncounted{250};
// For a wait by other means than wait_for().
void count_wait();

// poll(2) until the deadline. As poll(2) returns, with errno; EINTR counts as nothing ready.
[[nodiscard]] int wait_for(std::span<pollfd> descriptors, Deadline deadline);

}  // namespace plugfs::usb
