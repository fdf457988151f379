#include "kit/freed_memory.h"

#include <malloc.h>

namespace plugfs::kit {

FreedMemory::FreedMemory() : last_used_(Clock::now()) {
    (void)::mallopt(M_MMAP_THRESHOLD, int{limit});
    (void)::mallopt(M_TRIM_THRESHOLD, int{limit});
}

void FreedMemory::used(Clock::time_point now) {
    last_used_ = now;
    kept_ = true;
}

bool FreedMemory::idle(Clock::time_point now) {
    if (!kept_ || now - last_used_ < idle_time) {
        return false;
    }
    kept_ = false;
    return ::malloc_trim(0) != 0;
}

}  // namespace plugfs::kit
