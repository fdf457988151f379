// NodeStatus: what stat(2) says of an entry.
#pragma once

#include "kit/session.h"
#include "kit/tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>

namespace plugfs::kit {

// Whose the files are.
struct Ownership {
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t umask = 022;
};

class NodeStatus {
  public:
    explicit NodeStatus(Ownership ownership);

    [[nodiscard]] struct stat of(const Node& node) const;
    // For an answer that gives the kernel a reference.
    [[nodiscard]] fuse_entry_param entry(const Node& node) const;
    void answer(fuse_req_t request, const Node& node) const;

    // Whether the device can be written to.
    [[nodiscard]] bool writable() const { return writable_; }
    void set_writable(bool writable) { writable_ = writable; }
    // How many bytes are best asked for at once: of the driver, too.
    [[nodiscard]] std::size_t read_size() const { return read_size_; }
    void set_read_size(std::size_t bytes) { read_size_ = std::clamp<std::size_t>(bytes, 4096, std::size_t{4} << 20U); }
    // When this process began: the time of what has none.
    [[nodiscard]] const timespec& began() const { return began_; }

  private:
    Ownership ownership_;
    bool writable_ = false;
    std::size_t read_size_ = std::size_t{1} << 20U;
    timespec began_{};
};

}  // namespace plugfs::kit
