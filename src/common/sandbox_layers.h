// The layers of a worker's sandbox, by name: those that the supervisor puts around it before its program starts, those
// that the kit adds before the first byte from the device is read, and those that it adds when the driver has started.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace plugfs {

struct SandboxLayer {
    std::string name;
    std::string status;  // begins with "held", or says why it is not

    [[nodiscard]] bool held() const { return status.starts_with("held"); }
};
using SandboxLayers = std::vector<SandboxLayer>;

namespace layer {

// By the supervisor. "user": a user of its own, or (not as root) the same one without capabilities.
inline constexpr const char* user = "user";
inline constexpr const char* pid_namespace = "pid_namespace";
inline constexpr const char* mount_namespace = "mount_namespace";
inline constexpr const char* network_namespace = "network_namespace";
inline constexpr const char* ipc_namespace = "ipc_namespace";
inline constexpr const char* uts_namespace = "uts_namespace";
inline constexpr const char* cgroup_namespace = "cgroup_namespace";
inline constexpr const char* limits = "limits";
inline constexpr const char* memory = "memory";
// By the kit, before the device is read.
inline constexpr const char* no_new_privs = "no_new_privs";
inline constexpr const char* dumpable = "dumpable";
inline constexpr const char* empty_root = "empty_root";
inline constexpr const char* landlock = "landlock";
inline constexpr const char* seccomp = "seccomp";
// By the kit, when the driver has started.
inline constexpr const char* usbfs = "usbfs";
inline constexpr const char* seccomp_running = "seccomp_running";

inline constexpr std::array all = {
    user,   pid_namespace,  mount_namespace, network_namespace, ipc_namespace, uts_namespace, cgroup_namespace,
    limits, memory,         no_new_privs,    dumpable,          empty_root,    landlock,      seccomp,
    usbfs,  seccomp_running};

}  // namespace layer

// The environment variable that tells a worker which of its own layers to leave out: their names, separated by '+'.
inline constexpr const char* sandbox_without_variable = "PLUGFS_SANDBOX_WITHOUT";

}  // namespace plugfs
