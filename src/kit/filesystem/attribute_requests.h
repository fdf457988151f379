// AttributeRequests: extended attributes; see plugfs/attributes.h.
//
// What the driver says of a file is kept until the file changes, for some thousand files. Names of other name spaces
// than "user" are answered at once: every ls(1) asks for security labels and access lists, and every write(2) for
// capabilities, and no device has any of them.
#pragma once

#include "kit/filesystem/core.h"
#include "kit/filesystem/file_jobs.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

class AttributeRequests {
  public:
    using List = std::shared_ptr<const std::vector<Attribute>>;

    // Both must outlive this.
    AttributeRequests(FilesystemCore& core, FileJobs& jobs) : core_(core), jobs_(jobs) {}

    // Called when somebody has set an attribute of the file.
    std::function<void(std::uint64_t inode)> on_set;

    // Whether the driver has any; until it has started it may.
    void set_possible(bool possible) { possible_ = possible; }
    // What is known of the file's is out of date.
    void forget(std::uint64_t inode) { known_.erase(inode); }

    // All attributes of a file; an empty list where the driver or the file has none.
    void ask(std::uint64_t inode, Priority priority, const std::function<void(const Error*, const List&)>& done);
    // The value of one. EFBIG: it is longer than may be.
    void fetch(std::uint64_t inode, const std::string& name,
               const std::function<void(const Error*, const std::string&)>& done);

    // `room`: bytes that the answer may have; 0 asks for how many there are.
    void get(fuse_req_t request, std::uint64_t inode, std::string_view name, std::size_t room);
    void list(fuse_req_t request, std::uint64_t inode, std::size_t room);
    // No value: the attribute goes. `flags` as for setxattr(2).
    void set(fuse_req_t request, std::uint64_t inode, std::string_view name, const std::optional<std::string>& value,
             int flags);

    // `request` waits for something of `inode`; and its end: with the error, or by `answer`.
    WaitingRequests::Id wait(fuse_req_t request, std::uint64_t inode, const char* what);
    void end(WaitingRequests::Id id, const std::function<void(fuse_req_t)>& answer, const Error* error);

  private:
    // False: it has been answered; with the error `otherwise`, or if that is 0 with nothing.
    bool can_ask(fuse_req_t request, std::uint64_t inode, std::string_view name, int otherwise);

    FilesystemCore& core_;
    FileJobs& jobs_;
    bool possible_ = false;
    std::unordered_map<std::uint64_t, List> known_;  // by inode; bounded
};

}  // namespace plugfs::kit
