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
//
// A change of a name is noted in the vault before the device is asked (kit/operation_log.h). What a predecessor had
// begun is looked up on the device before anything else is asked of it; its requests wait for that.
#pragma once

#include "common/event_log.h"
#include "kit/device_thread.h"
#include "kit/node_log.h"
#include "kit/notifier.h"
#include "kit/operation_log.h"
#include "kit/operation_search.h"
#include "kit/read_cache.h"
#include "kit/session.h"
#include "kit/track_view.h"
#include "kit/tree.h"
#include "kit/walk_ahead.h"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <deque>
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

// The kit's own folders in the device's.
inline constexpr std::string_view controls_name = "controls";
inline constexpr std::string_view tracks_name = "tracks";

class Filesystem : public DeviceEvents {
  public:
    // All references must outlive this, but `session`, which is set before the first request.
    Filesystem(DeviceQueue& queue, Mailbox& mailbox, Ownership ownership);
    ~Filesystem() override;
    Filesystem(const Filesystem&) = delete;
    Filesystem& operator=(const Filesystem&) = delete;

    [[nodiscard]] static const fuse_lowlevel_ops& operations();
    void connect(Session& session, Notifier& notifier);
    // After a takeover, when the session has begun: a predecessor may have told the kernel nonsense before it broke,
    // and the kernel keeps attributes for an hour.
    void have_attributes_forgotten();

    // Before the first request: the kernel's references are noted in `log` from now on, changes of names in
    // `operations`; what a predecessor noted is restored. `header`, the vault's, has whether the device can be
    // written to, and who waits for events. The errors are NodeLog::read()'s and OperationLog::left()'s.
    Result<void> restore(NodeLog& log, OperationLog& operations, VaultHeader& header);
    // From now on, requests that fail because the device has gone stay unanswered, for a successor: the same device may
    // come back.
    void hold_when_gone() { hold_when_gone_ = true; }
    // There may be more than a predecessor had, which went on as this one: the kernel is to hear of it.
    void expect_more() { expect_more_ = true; }

    // Called on the FUSE thread once, with null when the driver has started, with the error when it could not or the
    // device has gone.
    std::function<void(const Error*)> on_state;

    // Called on the FUSE thread: what the driver wants a person to know; what it goes on as; how an eject went.
    std::function<void(const std::string&)> on_note;
    std::function<void(const std::string&)> on_go_on_as;
    std::function<void(const Result<void>&)> on_ejected;

    // Answers EINTR to the requests that were interrupted meanwhile; call it after each Session::serve().
    void answer_interrupted();
    // What time alone brings about; call it several times a second.
    void look_at_clock();

    void device_started(const DriverTraits& traits) override;
    void device_failed(const Error& error) override;
    void device_gone() override;
    void device_added(Key folder, const Entry& entry) override;
    void device_removed(Key key) override;
    void device_changed(const Entry& entry) override;
    void device_list_again(Key folder) override;
    void device_control_changed(const std::string& name) override;
    void device_controls_changed() override;
    void device_attributes_changed(Key file) override;
    void device_shows_tracks() override;
    void device_described(std::string json) override;
    void device_event(const std::string& json) override;
    void device_noted(const std::string& text) override;
    void device_goes_on_as(const std::string& alternative) override;
    void device_ejected(const Result<void>& result) override;

  private:
    friend struct Operations;  // filesystem_operations.cpp: from libfuse's functions to these

    // A request that waits for the device.
    using PendingId = std::uint64_t;
    struct Pending {
        fuse_req_t request = nullptr;
        std::function<void(const Error&)> fail;  // answers it with an error
        std::function<void()> interrupted;       // it has been answered: what was done for it need not be done any more
        std::uint64_t reads_ahead_of = 0;  // inode: the kernel reads it for its page cache, nobody waits for all of it
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
        std::shared_ptr<ReadCache> cache;              // from the first read on
        std::shared_ptr<const std::string> attribute;  // the content of one
        unsigned handles = 0;
        bool reads_given_up = false;  // and none has been answered since
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
    void create(fuse_req_t request, std::uint64_t parent, const char* name, fuse_file_info& info);
    void make_folder(fuse_req_t request, std::uint64_t parent, const char* name);
    void remove(fuse_req_t request, std::uint64_t parent, const char* name, Kind kind);
    void rename(fuse_req_t request, std::uint64_t parent, const char* name, std::uint64_t target_parent,
                const char* target_name, unsigned flags);
    void write(fuse_req_t request, std::uint64_t inode, std::span<const std::byte> bytes, std::uint64_t offset,
               std::uint64_t handle);
    // `is_open`: by ftruncate(2) and the like; a flush follows when the file is closed.
    void set_attributes(fuse_req_t request, std::uint64_t inode, const struct stat& wanted, unsigned which,
                        bool is_open);
    void flush(fuse_req_t request, std::uint64_t inode, bool closes);
    void copy(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size);
    void copy_known(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size);

    // filesystem_folders.cpp
    // False when nothing can be said yet.
    bool answer_lookup(fuse_req_t request, Node& folder, const std::string& name);
    void answer_folder(fuse_req_t request, Node& folder, std::size_t size, std::uint64_t offset, bool plus);
    void await_folder(Node& folder, FolderWaiter waiter);
    void look_ahead_from(const Node& folder);
    [[nodiscard]] static std::vector<std::uint64_t> folders_in(const Node& folder, std::uint64_t after);
    void list_ahead();
    void want_listing(Node& folder, unsigned attempt = 0, Priority priority = Priority::metadata);
    // Whether it can be said what is not in it.
    [[nodiscard]] bool is_known(const Node& folder) const;
    void when_bound(Node& node, const Done& done);
    void list_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Priority priority);
    void listed_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Result<Listing> part);
    void listing_ended(Node& folder, const Error* error);
    void take_in(Node& folder, const Entry& entry, bool announce);
    void take_out(Node& node);
    void resume_waiting(std::uint64_t folder, const Error* error);
    void when_listed(std::uint64_t folder, const Done& done);

    // filesystem_names.cpp: create, remove, rename
    struct NameChange {
        PendingId id = 0;
        fuse_req_t request = nullptr;
        Operation operation;
        std::optional<OperationLog::Record> record;
        unsigned attempt = 0;
        std::uint64_t parent = 0;
        std::string name;
        std::uint64_t target_parent = 0;
        std::string target_name;
        Kind kind = Kind::file;               // what is made or removed
        bool keep_target = false;             // RENAME_NOREPLACE
        std::optional<fuse_file_info> opens;  // what is made is opened, too
    };
    using NameChangeRef = std::shared_ptr<NameChange>;
    // The keys that the driver is asked with.
    struct NameKeys {
        Key folder = 0;
        Key entry = 0;
        Key target_folder = 0;
        std::optional<Key> replaced;
    };
    [[nodiscard]] static int check_name(const std::string& name);
    void begin_change(const NameChangeRef& change);
    void prepare_change(const NameChangeRef& change);
    void act_on_change(const NameChangeRef& change);
    Result<NameKeys> keys_for(NameChange& change);
    Result<void> note_change(NameChange& change);
    void ask_driver(const NameChangeRef& change, const NameKeys& keys);
    void change_made(const NameChangeRef& change, const NameKeys& keys, const Result<std::optional<Entry>>& result);
    void apply_change(const NameChange& change, const std::optional<Entry>& entry);
    void answer_change(const NameChangeRef& change);
    void change_failed(const NameChangeRef& change, const Error& error);
    void end_change(NameChange& change);

    // filesystem_recovery.cpp: what a predecessor had begun
    struct Unfinished {
        OperationLog::Left left;
        std::optional<Result<OperationTrace>> trace;  // when it has been looked for
        std::function<void()> waiting;                // the request, asked again
    };
    void look_for_unfinished();
    void found_unfinished(std::uint64_t unique, Result<OperationTrace> trace);
    void finish_change(const NameChangeRef& change, Unfinished& unfinished);

    // filesystem_writing.cpp
    // What is done to a file on the device thread; done again if its key was stale.
    struct FileWork {
        PendingId id = 0;
        std::uint64_t inode = 0;
        std::string what;  // for the log
        std::function<Result<std::optional<Entry>>(Writer&, Key)> work;
        std::function<void(Node&, const std::optional<Entry>&)> done;  // answers the request
        unsigned attempt = 0;
    };
    void begin_work(fuse_req_t request, std::uint64_t inode, FileWork work);
    void do_work(const std::shared_ptr<FileWork>& work);
    void work_done(const std::shared_ptr<FileWork>& work, Key key, const Result<std::optional<Entry>>& result);
    // The file that a request is to change; null: it has been answered with an error.
    Node* file_to_change(fuse_req_t request, std::uint64_t inode);
    void content_changed_by_us(Node& node);
    void open_emptied(fuse_req_t request, Node& node, const fuse_file_info& info);  // O_TRUNC
    void answer_attributes(fuse_req_t request, const Node& node);
    // Its size is known only when it has been found on the device: a predecessor was writing to it.
    [[nodiscard]] static bool size_unknown(const Node& node) { return node.written && !node.bound; }

    // filesystem_controls.cpp
    struct ControlHandle {
        std::optional<std::string> value;  // what a reader is being given
        std::uint64_t version = 0;         // of the node, when that was asked for
        std::string written;               // since the value began
    };
    struct ControlRead {
        std::uint64_t handle = 0;
        std::uint64_t offset = 0;
        std::size_t size = 0;
    };
    void list_controls(std::uint64_t inode);
    void listed_controls(Node& folder, const Result<std::vector<Control>>& list);
    void set_control_size(Node& node, std::uint64_t size);
    void with_control(fuse_req_t request, std::uint64_t inode, const char* what,
                      std::function<void(PendingId, const Control&)> work);
    void read_control(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset, std::uint64_t handle);
    void got_control(PendingId id, fuse_req_t request, std::uint64_t inode, const Result<std::string>& value,
                     const ControlRead& read);
    void write_control(fuse_req_t request, Node& node, std::string_view bytes, std::uint64_t offset,
                       std::uint64_t handle);
    void set_control_done(PendingId id, std::uint64_t inode, std::uint64_t handle, std::size_t count,
                          const Result<std::string>& result);
    [[nodiscard]] unsigned control_ready(const Node& node, std::uint64_t handle) const;

    // filesystem_attributes.cpp
    using AttributeList = std::shared_ptr<const std::vector<Attribute>>;
    // Something that is asked of a file on the device thread, again if its key was stale.
    using FileJob = std::function<Result<void>(Driver&, Key)>;
    using FileJobDone = Done;
    struct FileOrder {
        std::uint64_t inode = 0;
        Priority priority = Priority::metadata;
        FileJob job;
        FileJobDone done;
        unsigned attempt = 0;
    };
    void on_bound_file(std::uint64_t inode, Priority priority, FileJob job, FileJobDone done);
    void do_order(const std::shared_ptr<FileOrder>& order);
    void ask_attributes(std::uint64_t inode, Priority priority,
                        const std::function<void(const Error*, const AttributeList&)>& done);
    void fetch_attribute(std::uint64_t inode, const std::string& name,
                         const std::function<void(const Error*, const std::string&)>& done);
    void get_attribute(fuse_req_t request, std::uint64_t inode, std::string_view name, std::size_t room);
    void list_attributes(fuse_req_t request, std::uint64_t inode, std::size_t room);
    void set_attribute(fuse_req_t request, std::uint64_t inode, std::string_view name,
                       const std::optional<std::string>& value, int flags);
    // False: it has been answered; with the error `otherwise`, or if that is 0 with nothing.
    bool asks_for_attributes(fuse_req_t request, std::uint64_t inode, std::string_view name, int otherwise);
    PendingId wait_for_attribute(fuse_req_t request, std::uint64_t inode, const char* what);
    void end_wait(PendingId id, const std::function<void(fuse_req_t)>& answer, const Error* error);
    static void reply_attribute(fuse_req_t request, std::string_view value, std::size_t room);
    static const Attribute* find_attribute(const AttributeList& list, std::string_view name);
    void attributes_changed(std::uint64_t inode);

    // filesystem_tracks.cpp
    Node* tracks_folder();
    void want_tracks();
    void look_again_at_tracks();
    void go_on_with_tracks();
    void track_step_done();
    void look_for_tracks(std::uint64_t folder);
    void place_track(std::uint64_t inode, const std::vector<Attribute>& attributes);
    Node& own_folder(Node& parent, const std::string& name);
    void announce(const Node& folder, const Node& node);
    void announce_postponed();
    void choose_cover(Node& album);
    void tidy_album(std::uint64_t inode);
    void tidy_tracks(Node& view);
    void link_goes(const Node& link);
    void read_attribute_file(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset);

    // filesystem_files.cpp
    void read_events(fuse_req_t request, std::size_t size, std::uint64_t offset, const fuse_file_info& info);
    void read_driver_file(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset, bool direct);
    void give_up_reads(std::uint64_t inode);
    void read_known_file(PendingId id, Node& node, std::size_t size, std::uint64_t offset);
    void answer_open(fuse_req_t request, Node& node, fuse_file_info& info);
    void when_started(std::function<void()> work);
    void forget_content(const Node& node);
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
    void list_the_top_again();
    void set_up_own_folder(std::string_view name, Content content, bool wanted);

    [[nodiscard]] struct stat attributes(const Node& node) const;
    [[nodiscard]] fuse_entry_param entry_for(const Node& node) const;
    void reply_error(fuse_req_t request, const Error& error, std::string_view what);
    // What is asked when nothing can be asked of the device any more. False: the device is there.
    bool refuse(fuse_req_t request);
    PendingId wait(fuse_req_t request, std::function<void(const Error&)> fail);
    // The same for what cannot be given up half-way: an interrupt does not free it.
    PendingId wait_through(fuse_req_t request, std::function<void(const Error&)> fail);
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
    std::unordered_map<std::uint64_t, JobId> listing_jobs_;  // of the next part, by inode
    WalkAhead walk_;
    std::unordered_map<PendingId, Pending> pending_;
    std::vector<fuse_req_t> interrupted_;
    PendingId last_pending_ = 0;
    std::size_t read_size_ = std::size_t{1} << 20U;
    bool folders_need_no_open_ = false;  // the kernel reads them without
    bool hold_when_gone_ = false;
    bool expect_more_ = false;
    std::optional<Error> dead_;  // why nothing can be asked of the device any more

    bool started_on_device_ = false;
    std::vector<std::function<void()>> waiting_for_start_;
    bool writable_ = false;
    bool attributes_ = false;
    std::unordered_map<std::uint64_t, Control> controls_;  // by inode
    std::unordered_map<std::uint64_t, ControlHandle> control_handles_;
    std::unordered_map<std::uint64_t, AttributeList> attribute_cache_;  // by inode; bounded
    TrackView tracks_;
    std::unordered_map<std::uint64_t, unsigned> changes_under_way_;  // by inode
    std::atomic<std::uint32_t>* writable_note_ = nullptr;
    OperationLog* operations_ = nullptr;
    std::unordered_map<std::uint64_t, Unfinished> unfinished_;  // by unique
    std::deque<NameChangeRef> waiting_for_others_;              // for a free record, or because of alone_
    std::optional<std::uint64_t> alone_;                        // the `unique` of a change that nothing may go beside

    std::string description_ = "{}\n";
    EventLog events_;
    std::unordered_map<std::uint64_t, EventLog::Reader> event_readers_;
    std::vector<fuse_pollhandle*> pollers_;
    std::array<std::atomic<std::uint64_t>, poll_handle_count>* poll_handles_ = nullptr;  // theirs, in the vault
    std::uint64_t last_handle_ = 0;
    timespec started_{};
};

}  // namespace plugfs::kit
