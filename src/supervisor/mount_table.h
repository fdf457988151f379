// The kernel's table of mounts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plugfs {

struct MountEntry {
    std::string path;
    std::string type;    // "fuse.plugfs-mtp"
    std::string source;  // what was mounted; "plugfs" for ours
    unsigned major = 0;  // device numbers of the mounted file system
    unsigned minor = 0;
};

// Reads one line of /proc/PID/mountinfo (proc(5)); an empty path when it is none.
[[nodiscard]] MountEntry parse_mountinfo_line(std::string_view line);

// The mounts on `path` and below it, the newest first, which is the order to unmount them in.
[[nodiscard]] std::vector<MountEntry> mounts_below(const std::string& path);

}  // namespace plugfs
