#include "kit/filesystem/node_status.h"

#include <ctime>

namespace plugfs::kit {

namespace {

// Names and attributes stay in the kernel until we say otherwise; this is for what is missed.
constexpr double cache_seconds = 3600;

// The stream of events grows without a word to the kernel.
double attributes_stay(const Node& node) {
    return node.content == Content::events ? 0 : cache_seconds;
}

}  // namespace

NodeStatus::NodeStatus(Ownership ownership) : ownership_(ownership) {
    (void)::clock_gettime(CLOCK_REALTIME, &began_);
}

struct stat NodeStatus::of(const Node& node) const {
    struct stat status {};
    const bool folder = node.kind == Kind::directory;
    status.st_ino = node.inode;
    const mode_t write = (writable_ && node.content == Content::driver) || node.settable ? 0222U : 0U;
    status.st_mode = ((folder ? S_IFDIR | 0555U : S_IFREG | 0444U) | write) & ~ownership_.umask;
    // For a folder 1 is "not counted"; 2 would tell find(1) that it has no sub-folders.
    status.st_nlink = static_cast<nlink_t>(1 + (folder ? 0 : node.links.size()));
    status.st_uid = ownership_.uid;
    status.st_gid = ownership_.gid;
    status.st_size = static_cast<off_t>(node.size);
    status.st_blocks = (status.st_size + 511) / 512;
    status.st_blksize = static_cast<blksize_t>(read_size_);
    if ((node.content != Content::driver && !node.modified) || node.inode == root_inode) {
        status.st_mtim = began_;
        if (node.content == Content::events) {
            (void)::clock_gettime(CLOCK_REALTIME, &status.st_mtim);
        }
    } else {
        status.st_mtim.tv_sec = node.modified.value_or(0);
    }
    status.st_ctim = status.st_mtim;
    status.st_atim = status.st_mtim;
    return status;
}

fuse_entry_param NodeStatus::entry(const Node& node) const {
    fuse_entry_param entry{};
    entry.ino = node.inode;
    entry.attr = of(node);
    entry.entry_timeout = cache_seconds;
    entry.attr_timeout = attributes_stay(node);
    return entry;
}

void NodeStatus::answer(fuse_req_t request, const Node& node) const {
    const struct stat status = of(node);
    fuse_reply_attr(request, &status, attributes_stay(node));
}

}  // namespace plugfs::kit
