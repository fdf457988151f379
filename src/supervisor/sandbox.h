// Sandbox: what the supervisor puts around a worker before its program starts, and what it knows of it.
#pragma once

#include "common/sandbox_layers.h"
#include "supervisor/launch.h"
#include "supervisor/memory_group.h"
#include "supervisor/sandbox_options.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>

namespace plugfs {

class Sandbox {
  public:
    // Says in the log what is left out, and why there is no memory group.
    explicit Sandbox(SandboxOptions options);

    [[nodiscard]] const SandboxOptions& options() const { return options_; }

    // A worker's own part of it.
    struct Around {
        std::shared_ptr<MemoryGroup> memory;  // to be kept until all its processes have been reaped
        std::string memory_problem;
    };
    // Puts everything into the plan. `user`: who it becomes, when started as root.
    [[nodiscard]] Around surround(LaunchPlan& plan, std::optional<uid_t> user) const;
    // What holds, now that it runs. EPERM, naming the layer: not everything, and it is required.
    [[nodiscard]] Result<SandboxLayers> layers(const Around& around, const LaunchPlan& plan,
                                               const Process& process) const;

  private:
    SandboxOptions options_;
    std::unique_ptr<MemoryGroups> groups_;
    std::string no_groups_;  // why
};

// What a worker says of its own layers ({"landlock":"held",..}): unknown ones are left out, text is cut and made safe.
[[nodiscard]] SandboxLayers layers_from_json(const nlohmann::json& object);

// "landlock (not supported by this kernel), seccomp (not reported)": those of layer::all that are not held or not
// there. Empty: all hold.
[[nodiscard]] std::string missing_layers(const SandboxLayers& layers);

// One a line, "landlock: held", in the order of layer::all.
[[nodiscard]] std::string layers_text(const SandboxLayers& layers);

}  // namespace plugfs
