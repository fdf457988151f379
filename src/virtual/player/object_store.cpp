#include "virtual/player/object_store.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace plugfs::virtual_usb {

namespace fs = std::filesystem;

Result<std::unique_ptr<ObjectStore>> ObjectStore::create() {
    UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch) {
        return fail(errno, "inotify_init1");
    }
    return std::unique_ptr<ObjectStore>(new ObjectStore(std::move(watch)));
}

Result<std::uint32_t> ObjectStore::add_storage(const std::string& name, const fs::path& root) {
    std::error_code error;
    const auto path = fs::canonical(root, error);
    if (error || !fs::is_directory(path, error)) {
        return fail(ENOTDIR, "storage " + root.string());
    }
    // PTP 8.1: physical store in the upper half, logical one in the lower.
    const std::uint32_t last = storages_.empty() ? 0 : storages_.back().id >> 16U;
    storages_.push_back({((last + 1) << 16U) | 1U, name, path});
    return storages_.back().id;
}

bool ObjectStore::remove_storage(std::uint32_t id) {
    return std::erase_if(storages_, [id](const Storage& storage) { return storage.id == id; }) != 0;
}

const ObjectStore::Storage* ObjectStore::storage(std::uint32_t id) const {
    const auto found =
        std::find_if(storages_.begin(), storages_.end(), [id](const Storage& storage) { return storage.id == id; });
    return found == storages_.end() ? nullptr : &*found;
}

void ObjectStore::new_handles() {
    for (const auto& [watch, folder] : watched_) {
        (void)::inotify_rm_watch(watch_.get(), watch);
    }
    watched_.clear();
    objects_.clear();
    by_path_.clear();
    // Not back to 1: a driver that kept a handle of an earlier session must not get away with it.
    next_handle_ += 1000;
}

bool ObjectStore::refresh(StoredObject& object) const {
    struct statx status {};
    constexpr unsigned wanted = STATX_TYPE | STATX_SIZE | STATX_MTIME | STATX_INO | STATX_BTIME;
    if (::statx(AT_FDCWD, object.path.c_str(), AT_SYMLINK_NOFOLLOW, wanted, &status) != 0 ||
        !(S_ISREG(status.stx_mode) || S_ISDIR(status.stx_mode))) {
        return false;
    }
    object.folder = S_ISDIR(status.stx_mode);
    object.size = object.folder ? 0 : status.stx_size;
    object.modified = status.stx_mtime.tv_sec;
    // Stays when it is renamed; the second half because inodes are used again.
    object.identity = {status.stx_ino,
                       (static_cast<std::uint64_t>(status.stx_btime.tv_sec) << 32U) | status.stx_btime.tv_nsec};
    return true;
}

std::uint32_t ObjectStore::handle_for(std::uint32_t storage, std::uint32_t parent, const fs::path& path) {
    if (const auto found = by_path_.find(path); found != by_path_.end()) {
        return found->second;
    }
    StoredObject object;
    object.handle = next_handle_;
    object.parent = parent;
    object.storage = storage;
    object.name = path.filename();
    object.path = path;
    if (!refresh(object)) {
        return 0;
    }
    ++next_handle_;
    by_path_[path] = object.handle;
    return objects_.emplace(object.handle, std::move(object)).first->first;
}

std::vector<std::uint32_t> ObjectStore::list(std::uint32_t storage_id, std::uint32_t parent) {
    const Storage* store = storage(storage_id);
    const StoredObject* folder = parent == 0 ? nullptr : find(parent);
    const bool known = parent == 0 || (folder != nullptr && folder->folder && folder->storage == storage_id);
    if (store == nullptr || !known) {
        return {};
    }
    const fs::path path = folder == nullptr ? store->root : folder->path;
    const int watch = ::inotify_add_watch(
        watch_.get(), path.c_str(), IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
    if (watch >= 0) {
        watched_[watch] = {storage_id, parent, path};
    }
    std::vector<fs::path> paths;
    std::error_code error;
    for (const auto& item : fs::directory_iterator(path, error)) {
        paths.push_back(item.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::uint32_t> handles;
    for (const auto& item : paths) {
        if (const auto handle = handle_for(storage_id, parent, item); handle != 0) {
            handles.push_back(handle);
        }
    }
    return handles;
}

std::uint32_t ObjectStore::find_path(std::uint32_t storage_id, const fs::path& path) {
    std::uint32_t at = 0;
    for (const auto& name : path) {
        const auto handles = list(storage_id, at);
        const auto found = std::find_if(handles.begin(), handles.end(),
                                        [&](std::uint32_t handle) { return objects_.at(handle).name == name; });
        if (found == handles.end()) {
            return 0;
        }
        at = *found;
    }
    return at;
}

const StoredObject* ObjectStore::find(std::uint32_t handle) {
    const auto found = objects_.find(handle);
    return found != objects_.end() && refresh(found->second) ? &found->second : nullptr;
}

std::vector<ObjectStore::Change> ObjectStore::changes() {
    std::vector<Change> list;
    alignas(inotify_event) std::array<char, 16384> buffer{};
    ssize_t length = 0;
    while ((length = ::read(watch_.get(), buffer.data(), buffer.size())) > 0) {
        for (ssize_t at = 0; at < length;) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const std::string name = event.len > 0 ? buffer.data() + at + sizeof event : "";
            at += static_cast<ssize_t>(sizeof event + event.len);
            const auto watch = watched_.find(event.wd);
            if (watch == watched_.end() || name.empty()) {
                continue;
            }
            const fs::path path = watch->second.path / name;
            if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0) {
                if (const auto known = by_path_.find(path); known != by_path_.end()) {
                    list.push_back({Change::What::removed, known->second});
                    objects_.erase(known->second);
                    by_path_.erase(known);
                }
                continue;
            }
            const bool added = by_path_.count(path) == 0;
            if (const auto handle = handle_for(watch->second.storage, watch->second.parent, path); handle != 0) {
                list.push_back({added ? Change::What::added : Change::What::changed, handle});
            }
        }
    }
    return list;
}

}  // namespace plugfs::virtual_usb
