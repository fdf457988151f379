// Lookups: the requests that only look: names, attributes, folders. What is known is answered at once; otherwise they
// wait for a listing.
#pragma once

#include "kit/filesystem/core.h"
#include "kit/filesystem/folders.h"
#include "kit/filesystem/node_status.h"

#include <string>

namespace plugfs::kit {

class Lookups {
  public:
    // All must outlive this.
    Lookups(FilesystemCore& core, Folders& folders, const NodeStatus& status)
        : core_(core), folders_(folders), status_(status) {}

    // What the kernel can do, from its FUSE_INIT.
    void initialise(const fuse_conn_info& connection);

    void lookup(fuse_req_t request, std::uint64_t parent, const char* name);
    void get_attributes(fuse_req_t request, std::uint64_t inode);
    void open_folder(fuse_req_t request, std::uint64_t inode, fuse_file_info& info) const;
    // `plus`: with attributes (READDIRPLUS).
    void read_folder(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset, bool plus);

  private:
    WaitingRequests::Id wait_for_listing(fuse_req_t request, const Node& folder);
    // False when nothing can be said yet.
    bool answer_lookup(fuse_req_t request, const Node& folder, const std::string& name);
    void answer_folder(fuse_req_t request, const Node& folder, std::size_t size, std::uint64_t offset, bool plus);

    FilesystemCore& core_;
    Folders& folders_;
    const NodeStatus& status_;
    bool folders_need_no_open_ = false;  // the kernel reads them without
};

}  // namespace plugfs::kit
