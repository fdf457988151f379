// The numbered steps of an operation at which a worker may die, for tests: built with PLUGFS_CRASH_POINTS, a process
// ends itself with SIGKILL when it comes to the step that was armed. Otherwise nothing of this is compiled.
//
//   1  the request has been taken from the kernel        6  the FUSE thread has learnt of the result
//   2  the operation is prepared                         7  the tree has been changed
//   3  noted as acting; the device is asked next         8  the kernel has the answer
//   4  the device has answered
//   5  the result is noted
//
// A driver that is made for such tests adds its own: 20 before the device acts, 21 after it.
#pragma once

#ifdef PLUGFS_CRASH_POINTS

#include <atomic>
#include <csignal>

namespace plugfs::kit::crash_points {

inline std::atomic<unsigned> armed = 0;

inline void reached(unsigned step) {
    if (armed.load() == step) {
        (void)::raise(SIGKILL);
    }
}

}  // namespace plugfs::kit::crash_points

#define PLUGFS_CRASH_POINT(step) ::plugfs::kit::crash_points::reached(step)
#else
#define PLUGFS_CRASH_POINT(step) static_cast<void>(0)
#endif
