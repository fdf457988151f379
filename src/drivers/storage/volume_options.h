// How a volume is to be served.
#pragma once

#include "drivers/storage/volume_kind.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace plugfs::storage {

struct VolumeOptions {
    bool read_only = false;
    // Should it be marked as not closed properly, then by a predecessor of this process, whose work goes on: it is
    // taken for well, and the mark goes when the volume is settled.
    bool mark_is_ours = false;
    // Minutes that local time is ahead of UTC: FAT has local times, exFAT says so with each time that is set.
    int utc_offset = 0;
    // What the bytes of FAT's short names mean: 437 or 850.
    unsigned code_page = 437;
    // Seconds since 1970-01-01 UTC; not given: the clock's.
    std::function<std::int64_t()> now = nullptr;
    // Besides those that every build knows.
    std::vector<VolumeKind> more_kinds = {};
    // File systems (foreign_type()) that another program of this driver serves, which is about to take over.
    std::vector<std::string> served_elsewhere = {};
};

}  // namespace plugfs::storage
