// Whether an operation that a dead worker had begun has taken effect: looked up on the device, name by name from its
// root, before anything else is asked of it.
#pragma once

#include "kit/operation_log.h"

#include <plugfs/driver.h>

namespace plugfs::kit {

struct OperationTrace {
    bool took_effect = false;
    // What is there now: the entry that was made, or the renamed one in its new place.
    std::optional<Entry> entry;
};

// On the device thread, after the driver's start. Errors are the driver's.
[[nodiscard]] Result<OperationTrace> search_for(Driver& driver, const Operation& operation);

}  // namespace plugfs::kit
