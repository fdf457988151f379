// Who else has a device open: gvfs, a scanner program, a debugger bridge. One interface of a device has one user; when
// it is not us, a person wants to know who it is.
//
// Looks through /proc; an ordinary user sees only processes of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace plugfs {

struct DeviceHolder {
    pid_t pid = 0;
    std::string name;  // of the program, as the kernel has it: not made safe
    uid_t user = 0;
};

// The processes that have the file `path` (absolute, without links: a device node or any other) open, this one
// excepted; at most `limit`. Never touches the files themselves.
[[nodiscard]] std::vector<DeviceHolder> device_holders(const std::string& path, std::size_t limit = 8);

// "gvfsd-mtp" (process 123 of user 1000), ...; empty if there are none.
[[nodiscard]] std::string holders_text(const std::vector<DeviceHolder>& holders);

}  // namespace plugfs
