// Which layers of the sandbox hold on this machine: tried, not asked.
#pragma once

#include "common/sandbox_layers.h"
#include "supervisor/options.h"

#include <plugfs/result.h>

namespace plugfs {

// Starts plugfs-probe as a worker without a device, in the sandbox that drivers get, and returns what held. An error:
// it did not come that far, or did not answer within ten seconds.
[[nodiscard]] Result<SandboxLayers> check_sandbox(const Options& options);

}  // namespace plugfs
