// FileJobs: what is asked of a file on the device thread, again if its key was of a session that has ended meanwhile.
#pragma once

#include "kit/filesystem/folders.h"

#include <functional>
#include <memory>

namespace plugfs::kit {

class FileJobs {
  public:
    // On the device thread. What it finds it leaves where `done` will look.
    using Job = std::function<Result<void>(Driver&, Key)>;
    // On the FUSE thread, once, with the error if there is one.
    using Done = Folders::Done;

    // Both must outlive this.
    FileJobs(FilesystemCore& core, Folders& folders) : core_(core), folders_(folders) {}

    // ENOENT: it is not on the device any more.
    void add(std::uint64_t inode, Priority priority, Job job, Done done);

  private:
    struct Order {
        std::uint64_t inode = 0;
        Priority priority = Priority::metadata;
        Job job;
        Done done;
        unsigned attempt = 0;
    };
    void ask(const std::shared_ptr<Order>& order);
    void asked(const std::shared_ptr<Order>& order, Key key, const Result<void>& result);

    FilesystemCore& core_;
    Folders& folders_;
};

}  // namespace plugfs::kit
