// ObjectLister: what is in a folder of the device, in parts.
//
// With GetObjectPropList a folder is one transaction. Devices that do not have it, or whose answer makes no sense, are
// asked for the handles and then for each object's info, about 20 ms at a time, so that others get their turn. Which it
// is, is tried once for each device. A transaction cannot be interrupted politely: a device that once took long over a
// list is asked for the number of objects first, and large folders of it go object by object, too.
//
// A folder contains what says that it lies there: an object that names another parent, another storage or itself is
// skipped and logged, so no answer of a device makes a circle.
#pragma once

#include "drivers/mtp/datasets.h"
#include "drivers/mtp/session.h"

#include <plugfs/driver.h>

#include <list>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace plugfs::mtp {

class ObjectLister {
  public:
    // All three must outlive it.
    ObjectLister(Session& session, const DeviceInfo& info, Host& host);

    struct Part {
        std::vector<ObjectInfo> objects;  // `storage_id` is set, `parent` is the folder's handle (0: the root)
        std::uint64_t next = 0;           // 0: that was all
        std::uint64_t listing = 0;        // a number of its own for all parts of one listing
    };
    // The objects in `parent` (0: the root) of a storage. `cursor` as in Driver::list(). After an error the same call
    // may be tried once more.
    Result<Part> list(std::uint32_t storage, std::uint32_t parent, std::uint64_t cursor);

    // One object. ENOENT: there is none with that handle (any more).
    Result<ObjectInfo> info(std::uint32_t handle);
    // What an object is called and how long it takes: Artist, Name, Duration, and more where lists_media() says that it
    // comes in one list, as with listings. Null: the device does not say.
    Result<std::shared_ptr<MediaProperties>> media(std::uint32_t handle);
    [[nodiscard]] bool lists_media() const { return property_list_ && object_property_list_; }
    // The folder that an object says it lies in: a handle, or 0 for the root of its storage. (On some devices the root
    // is an object of its own.)
    [[nodiscard]] std::uint32_t parent_of(const ObjectInfo& object) const;

    // After a new session: handles that are remembered mean nothing any more.
    void forget();

  private:
    struct Folder {
        std::uint64_t number = 0;  // the cursor
        std::uint32_t storage = 0;
        std::uint32_t parent = 0;
        std::vector<std::uint32_t> handles;  // to be asked about, or
        std::vector<ObjectInfo> objects;     // known already
        std::unordered_set<std::uint32_t> members;
        std::size_t at = 0;
        std::size_t skipped = 0;

        [[nodiscard]] std::size_t count() const { return std::max(handles.size(), objects.size()); }
    };
    bool by_properties(std::uint32_t storage, std::uint32_t parent);
    Result<std::vector<ObjectInfo>> property_list(std::uint32_t storage, std::uint32_t parent);
    Result<void> give_up_property_list(std::uint32_t parent, const Error& why);
    Result<std::vector<std::uint32_t>> handles(std::uint32_t storage, std::uint32_t parent);
    Folder& remember(Folder folder);
    Result<Part> go_on(Folder& folder);
    Result<ObjectInfo> next_object(Folder& folder);
    // True if the object belongs into the folder; otherwise it has been logged.
    bool accept(Folder& folder, ObjectInfo& object);
    void skip(Folder& folder, const std::string& why);
    Result<void> complete_size(ObjectInfo& object);
    Result<void> ask_size(ObjectInfo& object);
    Result<std::shared_ptr<MediaProperties>> media_by_list(std::uint32_t handle);
    Result<std::shared_ptr<MediaProperties>> media_by_values(std::uint32_t handle);

    Session& session_;
    Host& host_;
    bool property_list_;
    bool root_property_list_;
    bool object_property_list_;
    bool property_value_;
    bool gives_media_;
    bool number_of_objects_;
    bool root_is_zero_ = false;                 // GetObjectHandles wants 0 for the root and gives everything
    std::chrono::microseconds slow_object_{0};  // what one object in a list costs, where that has mattered
    std::unordered_map<std::uint32_t, std::uint32_t>
        root_objects_;              // handle of a root that is an object -> its storage
    std::list<Folder> unfinished_;  // bounded; the oldest go
    std::uint64_t last_number_ = 0;
};

}  // namespace plugfs::mtp
