#include "drivers/mtp/object_lister.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {
constexpr std::chrono::milliseconds part_time{20};
constexpr std::size_t unfinished_limit = 16;
constexpr std::size_t object_limit = 1'000'000;
constexpr std::uint64_t no_parent = 0;
}  // namespace

ObjectLister::ObjectLister(Session& session, const DeviceInfo& info, Host& host)
    : session_(session),
      host_(host),
      property_list_(info.supports(operation::get_object_prop_list)),
      property_value_(info.supports(operation::get_object_prop_value)) {}

Result<ObjectLister::Part> ObjectLister::list(std::uint32_t storage, std::uint32_t parent, std::uint64_t cursor) {
    if (cursor != 0) {
        const auto found = std::find_if(unfinished_.begin(), unfinished_.end(),
                                        [cursor](const auto& item) { return item.number == cursor; });
        return found == unfinished_.end() ? Result<Part>(fail(ESTALE, "list", "that listing was forgotten"))
                                          : go_on(*found);
    }
    // A list by properties has no parameter for the storage: the root, where storages differ, is asked for by handles.
    if (property_list_ && parent != no_parent) {
        auto part = list_by_properties(parent);
        if (part || part.error().code == ENODEV) {
            return part;
        }
        host_.log(LogLevel::warning, part.error().text() + "; listing object by object from now on");
        property_list_ = false;
        PLUGFS_TRY(session_.recover());
    }
    return list_by_handles(storage, parent);
}

Result<ObjectLister::Part> ObjectLister::list_by_properties(std::uint32_t parent) {
    constexpr std::uint32_t any_format = 0;
    constexpr std::uint32_t no_group = 0;
    constexpr std::uint32_t children_only = 1;
    PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_prop_list,
                                                       {parent, any_format, all_properties, no_group, children_only}));
    PLUGFS_ASSIGN(auto objects, parse_object_prop_list(dataset));
    // Depth 1 may include the folder itself.
    std::erase_if(objects,
                  [parent](const ObjectInfo& object) { return object.handle == parent || object.handle == 0; });
    for (auto& object : objects) {
        if (object.filename.empty()) {
            return fail(EIO, "GetObjectPropList", "an object without ObjectFileName");
        }
        PLUGFS_TRY(complete_size(object));
    }
    return Part{std::move(objects), 0};
}

Result<ObjectLister::Part> ObjectLister::list_by_handles(std::uint32_t storage, std::uint32_t parent) {
    constexpr std::uint32_t any_format = 0;
    PLUGFS_ASSIGN(const auto dataset,
                  session_.dataset(operation::get_object_handles,
                                   {storage, any_format, parent == no_parent ? root_parent : parent}));
    PLUGFS_ASSIGN(auto handles, parse_handles("GetObjectHandles", dataset));
    if (handles.size() > object_limit) {
        return fail(EIO, "GetObjectHandles", std::to_string(handles.size()) + " objects in a folder");
    }
    if (unfinished_.size() >= unfinished_limit) {
        unfinished_.pop_front();
    }
    unfinished_.push_back({++last_number_, std::move(handles), 0});
    return go_on(unfinished_.back());
}

Result<ObjectLister::Part> ObjectLister::go_on(Unfinished& folder) {
    const auto deadline = Deadline::after(part_time);
    const auto forget = [this, number = folder.number] {
        unfinished_.remove_if([number](const Unfinished& item) { return item.number == number; });
    };
    Part part;
    while (folder.at < folder.handles.size() && (part.objects.empty() || !deadline.expired())) {
        const std::uint32_t handle = folder.handles[folder.at++];
        if (handle == 0 || handle == root_parent) {
            host_.log(LogLevel::warning, "GetObjectHandles: skipped object handle " + std::to_string(handle));
            continue;
        }
        auto object = info(handle);
        if (object) {
            part.objects.push_back(std::move(*object));
        } else if (object.error().code == ENOENT) {
            continue;  // removed meanwhile
        } else {
            forget();
            return object.error();
        }
    }
    if (folder.at < folder.handles.size()) {
        part.next = folder.number;
    } else {
        forget();
    }
    return part;
}

Result<ObjectInfo> ObjectLister::info(std::uint32_t handle) {
    PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_info, {handle}, std::size_t{64} << 10U));
    PLUGFS_ASSIGN(auto object, parse_object_info(handle, dataset));
    PLUGFS_TRY(complete_size(object));
    return object;
}

Result<void> ObjectLister::complete_size(ObjectInfo& object) {
    if (object.folder()) {
        object.size = 0;
        return {};
    }
    if (object.size_known || !property_value_) {
        return {};
    }
    const auto dataset =
        session_.dataset(operation::get_object_prop_value, {object.handle, object_property::object_size}, 64);
    if (!dataset) {
        // Then 4 GiB less a byte is what there is to read.
        return dataset.error().code == ENOTSUP ? Result<void>() : Result<void>(dataset.error());
    }
    ByteReader reader(*dataset);
    const std::uint64_t size = dataset->size() >= 8 ? reader.u64le() : reader.u32le();
    if (!reader.ok()) {
        return fail(EIO, "GetObjectPropValue", "ObjectSize in " + std::to_string(dataset->size()) + " bytes");
    }
    object.size = size;
    object.size_known = true;
    return {};
}

}  // namespace plugfs::mtp
