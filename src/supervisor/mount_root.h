// MountRoot: the mount point: a plain directory (as root a small tmpfs over it) with a directory for each device,
// `.by-id` links to them, and `.control`.
//
// It is no FUSE mount: listing it asks no process, inotify works on it, and an ordinary user can nest mounts in it.
// Symbolic links are never followed below it.
#pragma once

#include "common/unique_fd.h"

#include <plugfs/result.h>

#include <memory>
#include <string>

namespace plugfs {

class MountRoot {
  public:
    // Makes `path` the mount point: creates the directory if it is missing, takes a lock on it, and removes what a
    // killed predecessor left mounted. EBUSY: another plugfsd serves it. ENOTEMPTY: it has other things in it.
    static Result<std::unique_ptr<MountRoot>> create(const std::string& path);
    // Removes everything again; devices must have been removed before.
    ~MountRoot();
    MountRoot(const MountRoot&) = delete;
    MountRoot& operator=(const MountRoot&) = delete;

    // A directory for a device, or for `.control`; returns its absolute path. EEXIST: there is one already.
    Result<std::string> add_folder(const std::string& name);
    void remove_folder(const std::string& name);

    // `.by-id/<id>` -> `../<folder>`; replaces an older link.
    Result<void> add_link(const std::string& id, const std::string& folder);
    void remove_link(const std::string& id);

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    MountRoot(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    Result<void> cover();

    std::string path_;
    UniqueFd lock_;       // the directory itself, under the tmpfs, with an flock on it
    UniqueFd directory_;  // where folders are made
    bool covered_ = false;
    bool created_ = false;
};

}  // namespace plugfs
