// What is done to a volume before its power is cut, and what must be true afterwards.
#pragma once

#include "drivers/storage/model.h"

#include <span>
#include <string>
#include <vector>

namespace plugfs::test {

// What must be true if the power goes between two events.
struct Moment {
    std::size_t event;                 // the first that belongs to the operation
    Tree flushed;                      // before it
    std::vector<std::string> touched;  // by it
};

// Random operations on `volume`, which is on `device`, with the moments between them. The device records them.
std::vector<Moment> work(ImageDevice& device, storage::Volume& volume, unsigned seed, unsigned operations);

// That what was flushed is there as it was. `moments`: those whose operations have begun by the time of the cut.
void check_flushed(storage::Volume& volume, std::span<const Moment> moments);

}  // namespace plugfs::test
