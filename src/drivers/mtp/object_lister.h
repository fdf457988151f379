// ObjectLister: what is in a folder of the device, in parts.
//
// With GetObjectPropList a folder is one transaction. Devices that do not have it, or whose answer makes no sense, are
// asked for the handles and then for each object's info, some at a time, so that others get their turn. Which it is, is
// tried once for each device.
#pragma once

#include "drivers/mtp/datasets.h"
#include "drivers/mtp/session.h"

#include <plugfs/driver.h>

#include <list>
#include <vector>

namespace plugfs::mtp {

class ObjectLister {
  public:
    ObjectLister(Session& session, const DeviceInfo& info, Host& host);

    struct Part {
        std::vector<ObjectInfo> objects;
        std::uint64_t next = 0;  // 0: that was all
    };
    // The objects in `parent` (0: the root) of a storage. `cursor` as in Driver::list().
    Result<Part> list(std::uint32_t storage, std::uint32_t parent, std::uint64_t cursor);

    // One object.
    Result<ObjectInfo> info(std::uint32_t handle);

  private:
    // The handles of a folder that are still to be asked about.
    struct Unfinished {
        std::uint64_t number = 0;
        std::vector<std::uint32_t> handles;
        std::size_t at = 0;
    };
    Result<Part> list_by_properties(std::uint32_t parent);
    Result<Part> list_by_handles(std::uint32_t storage, std::uint32_t parent);
    Result<Part> go_on(Unfinished& folder);
    Result<void> complete_size(ObjectInfo& object);

    Session& session_;
    Host& host_;
    bool property_list_;
    bool property_value_;
    std::list<Unfinished> unfinished_;  // bounded; the oldest go
    std::uint64_t last_number_ = 0;
};

}  // namespace plugfs::mtp
