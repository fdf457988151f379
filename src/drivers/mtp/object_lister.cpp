#include "drivers/mtp/object_lister.h"

#include "drivers/mtp/property_value.h"

#include <algorithm>

namespace plugfs::mtp {

namespace {

constexpr std::chrono::milliseconds part_time{20};
// A list of properties that takes longer than this holds others up.
constexpr std::chrono::milliseconds long_list{250};
constexpr std::size_t unfinished_limit = 16;
// Objects known already are handed on in parts of this many.
constexpr std::size_t part_limit = 2048;
// Log lines for one folder, and roots that are objects.
constexpr std::size_t line_limit = 8;
constexpr std::size_t root_object_limit = 64;
constexpr std::uint32_t in_root = 0;

bool is_handle(std::uint32_t handle) {
    return handle != 0 && handle != root_parent;
}

}  // namespace

ObjectLister::ObjectLister(Session& session, const DeviceInfo& info, Host& host)
    : session_(session),
      host_(host),
      property_list_(info.supports(operation::get_object_prop_list)),
      root_property_list_(property_list_),
      object_property_list_(property_list_),
      property_value_(info.supports(operation::get_object_prop_value)),
      gives_media_(property_list_ || property_value_),
      number_of_objects_(info.supports(operation::get_num_objects)) {}

void ObjectLister::forget() {
    unfinished_.clear();
    root_objects_.clear();
}

Result<ObjectLister::Part> ObjectLister::list(std::uint32_t storage, std::uint32_t parent, std::uint64_t cursor) {
    if (cursor != 0) {
        const auto found = std::find_if(unfinished_.begin(), unfinished_.end(), [=](const auto& item) {
            return item.number == cursor && item.storage == storage && item.parent == parent;
        });
        return found == unfinished_.end() ? Result<Part>(fail(ESTALE, "list", "that listing was forgotten"))
                                          : go_on(*found);
    }
    if (by_properties(storage, parent)) {
        auto objects = property_list(storage, parent);
        if (objects) {
            return go_on(remember({.storage = storage, .parent = parent, .objects = std::move(*objects)}));
        }
        const bool said_no = session_.failure() == Session::Failure::refused;
        const int code = objects.error().code;
        if (code == ENODEV || (said_no && (code == ENOENT || code == EBUSY || code == ECONNRESET))) {
            return objects.error();  // nothing that another operation would answer better
        }
        PLUGFS_TRY(give_up_property_list(parent, objects.error()));
    }
    PLUGFS_ASSIGN(auto found, handles(storage, parent));
    return go_on(remember({.storage = storage, .parent = parent, .handles = std::move(found)}));
}

bool ObjectLister::by_properties(std::uint32_t storage, std::uint32_t parent) {
    if (!property_list_ || (parent == in_root && !root_property_list_)) {
        return false;
    }
    if (slow_object_.count() == 0 || !number_of_objects_) {
        return true;
    }
    const auto number =
        session_.command(operation::get_num_objects, {storage, any_format, parent == in_root ? root_parent : parent});
    return !number || number->parameters[0] * slow_object_ < long_list;
}

Result<std::vector<ObjectInfo>> ObjectLister::property_list(std::uint32_t storage, std::uint32_t parent) {
    constexpr std::uint32_t no_group = 0;
    constexpr std::uint32_t children_only = 1;
    const auto began = Deadline::Clock::now();
    PLUGFS_ASSIGN(const auto dataset, session_.dataset(operation::get_object_prop_list,
                                                       {parent, any_format, all_properties, no_group, children_only}));
    PLUGFS_ASSIGN(auto objects, parse_object_prop_list(dataset));
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Deadline::Clock::now() - began);
    if (took > long_list && !objects.empty()) {
        const auto each = took.count() / static_cast<std::int64_t>(objects.size());
        slow_object_ = std::chrono::microseconds(std::max<std::int64_t>(each, 1));
    }
    if (parent != in_root) {
        // Depth 1 may include the folder itself.
        std::erase_if(objects, [parent](const ObjectInfo& object) { return object.handle == parent; });
        return objects;
    }
    // The operation has no parameter for the storage: roots of all of them are listed together.
    std::unordered_set<std::uint32_t> members;
    for (const auto& object : objects) {
        members.insert(object.handle);
    }
    for (const auto& object : objects) {
        if (object.storage_id == 0) {
            return fail(EIO, "GetObjectPropList", "object " + std::to_string(object.handle) + " without StorageID");
        }
        if (object.parent && members.count(*object.parent) != 0) {
            return fail(EIO, "GetObjectPropList",
                        "object " + std::to_string(object.handle) + " of the folder " + std::to_string(*object.parent) +
                            " in the list of the root");
        }
    }
    std::erase_if(objects, [storage](const ObjectInfo& object) { return object.storage_id != storage; });
    return objects;
}

Result<void> ObjectLister::give_up_property_list(std::uint32_t parent, const Error& why) {
    const bool only_root = parent == in_root && session_.failure() != Session::Failure::silent;
    host_.log(LogLevel::warning, why.text() + (only_root ? "; listing the root object by object from now on"
                                                         : "; listing object by object from now on"));
    (only_root ? root_property_list_ : property_list_) = false;
    const auto failure = session_.failure();
    const bool well = failure == Session::Failure::refused || failure == Session::Failure::none;
    return well ? Result<void>() : session_.recover();
}

Result<std::vector<std::uint32_t>> ObjectLister::handles(std::uint32_t storage, std::uint32_t parent) {
    const std::uint32_t root = root_is_zero_ ? 0 : root_parent;
    auto dataset =
        session_.dataset(operation::get_object_handles, {storage, any_format, parent == in_root ? root : parent});
    if (!dataset && parent == in_root && !root_is_zero_ && session_.failure() == Session::Failure::refused) {
        auto everything = session_.dataset(operation::get_object_handles, {storage, any_format, 0});
        if (everything) {
            host_.log(LogLevel::warning, dataset.error().text() + "; asking for all objects to find those in the root");
            root_is_zero_ = true;
        }
        dataset = std::move(everything);
    }
    if (!dataset) {
        return dataset.error();
    }
    PLUGFS_ASSIGN(auto found, parse_handles("GetObjectHandles", *dataset));
    if (found.size() > object_limit) {
        return fail(EIO, "GetObjectHandles", std::to_string(found.size()) + " objects in a folder");
    }
    return found;
}

ObjectLister::Folder& ObjectLister::remember(Folder folder) {
    folder.number = ++last_number_;
    folder.members.reserve(folder.count());
    // What comes twice is listed once.
    std::erase_if(folder.handles, [&folder](std::uint32_t handle) { return !folder.members.insert(handle).second; });
    for (const auto& object : folder.objects) {
        folder.members.insert(object.handle);
    }
    std::size_t items = folder.count();
    for (const auto& other : unfinished_) {
        items += other.count();
    }
    while (!unfinished_.empty() && (unfinished_.size() >= unfinished_limit || items > object_limit)) {
        items -= unfinished_.front().count();
        unfinished_.pop_front();
    }
    unfinished_.push_back(std::move(folder));
    return unfinished_.back();
}

Result<ObjectLister::Part> ObjectLister::go_on(Folder& folder) {
    const auto deadline = Deadline::after(part_time);
    Part part;
    part.listing = folder.number;
    // What is skipped takes the device's time, too: a part may be empty, but one object further it gets.
    const std::size_t began_at = folder.at;
    const auto full = [&] { return part.objects.size() >= part_limit || (folder.at > began_at && deadline.expired()); };
    for (; folder.at < folder.count() && !full(); ++folder.at) {
        auto object = next_object(folder);
        if (object) {
            if (accept(folder, *object)) {
                part.objects.push_back(std::move(*object));
            }
            continue;
        }
        const auto failure = session_.failure();
        if (failure == Session::Failure::none || (failure == Session::Failure::refused &&
                                                  object.error().code != ECONNRESET && object.error().code != EBUSY)) {
            if (object.error().code != ENOENT) {  // removed meanwhile: nothing to be said
                skip(folder, object.error().text());
            }
            continue;
        }
        // What is there is handed on; the error comes back with the next part.
        if (part.objects.empty()) {
            return object.error();
        }
        break;
    }
    part.next = folder.at < folder.count() ? folder.number : 0;
    if (part.next == 0) {
        if (folder.skipped > line_limit) {
            host_.log(LogLevel::warning, std::to_string(folder.skipped) + " objects skipped in this folder");
        }
        unfinished_.remove_if([number = folder.number](const Folder& item) { return item.number == number; });
    }
    return part;
}

// A failure that is none of the session's is the dataset's.
Result<ObjectInfo> ObjectLister::next_object(Folder& folder) {
    if (folder.objects.empty()) {
        const std::uint32_t handle = folder.handles[folder.at];
        if (!is_handle(handle)) {
            return fail(EIO, "GetObjectHandles", "object handle is " + std::to_string(handle));
        }
        return info(handle);
    }
    ObjectInfo object = folder.objects[folder.at];
    if (!is_handle(object.handle)) {
        return fail(EIO, "GetObjectPropList", "object handle is " + std::to_string(object.handle));
    }
    // A list may leave properties out.
    const bool no_size = !object.folder() && !object.size_known && !property_value_;
    if (object.filename.empty() || object.object_format == 0 || no_size) {
        return info(object.handle);
    }
    PLUGFS_TRY(complete_size(object));
    return object;
}

bool ObjectLister::accept(Folder& folder, ObjectInfo& object) {
    // Only where something is to be said: most objects are as they should be.
    const auto who = [&object] {
        return "object " + std::to_string(object.handle) + " " + plugfs::quoted(object.filename) + ": ";
    };
    const std::uint32_t parent = object.parent.value_or(folder.parent);
    if (parent == object.handle || object.handle == folder.parent) {
        skip(folder, who() + "ParentObject is the object itself");
        return false;
    }
    if (object.storage_id != 0 && object.storage_id != folder.storage) {
        skip(folder, who() + "StorageID is " + std::to_string(object.storage_id) + ", listed in " +
                         std::to_string(folder.storage));
        return false;
    }
    if (folder.parent != in_root && parent != folder.parent) {
        skip(folder,
             who() + "ParentObject is " + std::to_string(parent) + ", listed in " + std::to_string(folder.parent));
        return false;
    }
    if (folder.parent == in_root && folder.members.count(parent) != 0) {
        if (!root_is_zero_) {
            skip(folder, who() + "ParentObject is " + std::to_string(parent) + ", listed in the root");
        }
        return false;
    }
    if (folder.parent == in_root && is_handle(parent) && parent != folder.storage &&
        root_objects_.size() < root_object_limit) {
        root_objects_[parent] = folder.storage;
    }
    if (object.damaged_name && folder.skipped < line_limit) {
        host_.log(LogLevel::info, who() + "the name is no valid UTF-16");
    }
    object.storage_id = folder.storage;
    object.parent = folder.parent;
    return true;
}

std::uint32_t ObjectLister::parent_of(const ObjectInfo& object) const {
    const std::uint32_t parent = object.parent.value_or(in_root);
    const auto root = root_objects_.find(parent);
    const bool is_root = !is_handle(parent) || parent == object.storage_id ||
                         (root != root_objects_.end() && root->second == object.storage_id);
    return is_root ? in_root : parent;
}

void ObjectLister::skip(Folder& folder, const std::string& why) {
    if (++folder.skipped <= line_limit) {
        host_.log(LogLevel::warning, "skipped: " + why);
    }
}

}  // namespace plugfs::mtp
