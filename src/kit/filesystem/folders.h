// Folders: what is in the device's folders, and how it comes to be known.
//
// A folder is listed when somebody looks into it, in parts, or ahead of somebody who walks (kit/walk_ahead.h). Who
// waits for it is called after each part, so that a name is found as soon as it has been seen; "no such file" can be
// said when the listing is complete. An entry that is unbound is found again by listing the folder that it is in.
//
// What the device reports by itself comes in the same way as what is listed, and the kernel is told.
#pragma once

#include "kit/filesystem/core.h"
#include "kit/walk_ahead.h"

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

namespace plugfs::kit {

// What others have to do with folders and entries. All functions are called on the FUSE thread.
class FolderObserver {
  public:
    virtual ~FolderObserver() = default;
    // `folder`, of controls, is to be listed: Folders::ended() follows.
    virtual void list_controls(Node& folder) = 0;
    // Of a folder of links, which is built rather than listed: as it gets on, Folders::resume() follows for view_of().
    [[nodiscard]] virtual bool view_is_known() const = 0;
    [[nodiscard]] virtual std::uint64_t view_of(const Node& folder) = 0;
    virtual void want_view() = 0;
    virtual void entry_appeared(const Node& node) = 0;
    // What was read of it is not what the device has.
    virtual void content_changed(const Node& node) = 0;
    virtual void attributes_changed(const Node& node) = 0;
    // After a listing, or changes that the device has reported.
    virtual void folders_changed() = 0;
    [[nodiscard]] virtual bool is_open(std::uint64_t inode) const = 0;
};

class Folders {
  public:
    // Called after each part of a listing, and at its end with the error if it failed (then it must be done). Returns
    // true when it is done.
    using Waiter = std::function<bool(const Error*)>;
    // Called once, with the error if there is one.
    using Done = std::function<void(const Error*)>;

    // Both must outlive this.
    Folders(FilesystemCore& core, FolderObserver& observer) : core_(core), observer_(observer) {}
    ~Folders() = default;
    Folders(const Folders&) = delete;
    Folders& operator=(const Folders&) = delete;

    // Whether it can be said what is not in it.
    [[nodiscard]] bool is_known(const Node& folder) const;
    // Has it listed, for somebody who waits.
    void await(Node& folder, Waiter waiter);
    // The same, behind all others.
    void await_behind(Node& folder, const Done& done);
    void when_listed(std::uint64_t inode, const Done& done);
    // When the driver can be asked with the entry's key.
    void when_bound(Node& node, const Done& done);
    // Calls `waiter` at the next resume() of that inode, without asking for anything.
    void add_waiter(std::uint64_t inode, Waiter waiter) { waiters_[inode].push_back(std::move(waiter)); }
    void resume(std::uint64_t inode, const Error* error);
    // As if this process had listed `folder` before, so that what is new is announced.
    void list_as_if_known(Node& folder);
    // Somebody looks into `folder`: if he goes through a tree, what he will look into next is listed already.
    void looked_into(const Node& folder);
    // A listing of `folder` has ended.
    void ended(Node& folder, const Error* error);
    // The session with the device that `key` is of has ended; unless that is known already.
    void keys_lost(const Node& node, Key key);

    // Takes an entry and all below it out of the tree, and tells the kernel.
    void take_out(Node& node);
    // The device's own changes.
    void added(Key folder, const Entry& entry);
    void removed(Key key);
    void changed(const Entry& entry);
    void list_again(Key folder);
    // At once, not at the next look: the kernel answers from its own caches and would never ask. Nothing if nobody has
    // looked yet.
    void list_again(Node& folder);

  private:
    // Which key a job was given, and how often it has been tried with keys that turned out to be stale.
    struct Attempt {
        Key key = 0;
        unsigned number = 0;
        std::uint64_t listing = 0;
    };
    void want_listing(Node& folder, unsigned attempt = 0, Priority priority = Priority::metadata);
    void list_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Priority priority);
    void listed_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, const Result<Listing>& part);
    void take_in(Node& folder, const Entry& entry, bool announce);
    [[nodiscard]] static std::vector<std::uint64_t> folders_in(const Node& folder, std::uint64_t after);
    void list_ahead();

    FilesystemCore& core_;
    FolderObserver& observer_;
    std::unordered_map<std::uint64_t, std::vector<Waiter>> waiters_;  // by inode
    std::unordered_map<std::uint64_t, JobId> jobs_;                   // of the next part, by inode
    WalkAhead walk_;
};

}  // namespace plugfs::kit
