// What happens when a worker ends, hangs, or its device is unplugged; set with -o.
#pragma once

#include <chrono>

namespace plugfs {

struct RecoveryOptions {
    // A successor takes the mount over, and open files go on; otherwise it is mounted anew after every crash.
    bool takeover = true;
    // So many crashes within so long a time, and the device is left alone; 0: never.
    unsigned crash_limit = 5;
    std::chrono::seconds crash_window{60};
    // How long an unplugged device may be away before its folder goes; 0: it goes at once.
    std::chrono::milliseconds grace{5000};
    // Without a sign of life for so long, a worker is taken to hang; 0: never. For the driver's own thread, which may
    // sit in a slow system call, five times as long.
    std::chrono::milliseconds hang_time{2000};
};

}  // namespace plugfs
