// FileWriter: the content and times of files, written to.
//
// A write goes straight from the request, which stays in its slot until it is answered, to the driver: when write(2)
// returns, the driver has it; when fsync(2) or close(2) returns, the device has it. All of this may be done twice, so
// nothing has to be noted but that size and time are ours to change (Node::written).
//
// copy_file_range(2), which cp(1) begins with: the device copies by itself. The driver is asked for whole files only:
// from the first byte to the last, into a file that is empty and closed by nobody yet. Everything else is EOPNOTSUPP,
// for which the kernel reads and writes, as if there were no such call. (It asks for 2 GiB less a page at most, so a
// larger file never comes whole.)
#pragma once

#include "kit/filesystem/core.h"
#include "kit/filesystem/file_jobs.h"
#include "kit/filesystem/file_reader.h"
#include "kit/filesystem/lookups.h"

#include <plugfs/writer.h>

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

namespace plugfs::kit {

class FileWriter {
  public:
    // All must outlive this.
    FileWriter(FilesystemCore& core, Folders& folders, FileJobs& jobs, FileReader& reader, Lookups& lookups)
        : core_(core), folders_(folders), jobs_(jobs), reader_(reader), lookups_(lookups) {}

    // Called when a file that was written to has been closed or flushed, or was copied: the content is whole again.
    std::function<void(std::uint64_t inode)> on_written;

    void write(fuse_req_t request, std::uint64_t inode, std::span<const std::byte> bytes, std::uint64_t offset);
    // O_TRUNC: empties the file, then calls `opens`, which answers.
    void empty(fuse_req_t request, const Node& node, std::function<void(const Node&)> opens);
    // `is_open`: by ftruncate(2) and the like; a flush follows when the file is closed.
    void set_attributes(fuse_req_t request, std::uint64_t inode, const struct stat& wanted, unsigned which,
                        bool is_open);
    void flush(fuse_req_t request, std::uint64_t inode);
    void copy(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size);

  private:
    // What is done to a file on the device thread, and what answers the request.
    struct Work {
        const char* what = "";  // for the log
        std::function<Result<std::optional<Entry>>(Writer&, Key)> work;
        std::function<void(fuse_req_t, Node&, const std::optional<Entry>&)> done;
    };
    void begin(fuse_req_t request, std::uint64_t inode, Work work);
    void change_ended(std::uint64_t inode);
    [[nodiscard]] bool is_changing(std::uint64_t inode) const { return under_way_.count(inode) != 0; }
    // The file that a request is to change; null: it has been answered with an error.
    Node* file_to_change(fuse_req_t request, std::uint64_t inode);
    void content_changed(Node& node);
    // What the device says of it now. With another write under way that is old already.
    void settle(Node& node, const Entry& entry);
    void copy_known(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size);

    FilesystemCore& core_;
    Folders& folders_;
    FileJobs& jobs_;
    FileReader& reader_;
    Lookups& lookups_;
    std::unordered_map<std::uint64_t, unsigned> under_way_;  // changes, by inode
};

}  // namespace plugfs::kit
