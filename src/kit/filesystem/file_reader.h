// FileReader: the content of the device's files, read through a cache for each that is open (kit/read_cache.h).
//
// The kernel keeps what it has read until it is told that the content has changed; here are only the blocks that are
// being read, and a few ahead of those.
#pragma once

#include "kit/filesystem/core.h"
#include "kit/filesystem/folders.h"
#include "kit/filesystem/node_status.h"
#include "kit/read_cache.h"

#include <cstdint>
#include <memory>
#include <unordered_map>

namespace plugfs::kit {

class FileReader {
  public:
    // All must outlive this.
    FileReader(FilesystemCore& core, Folders& folders, const NodeStatus& status)
        : core_(core), folders_(folders), status_(status) {}

    void opened(std::uint64_t inode) { ++files_[inode].handles; }
    void closed(std::uint64_t inode);
    [[nodiscard]] bool is_open(std::uint64_t inode) const;
    // `direct`: not for the kernel's page cache.
    void read(fuse_req_t request, const Node& node, std::size_t size, std::uint64_t offset, bool direct);
    // What was read of it is not what the device has.
    void forget(const Node& node);
    // Somebody closes the file.
    void give_up_reads(std::uint64_t inode);

  private:
    struct File {
        std::shared_ptr<ReadCache> cache;  // from the first read on
        unsigned handles = 0;
        bool reads_given_up = false;  // and none has been answered since
    };
    // One block on its way into a file's cache; `version` is the content that it belongs to.
    struct BlockFetch {
        std::weak_ptr<ReadCache> cache;
        std::shared_ptr<Block> block;
        std::uint64_t inode = 0;
        std::uint64_t version = 0;
    };
    struct Attempt {
        Key key = 0;
        unsigned number = 0;  // with keys that turned out to be stale
    };
    void read_known(WaitingRequests::Id id, Node& node, std::size_t size, std::uint64_t offset);
    std::shared_ptr<ReadCache> cache_for(const Node& node);
    void fetch(const BlockFetch& order, unsigned attempt);
    void fetched(const BlockFetch& order, Attempt attempt, const Result<std::size_t>& got);
    void fetch_failed(const BlockFetch& order, const Error& error);

    FilesystemCore& core_;
    Folders& folders_;
    const NodeStatus& status_;
    std::unordered_map<std::uint64_t, File> files_;  // by inode
};

}  // namespace plugfs::kit
