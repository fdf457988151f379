// What lies where on a disk: MBR with logical partitions, GPT, or no table at all.
#pragma once

#include "drivers/storage/block_device.h"

#include <string>
#include <vector>

namespace plugfs::storage {

struct Partition {
    // As Linux counts: sda1 is 1, logical ones begin at 5. 0: the disk has no table, all of it is one volume.
    unsigned number = 0;
    std::uint64_t offset = 0;  // bytes; with `length` within the device, and not empty
    std::uint64_t length = 0;
    std::string type;  // MBR: "0x0c"; GPT: the type's GUID in lower case; empty without a table
    std::string name;  // GPT: UTF-8, as it is there; empty if there is none
};

// In the order of their numbers; those that lie outside the device are left out. At most 128. An empty list: there is a
// table, and nothing in it. ENODATA: neither a table nor anything that looks like a file system. EIO and the like: the
// device.
[[nodiscard]] Result<std::vector<Partition>> read_partitions(BlockDevice& device);

}  // namespace plugfs::storage
