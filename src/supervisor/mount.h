// Mounting a FUSE file system and taking it down again, as root with mount(2), as a user through fusermount3.
#pragma once

#include "common/unique_fd.h"
#include "common/vault.h"

#include <plugfs/result.h>

#include <string>

namespace plugfs {

struct MountOptions {
    bool allow_other = false;
    bool read_only = true;
    std::string subtype;  // shows as "fuse.<subtype>" in the mount table
    std::string source = "plugfs";
};

// Mounts on `path`, which must be a directory, and returns the /dev/fuse descriptor (non-blocking). The mount lasts as
// long as somebody holds the descriptor, or until unmount(). Mounts are nosuid, nodev, noexec, as root nosymfollow, and
// the kernel checks permissions (default_permissions). EPERM: not root and fusermount3 did not want to; the detail has
// its words.
[[nodiscard]] Result<UniqueFd> mount_fuse(const std::string& path, const MountOptions& options);

// Detaches whatever is mounted on `path` at once; what is still open there ends when the descriptor's holders are done.
// EINVAL: nothing is mounted.
[[nodiscard]] Result<void> unmount(const std::string& path);

// Reads the kernel's FUSE_INIT, which waits since the mount, into the vault. ETIMEDOUT after a second.
[[nodiscard]] Result<void> record_init(int fuse, VaultHeader& vault);

// Lets the kernel read ahead 1 MiB on the file system that is mounted on `path`, whose device number is `device`. As
// root; otherwise it stays at 128 KiB.
void widen_read_ahead(unsigned device_major, unsigned device_minor);

}  // namespace plugfs
