// WaitingRequests: the kernel's requests that wait for the device, and what may end them before it has answered: an
// interrupt, a reader who has closed the file, the end of the device.
//
// Each has a number, by which the answer finds it: take() gives the request once, to whoever comes first. What has been
// answered meanwhile is not there any more, and its answer has nobody to go to.
//
// Used by the FUSE thread alone.
#pragma once

#include "kit/session.h"

#include <plugfs/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

class WaitingRequests {
  public:
    using Id = std::uint64_t;
    using Fail = std::function<void(const Error&)>;

    // `request` waits from now on; `fail` answers it with an error. An interrupt ends it with EINTR.
    Id add(fuse_req_t request, Fail fail);
    // The same for what cannot be given up half-way: an interrupt does not free it.
    Id add_through(fuse_req_t request, Fail fail);
    [[nodiscard]] bool has(Id id) const { return requests_.count(id) != 0; }

    // It waits no more: the caller answers it. Null if it has been answered.
    [[nodiscard]] fuse_req_t take(Id id);
    // It waits no more, and its `fail` answers it; nothing if it has been answered.
    void fail(Id id, const Error& error);

    // Called when it has been answered with EINTR: what was done for it need not be done any more.
    void when_interrupted(Id id, std::function<void()> interrupted);
    // The kernel reads `inode` for its page cache: nobody waits for all of it.
    void reads_ahead(Id id, std::uint64_t inode);
    // All that read ahead of `inode` are answered with EINTR.
    void give_up_reads(std::uint64_t inode);
    // Answers EINTR to what was interrupted meanwhile. (libfuse tells of it while it holds the request's lock.)
    void answer_interrupted();

    // Nothing can be asked of the device any more, because of `error`, which everything that waits is answered with.
    void device_failed(const Error& error);
    // Requests that fail because the device has gone stay unanswered, for a successor: the same device may come back.
    void hold_when_gone() { holds_when_gone_ = true; }
    [[nodiscard]] bool holds(const Error& error) const { return error.code == ENODEV && holds_when_gone_; }
    // When nothing can be asked of the device any more: answers `request`, or leaves it to a successor. False: the
    // device is there.
    bool refuse(fuse_req_t request) const;
    // Answers with what a program can make sense of, and says in the log that `what` has failed.
    void reply_error(fuse_req_t request, const Error& error, std::string_view what) const;
    [[nodiscard]] static int visible_code(const Error& error);

  private:
    struct Waiting {
        fuse_req_t request = nullptr;
        Fail fail;
        std::function<void()> interrupted;
        std::uint64_t reads_ahead_of = 0;  // inode
    };
    static void on_interrupt(fuse_req_t request, void* self);
    static void answer_interrupted(const Waiting& waiting);

    std::unordered_map<Id, Waiting> requests_;
    std::vector<fuse_req_t> interrupted_;
    Id last_ = 0;
    bool holds_when_gone_ = false;
    std::optional<Error> device_error_;
};

}  // namespace plugfs::kit
