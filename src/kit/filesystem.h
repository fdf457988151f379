// Filesystem: answers the kernel's requests for one device.
//
// The FUSE thread runs all of it and owns all of it: the tree, the blocks read from files, the requests that wait. A
// request that can be answered from memory is answered at once. Otherwise it waits, as a `Pending`, while a job goes to
// the device queue; the job's result comes back through the mailbox. So nothing here blocks, and nothing here is
// locked.
//
// A folder is listed when somebody looks into it, in parts; a name that is asked for is answered as soon as it has been
// seen, "no such file" only when the listing is complete. The kernel caches names, attributes, listings and content for
// as long as it likes; when the device reports a change, the Notifier tells it.
#pragma once

#include "common/event_log.h"
#include "kit/device_thread.h"
#include "kit/node_log.h"
#include "kit/notifier.h"
#include "kit/read_cache.h"
#include "kit/session.h"
#include "kit/tree.h"

#include <sys/stat.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

// Whose the files are, for stat(2).
struct Ownership {
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t umask = 022;
};

class Filesystem : public DeviceEvents {
  public:
    // All references must outlive this, but `session`, which is set before the first request.
    Filesystem(DeviceQueue& queue, Mailbox& mailbox, Ownership ownership);
    ~Filesystem() override;
    Filesystem(const Filesystem&) = delete;
    Filesystem& operator=(const Filesystem&) = delete;

    [[nodiscard]] static const fuse_lowlevel_ops& operations();
    void connect(Session& session, Notifier& notifier);

    // Before the first request: the kernel's references are noted in `log` from now on; those that a predecessor noted
    // are restored. The errors are NodeLog::read()'s.
    Result<void> restore(NodeLog& log);
    // From now on, requests that fail because the device has gone stay unanswered, for a successor: the same device may
    // come back.
    void hold_when_gone() { hold_when_gone_ = true; }

    // Called on the FUSE thread once, with null when the driver has started, with the error when it could not or the
    // device has gone.
    std::function<void(const Error*)> on_state;

    // Answers EINTR to the requests that were interrupted meanwhile; call it after each Session::serve().
    void answer_interrupted();

    void device_started(std::size_t read_size) override;
    void device_failed(const Error& error) override;
    void device_gone() override;
    void device_added(Key folder, const Entry& entry) override;
    void device_removed(Key key) override;
    void device_changed(const Entry& entry) override;
    void device_list_again(Key folder) override;
    void device_described(std::string json) override;
    void device_event(const std::string& json) override;

  private:
    friend struct Operations;  // filesystem_operations.cpp: from libfuse's functions to these

    // A request that waits for the device.
    using PendingId = std::uint64_t;
    struct Pending {
        fuse_req_t request = nullptr;
        std::function<void(const Error&)> fail;  // answers it with an error
    };
    // Waits for a folder's listing: called after each part, and at its end with the error if it failed (then it must be
    // done). Returns true when it is done.
    using FolderWaiter = std::function<bool(const Error*)>;
    // Waits for something once.
    using Done = std::function<void(const Error*)>;
    // Which key a job was given, and how often it has been tried with keys that turned out to be stale.
    struct Attempt {
        Key key = 0;
        unsigned number = 0;
        std::uint64_t listing = 0;  // of the folder
    };
    struct OpenFile {
        std::shared_ptr<ReadCache> cache;
        unsigned handles = 0;
    };

    void initialise(fuse_conn_info& connection);
    void lookup(fuse_req_t request, std::uint64_t parent, const char* name);
    void forget(std::uint64_t inode, std::uint64_t count) { tree_.forget(inode, count); }
    void get_attributes(fuse_req_t request, std::uint64_t inode);
    void open(fuse_req_t request, std::uint64_t inode, fuse_file_info& info);
    void release(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info);
    void read(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset,
              const fuse_file_info& info);
    void poll(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info, fuse_pollhandle* handle);
    void open_folder(fuse_req_t request, std::uint64_t inode, fuse_file_info& info);
    void read_folder(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset, bool plus);
    void statistics(fuse_req_t request);

    // filesystem_folders.cpp
    // False when nothing can be said yet.
    bool answer_lookup(fuse_req_t request, Node& folder, const std::string& name);
    void answer_folder(fuse_req_t request, Node& folder, std::size_t size, std::uint64_t offset, bool plus);
    void await_folder(Node& folder, FolderWaiter waiter);
    void want_listing(Node& folder, unsigned attempt = 0);
    void when_bound(Node& node, const Done& done);
    void list_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Priority priority);
    void listed_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Result<Listing> part);
    void listing_ended(Node& folder, const Error* error);
    void take_in(Node& folder, const Entry& entry, bool announce);
    void take_out(Node& node);
    void resume_waiting(std::uint64_t folder, const Error* error);

    // filesystem_files.cpp
    void read_events(fuse_req_t request, std::size_t size, std::uint64_t offset, const fuse_file_info& info);
    void read_driver_file(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset);
    std::shared_ptr<ReadCache> cache_for(Node& node);
    // One block on its way into a file's cache; `version` is the content that it belongs to.
    struct BlockFetch {
        std::weak_ptr<ReadCache> cache;
        std::shared_ptr<Block> block;
        std::uint64_t inode = 0;
        std::uint64_t version = 0;
    };
    void fetch(const BlockFetch& order, unsigned attempt);
    void fetched(const BlockFetch& order, Attempt attempt, const Result<std::size_t>& got);
    void fetch_failed(const BlockFetch& order, const Error& error);
    void wake_pollers();

    [[nodiscard]] struct stat attributes(const Node& node) const;
    [[nodiscard]] fuse_entry_param entry_for(const Node& node) const;
    void reply_error(fuse_req_t request, const Error& error, std::string_view what);
    // What is asked when nothing can be asked of the device any more. False: the device is there.
    bool refuse(fuse_req_t request);
    PendingId wait(fuse_req_t request, std::function<void(const Error&)> fail);
    [[nodiscard]] bool waits(PendingId id) const { return pending_.count(id) != 0; }
    // The session with the device that `key` is of has ended; unless that is known already.
    void keys_lost(const Node& node, Key key);
    static void on_interrupt(fuse_req_t request, void* self);
    void finish(PendingId id);  // the request has been answered
    [[nodiscard]] static int visible_code(const Error& error);

    DeviceQueue& queue_;
    Mailbox& mailbox_;
    Ownership ownership_;
    Session* session_ = nullptr;
    Notifier* notifier_ = nullptr;

    Tree tree_;
    std::unordered_map<std::uint64_t, OpenFile> open_files_;
    std::unordered_map<std::uint64_t, std::vector<FolderWaiter>> folder_waiters_;
    std::unordered_map<PendingId, Pending> pending_;
    std::vector<fuse_req_t> interrupted_;
    PendingId last_pending_ = 0;
    std::size_t read_size_ = std::size_t{1} << 20U;
    bool hold_when_gone_ = false;
    std::optional<Error> dead_;  // why nothing can be asked of the device any more

    std::string description_ = "{}\n";
    EventLog events_;
    std::unordered_map<std::uint64_t, EventLog::Reader> event_readers_;
    std::vector<fuse_pollhandle*> pollers_;
    std::uint64_t last_handle_ = 0;
    timespec started_{};
};

}  // namespace plugfs::kit
