// Filesystem: answers the kernel's requests for one device.
//
// The FUSE thread runs all of it and owns all of it: the tree, the blocks read from files, the requests that wait. A
// request that can be answered from memory is answered at once. Otherwise it waits (WaitingRequests), while a job goes
// to the device queue; the job's result comes back through the mailbox. So nothing here blocks, and nothing here is
// locked.
//
// The work is done by its parts, each with its own state, which share no more than FilesystemCore: Folders knows what
// is where, Lookups, FileReader, FileWriter, NameChanges and AttributeRequests answer one kind of request each,
// ControlsFolder and TracksFolder are the kit's own folders in the device's. Here is what belongs to several of them:
// which part a request goes to, and what one has to hear of another.
//
// The kernel caches names, attributes, listings and content for as long as it likes; when the device reports a change,
// the Notifier tells it.
#pragma once

#include "common/event_log.h"
#include "kit/filesystem/attribute_requests.h"
#include "kit/filesystem/controls_folder.h"
#include "kit/filesystem/core.h"
#include "kit/filesystem/file_jobs.h"
#include "kit/filesystem/file_reader.h"
#include "kit/filesystem/file_writer.h"
#include "kit/filesystem/folders.h"
#include "kit/filesystem/lookups.h"
#include "kit/filesystem/name_changes.h"
#include "kit/filesystem/node_status.h"
#include "kit/filesystem/pollers.h"
#include "kit/filesystem/tracks_folder.h"
#include "kit/node_log.h"
#include "kit/operation_log.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace plugfs::kit {

class Filesystem : public DeviceEvents, private FolderObserver {
  public:
    // All references must outlive this, but `session`, which is set before the first request.
    Filesystem(DeviceQueue& queue, Mailbox& mailbox, Ownership ownership);
    ~Filesystem() override = default;
    Filesystem(const Filesystem&) = delete;
    Filesystem& operator=(const Filesystem&) = delete;

    [[nodiscard]] static const fuse_lowlevel_ops& operations();
    void connect(Session& session, Notices& notifier);
    // After a takeover, when the session has begun: a predecessor may have told the kernel nonsense before it broke,
    // and the kernel keeps attributes for an hour.
    void have_attributes_forgotten();

    // Before the first request: the kernel's references are noted in `log` from now on, changes of names in
    // `operations`; what a predecessor noted is restored. `header`, the vault's, has whether the device can be
    // written to, and who waits for events. The errors are NodeLog::read()'s and OperationLog::left()'s.
    Result<void> restore(NodeLog& log, OperationLog& operations, VaultHeader& header);
    // From now on, requests that fail because the device has gone stay unanswered, for a successor.
    void hold_when_gone() { core_.waiting.hold_when_gone(); }
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
    void answer_interrupted() { core_.waiting.answer_interrupted(); }
    // What time alone brings about; call it several times a second.
    void look_at_clock() { tracks_.look_at_clock(); }

    void device_started(const DriverTraits& traits) override;
    void device_failed(const Error& error) override;
    void device_gone() override;
    void device_added(Key folder, const Entry& entry) override { folders_.added(folder, entry); }
    void device_removed(Key key) override { folders_.removed(key); }
    void device_changed(const Entry& entry) override { folders_.changed(entry); }
    void device_list_again(Key folder) override { folders_.list_again(folder); }
    void device_control_changed(const std::string& name) override { controls_.changed(name); }
    void device_controls_changed() override { controls_.list_again(); }
    void device_attributes_changed(Key file) override;
    void device_shows_tracks() override;
    void device_described(std::string json) override;
    void device_event(const std::string& json) override;
    void device_noted(const std::string& text) override;
    void device_goes_on_as(const std::string& alternative) override;
    void device_ejected(const Result<void>& result) override;

  private:
    static constexpr std::string_view events_name = "events";
    static constexpr std::string_view description_name = "device.json";
    friend struct Operations;  // operations.cpp: from libfuse's functions to these and to the parts'

    void initialise(fuse_conn_info& connection);
    void open(fuse_req_t request, std::uint64_t inode, fuse_file_info& info);
    void answer_open(fuse_req_t request, const Node& node, fuse_file_info& info);
    void release(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info);
    void read(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset,
              const fuse_file_info& info);
    void read_events(fuse_req_t request, std::size_t size, std::uint64_t offset, std::uint64_t handle);
    void write(fuse_req_t request, std::uint64_t inode, std::string_view bytes, std::uint64_t offset,
               std::uint64_t handle);
    void flush(fuse_req_t request, std::uint64_t inode, bool closes);
    void poll(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info, fuse_pollhandle* handle);
    void statistics(fuse_req_t request);
    void list_the_top_again();
    void set_up_own_folder(std::string_view name, Content content, bool wanted);

    void list_controls(Node& folder) override { controls_.list(folder); }
    [[nodiscard]] bool view_is_known() const override { return tracks_.presentable(); }
    [[nodiscard]] std::uint64_t view_of(const Node& folder) override;
    void want_view() override;
    void entry_appeared(const Node& node) override;
    void content_changed(const Node& node) override { reader_.forget(node); }
    void attributes_changed(const Node& node) override { attributes_changed(node.inode); }
    void attributes_changed(std::uint64_t inode);
    void folders_changed() override { tracks_.go_on(); }
    [[nodiscard]] bool is_open(std::uint64_t inode) const override { return reader_.is_open(inode); }

    FilesystemCore core_;
    NodeStatus status_;
    Folders folders_;
    Lookups lookups_;
    FileJobs jobs_;
    FileReader reader_;
    FileWriter writer_;
    NameChanges names_;
    AttributeRequests attributes_;
    Pollers pollers_;
    ControlsFolder controls_;
    TracksFolder tracks_;
    bool expect_more_ = false;
    std::atomic<std::uint32_t>* writable_note_ = nullptr;  // in the vault

    std::string description_ = "{}\n";
    EventLog events_;
    std::unordered_map<std::uint64_t, EventLog::Reader> event_readers_;  // by handle
    std::uint64_t last_handle_ = 0;
};

}  // namespace plugfs::kit
