// FuseConnections: what the kernel tells of FUSE file systems (fusectl): how many requests of one have no answer.
#pragma once

#include "common/unique_fd.h"

#include <optional>

namespace plugfs {

class FuseConnections {
  public:
    // As root on a mount of its own, which nobody else sees; otherwise where fusectl is mounted, if it is.
    FuseConnections();

    // How many requests of connection `number` (the minor number of the mount's device) wait for an answer, given out
    // to its server or not. Nothing: it cannot be known here.
    [[nodiscard]] std::optional<unsigned> waiting(unsigned number) const;

  private:
    UniqueFd directory_;
};

}  // namespace plugfs
