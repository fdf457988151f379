#include "supervisor/memory_group.h"

#include "common/log.h"
#include "supervisor/mount_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

namespace plugfs {

namespace {

constexpr const char* own_leaf = "/supervisor";

Result<void> write_file(const std::string& path, const std::string& text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file || ::write(file.get(), text.data(), text.size()) < 0) {
        return fail(errno, path);
    }
    return {};
}

std::vector<std::string> words_of(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::string> words;
    for (std::string word; file >> word;) {
        words.push_back(word);
    }
    return words;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

// Where cgroup v2 is mounted.
Result<std::string> mount_point() {
    for (const auto& mount : mounts_below("/sys/fs/cgroup")) {
        if (mount.type == "cgroup2") {
            return mount.path;
        }
    }
    return fail(ENOENT, "cgroup v2", "is not mounted");
}

// Our own group, from its root: the line "0::/path".
Result<std::string> own_group() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("0::/")) {
            return line.substr(3) == "/" ? std::string() : line.substr(3);
        }
    }
    return fail(ENOENT, "cgroup v2", "is not used");
}

}  // namespace

MemoryGroup::~MemoryGroup() {
    processes_.reset();
    if (::rmdir(path_.c_str()) != 0) {
        log::warning("remove cgroup " + path_ + ": " + std::strerror(errno));
    }
}

Result<std::unique_ptr<MemoryGroups>> MemoryGroups::create() {
    PLUGFS_ASSIGN(const auto mount, mount_point());
    PLUGFS_ASSIGN(const auto own, own_group());
    std::unique_ptr<MemoryGroups> groups(new MemoryGroups(mount + own));
    if (!contains(words_of(groups->base_ + "/cgroup.controllers"), "memory")) {
        return fail(ENOTSUP, "cgroup v2", "has no memory controller here");
    }
    if (!own.empty()) {
        PLUGFS_TRY(groups->move_out());
    }
    PLUGFS_TRY(write_file(groups->base_ + "/cgroup.subtree_control", "+memory"));
    (void)write_file(groups->base_ + "/cgroup.subtree_control", "+pids");
    return groups;
}

Result<void> MemoryGroups::move_out() {
    const auto processes = words_of(base_ + "/cgroup.procs");
    if (processes.size() != 1) {
        return fail(EBUSY, "cgroup v2", "plugfsd is not alone in " + base_);
    }
    if (::mkdir((base_ + own_leaf).c_str(), 0755) != 0 && errno != EEXIST) {
        return fail(errno, "cgroup v2", "create " + base_ + own_leaf);
    }
    moved_ = true;
    return write_file(base_ + own_leaf + "/cgroup.procs", "0\n");
}

MemoryGroups::~MemoryGroups() {
    if (moved_) {
        (void)write_file(base_ + "/cgroup.subtree_control", "-memory");
        (void)write_file(base_ + "/cgroup.subtree_control", "-pids");
        (void)write_file(base_ + "/cgroup.procs", "0\n");
        (void)::rmdir((base_ + own_leaf).c_str());
    }
}

Result<std::shared_ptr<MemoryGroup>> MemoryGroups::add(std::uint64_t bytes, unsigned processes) {
    const std::string path = base_ + "/plugfs-" + std::to_string(::getpid()) + "-" + std::to_string(++last_number_);
    if (::mkdir(path.c_str(), 0755) != 0) {
        return fail(errno, "create cgroup " + path);
    }
    UniqueFd file(::open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) {
        return fail(errno, "cgroup " + path);
    }
    auto group = std::make_shared<MemoryGroup>(path, std::move(file));
    PLUGFS_TRY(write_file(path + "/memory.max", std::to_string(bytes)));
    (void)write_file(path + "/memory.swap.max", "0");
    (void)write_file(path + "/pids.max", std::to_string(processes));
    return group;
}

}  // namespace plugfs
