// ObjectStore: what the initiator changes. The folders on this machine change with it.

#include "virtual/player/object_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace plugfs::virtual_usb {

namespace fs = std::filesystem;

namespace {

// What a file on this machine can be called, and stays in its folder.
bool fit_name(const std::string& name) {
    return !name.empty() && name.size() <= 255 && name != "." && name != ".." && name.find('/') == std::string::npos &&
           name.find('\0') == std::string::npos;
}

}  // namespace

Result<fs::path> ObjectStore::place(std::uint32_t storage_id, std::uint32_t parent, const std::string& name) {
    const Storage* store = storage(storage_id);
    const StoredObject* folder = parent == 0 ? nullptr : find(parent);
    if (store == nullptr || (parent != 0 && (folder == nullptr || !folder->folder || folder->storage != storage_id))) {
        return fail(ENOENT, "object", "no such folder");
    }
    if (!fit_name(name)) {
        return fail(EINVAL, "object", "name " + name);
    }
    const fs::path path = (folder == nullptr ? store->root : folder->path) / name;
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
        return fail(EEXIST, "object", name);
    }
    return path;
}

Result<std::uint32_t> ObjectStore::make(std::uint32_t storage, std::uint32_t parent, const std::string& name,
                                        bool folder) {
    PLUGFS_ASSIGN(const auto path, place(storage, parent, name));
    const UniqueFd file(folder ? -1 : ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (folder ? ::mkdir(path.c_str(), 0755) != 0 : !file) {
        return fail(errno, "object", name);
    }
    const std::uint32_t handle = handle_for(storage, parent, path);
    return handle != 0 ? Result<std::uint32_t>(handle) : fail(EIO, "object", name);
}

Result<std::uint32_t> ObjectStore::copy(std::uint32_t handle, std::uint32_t storage, std::uint32_t parent) {
    const auto* object = find(handle);
    if (object == nullptr) {
        return fail(ENOENT, "object");
    }
    const fs::path from = object->path;
    PLUGFS_ASSIGN(const auto to, place(storage, parent, object->name));
    if (to.string().starts_with(from.string() + "/")) {
        return fail(EINVAL, "object", "a folder into itself");
    }
    std::error_code error;
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
    if (!error) {
        fs::last_write_time(to, fs::last_write_time(from, error), error);
    }
    if (error) {
        std::error_code ignored;
        fs::remove_all(to, ignored);
        return fail(error.value(), "object", from.filename().string());
    }
    const std::uint32_t made = handle_for(storage, parent, to);
    return made != 0 ? Result<std::uint32_t>(made) : fail(EIO, "object", from.filename().string());
}

bool ObjectStore::remove(std::uint32_t handle) {
    const auto* object = find(handle);
    if (object == nullptr) {
        return false;
    }
    const fs::path path = object->path;
    std::error_code error;
    fs::remove_all(path, error);
    forget_below(path);
    return !error;
}

void ObjectStore::forget_below(const fs::path& top) {
    const std::string prefix = top.string() + "/";
    std::erase_if(by_path_, [&](const auto& item) {
        const bool goes = item.first == top || item.first.string().starts_with(prefix);
        if (goes) {
            objects_.erase(item.second);
        }
        return goes;
    });
}

Result<void> ObjectStore::move(std::uint32_t handle, std::uint32_t storage_id, std::uint32_t parent,
                               const std::string& name) {
    const auto* object = find(handle);
    if (object == nullptr) {
        return fail(ENOENT, "object");
    }
    const fs::path from = object->path;
    PLUGFS_ASSIGN(const auto to, place(storage_id, parent, name));
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return fail(errno, "object", name);
    }
    // Everything below keeps its handle, too.
    const std::string prefix = from.string() + "/";
    std::map<fs::path, std::uint32_t> paths;
    for (const auto& [path, number] : by_path_) {
        const bool below = path.string().starts_with(prefix);
        const fs::path now = path == from ? to : (below ? to / path.lexically_relative(from) : path);
        auto& each = objects_.at(number);
        each.path = now;
        each.storage = path == from || below ? storage_id : each.storage;
        paths.emplace(now, number);
    }
    by_path_ = std::move(paths);
    for (auto& [watch, watched] : watched_) {
        if (watched.path == from || watched.path.string().starts_with(prefix)) {
            watched.path = watched.path == from ? to : to / watched.path.lexically_relative(from);
        }
    }
    auto& moved = objects_.at(handle);
    moved.parent = parent;
    moved.name = name;
    return {};
}

}  // namespace plugfs::virtual_usb
