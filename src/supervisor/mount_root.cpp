#include "supervisor/mount_root.h"

#include "common/log.h"
#include "supervisor/mount.h"
#include "supervisor/mount_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

namespace plugfs {

namespace {

constexpr const char* links_folder = ".by-id";
constexpr const char* source = "plugfs";

Result<std::string> absolute_directory(const std::string& given, bool& created) {
    const auto path = given.substr(0, std::max<std::size_t>(given.find_last_not_of('/') + 1, 1));
    created = ::mkdir(path.c_str(), 0755) == 0;
    if (!created && errno != EEXIST) {
        // A dead FUSE mount of a predecessor answers ENOTCONN; below it the directory is there.
        if (errno != ENOTCONN) {
            return fail(errno, "mount point " + plugfs::quoted(path));
        }
    }
    // Whoever may put a link there could have us cover another directory.
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
        return fail(ELOOP, "mount point " + plugfs::quoted(path), "is a symbolic link; give the directory itself");
    }
    char resolved[PATH_MAX];
    if (::realpath(path.c_str(), resolved) == nullptr) {
        return fail(errno, "mount point " + plugfs::quoted(path));
    }
    return std::string(resolved);
}

// Opens a path that has been resolved: a part of it that has become a link since is an error (ELOOP).
UniqueFd open_resolved(const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return UniqueFd(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
}

// Mounts of ours below (and on) `path`, deepest first.
void clean_stale_mounts(const std::string& path) {
    for (const auto& mount : mounts_below(path)) {
        if (mount.source == source && (mount.type.starts_with("fuse.plugfs") || mount.type == "tmpfs")) {
            log::info("removing a mount that an earlier plugfsd left: " + mount.path);
            if (const auto done = unmount(mount.path); !done) {
                log::warning(done.error().text());
            }
        }
    }
}

// Directories and links that a killed predecessor left where it had no tmpfs. Only what is empty goes.
void clean_leftovers(int directory) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (stream == nullptr) {
        return;
    }
    while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") {
            continue;
        }
        if (name == links_folder) {
            const UniqueFd links(::openat(directory, links_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            DIR* link_stream = links ? ::fdopendir(::dup(links.get())) : nullptr;
            while (const dirent* link = link_stream != nullptr ? ::readdir(link_stream) : nullptr) {
                if (link->d_type == DT_LNK) {
                    (void)::unlinkat(links.get(), link->d_name, 0);
                }
            }
            if (link_stream != nullptr) {
                ::closedir(link_stream);
            }
        }
        (void)::unlinkat(directory, name.c_str(), AT_REMOVEDIR);
    }
    ::closedir(stream);
}

Result<void> check_empty(int directory, const std::string& path) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
    if (stream == nullptr) {
        return fail(errno, "mount point " + plugfs::quoted(path));
    }
    std::string found;
    while (const dirent* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") {
            found = name;
        }
    }
    ::closedir(stream);
    if (!found.empty()) {
        return fail(ENOTEMPTY, "mount point " + plugfs::quoted(path),
                    "has " + plugfs::quoted(found) + " in it; give an empty directory");
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<MountRoot>> MountRoot::create(const std::string& path) {
    bool created = false;
    PLUGFS_ASSIGN(const auto absolute, absolute_directory(path, created));
    // With the tmpfs of a living plugfsd on it, this opens the tmpfs, whose lock it holds as well.
    UniqueFd covering = open_resolved(absolute);
    if (covering && ::flock(covering.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(EBUSY, "mount point " + plugfs::quoted(absolute), "another plugfsd serves it");
    }
    covering.reset();
    clean_stale_mounts(absolute);
    UniqueFd lock = open_resolved(absolute);
    if (!lock) {
        return fail(errno, "mount point " + plugfs::quoted(absolute));
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(EBUSY, "mount point " + plugfs::quoted(absolute), "another plugfsd serves it");
    }
    std::unique_ptr<MountRoot> root(new MountRoot(absolute, std::move(lock)));
    root->created_ = created;
    PLUGFS_TRY(root->cover());
    return root;
}

Result<void> MountRoot::cover() {
    if (::geteuid() == 0) {
        constexpr const char* options = "size=1m,nr_inodes=10k,mode=0755";
        // On the directory that was opened, whatever its path leads to by now.
        const std::string place = "/proc/self/fd/" + std::to_string(lock_.get());
        if (::mount(source, place.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0) {
            return fail(errno, "mount a tmpfs on " + plugfs::quoted(path_));
        }
        covered_ = true;
        directory_ = open_resolved(path_);
        struct statfs covering {};
        if (!directory_ || ::fstatfs(directory_.get(), &covering) != 0 || covering.f_type != TMPFS_MAGIC) {
            return fail(directory_ ? ELOOP : errno, "mount point " + plugfs::quoted(path_), "was moved meanwhile");
        }
        if (::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0) {
            return fail(errno, "mount point " + plugfs::quoted(path_), "lock");
        }
    } else {
        directory_.reset(::fcntl(lock_.get(), F_DUPFD_CLOEXEC, 0));
        clean_leftovers(directory_.get());
        PLUGFS_TRY(check_empty(directory_.get(), path_));
    }
    if (::mkdirat(directory_.get(), links_folder, 0755) != 0 && errno != EEXIST) {
        return fail(errno, "create .by-id");
    }
    return {};
}

MountRoot::~MountRoot() {
    if (directory_) {
        (void)::unlinkat(directory_.get(), links_folder, AT_REMOVEDIR);
        directory_.reset();
    }
    if (covered_) {
        if (const auto done = unmount(path_); !done) {
            log::warning(done.error().text());
        }
    }
    if (created_) {
        (void)::rmdir(path_.c_str());
    }
}

Result<std::string> MountRoot::add_folder(const std::string& name) {
    if (::mkdirat(directory_.get(), name.c_str(), 0755) != 0) {
        return fail(errno, "create folder " + plugfs::quoted(name));
    }
    return path_ + "/" + name;
}

void MountRoot::remove_folder(const std::string& name) {
    if (::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
        log::warning("remove folder " + plugfs::quoted(name) + ": " + std::strerror(errno));
    }
}

Result<void> MountRoot::add_link(const std::string& id, const std::string& folder) {
    const std::string link = std::string(links_folder) + "/" + id;
    const std::string target = "../" + folder;
    (void)::unlinkat(directory_.get(), link.c_str(), 0);
    if (::symlinkat(target.c_str(), directory_.get(), link.c_str()) != 0) {
        return fail(errno, "create link " + plugfs::quoted(link));
    }
    return {};
}

void MountRoot::remove_link(const std::string& id) {
    const std::string link = std::string(links_folder) + "/" + id;
    (void)::unlinkat(directory_.get(), link.c_str(), 0);
}

}  // namespace plugfs
