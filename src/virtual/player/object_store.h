// ObjectStore: folders of this machine as the storages of a virtual player.
//
// Objects get their handles when they are first listed, and keep them, as on most real devices. Folders that were
// listed are watched (inotify), and what happens in them is reported. Symbolic links are not followed: the
// player never leaves its folders.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace plugfs::virtual_usb {

struct StoredObject {
    std::uint32_t handle = 0;
    std::uint32_t parent = 0;  // 0: in the storage's root
    std::uint32_t storage = 0;
    std::string name;
    std::filesystem::path path;
    bool folder = false;
    std::uint64_t size = 0;
    std::int64_t modified = 0;
    std::array<std::uint64_t, 2> identity{};  // of the file on this machine, whatever it is called
};

class ObjectStore {
  public:
    struct Storage {
        std::uint32_t id = 0;
        std::string name;
        std::filesystem::path root;
    };
    struct Change {
        enum class What : std::uint8_t { added, removed, changed } what;
        std::uint32_t handle = 0;
    };
    static Result<std::unique_ptr<ObjectStore>> create();

    // ENOTDIR: no such folder.
    Result<std::uint32_t> add_storage(const std::string& name, const std::filesystem::path& root);
    bool remove_storage(std::uint32_t id);
    [[nodiscard]] const std::vector<Storage>& storages() const { return storages_; }
    [[nodiscard]] const Storage* storage(std::uint32_t id) const;

    // Forgets all handles and gives none of them again.
    void new_handles();
    // The objects in a folder (0: the root) of a storage, sorted by name.
    std::vector<std::uint32_t> list(std::uint32_t storage, std::uint32_t parent);
    // The object at a path below the storage's root; 0: there is none.
    std::uint32_t find_path(std::uint32_t storage, const std::filesystem::path& path);
    // Up to date with the file; null when there is none any more.
    const StoredObject* find(std::uint32_t handle);

    // What the initiator changes (object_store_writing.cpp). `parent` 0 is the root of the storage. Errors: ENOENT (no
    // such folder or object), EEXIST, EINVAL (the name), and what the file system says.
    Result<std::uint32_t> make(std::uint32_t storage, std::uint32_t parent, const std::string& name, bool folder);
    // With all that is in it. False: something is left.
    bool remove(std::uint32_t handle);
    // With all that is in it, dates included; under the same name. Returns the handle of the copy.
    Result<std::uint32_t> copy(std::uint32_t handle, std::uint32_t storage, std::uint32_t parent);
    // Handles stay.
    Result<void> move(std::uint32_t handle, std::uint32_t storage, std::uint32_t parent, const std::string& name);

    [[nodiscard]] int watch_fd() const { return watch_.get(); }
    // What has happened in the listed folders since.
    std::vector<Change> changes();

  private:
    explicit ObjectStore(UniqueFd watch) : watch_(std::move(watch)) {}
    std::uint32_t handle_for(std::uint32_t storage, std::uint32_t parent, const std::filesystem::path& path);
    bool refresh(StoredObject& object) const;
    // A path that is free.
    Result<std::filesystem::path> place(std::uint32_t storage, std::uint32_t parent, const std::string& name);
    void forget_below(const std::filesystem::path& top);
    struct Watched {
        std::uint32_t storage = 0;
        std::uint32_t parent = 0;
        std::filesystem::path path;
    };

    UniqueFd watch_;
    std::vector<Storage> storages_;
    std::unordered_map<std::uint32_t, StoredObject> objects_;
    std::map<std::filesystem::path, std::uint32_t> by_path_;
    std::map<int, Watched> watched_;
    std::uint32_t next_handle_ = 1;
};

}  // namespace plugfs::virtual_usb
