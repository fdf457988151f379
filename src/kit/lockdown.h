// Lockdown: gives up everything that a worker does not need, in two steps: before the first byte from the device is
// read, and again when the driver has started.
//
// In named layers (common/sandbox_layers.h), so that a kernel that lacks one can say which. A layer that the kernel
// does not know, or that the supervisor has told to leave out, is reported and left out; one that fails for another
// reason ends the start.
#pragma once

#include "common/sandbox_layers.h"
#include "usb/backend.h"

#include <plugfs/result.h>

namespace plugfs::kit {

// Locks the calling process and all threads it will start. Call it before there are threads.
Result<SandboxLayers> lock_down();

// The driver has started, and all threads are there: no more of them, no new memory that is shared, no new descriptors
// but copies; the device can be used as it was claimed, and not otherwise. For all threads. `backend` may be null:
// there is no device.
Result<SandboxLayers> tighten(usb::Backend* backend);

}  // namespace plugfs::kit
