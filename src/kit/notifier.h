// Notifier: tells the kernel what changed on the device, so that its caches do not outlive it.
//
// A notification waits in the kernel for locks that a request in progress may hold, and that request may be waiting for
// our FUSE thread: sent from there it would be a deadlock. Hence a thread of its own, with a queue; the mutex guards
// the queue.
#pragma once

#include "kit/session.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace plugfs::kit {

// What the kernel is told of changes.
class Notices {
  public:
    virtual ~Notices() = default;
    // The attributes, and with `content` also the cached content (of a folder: its cached listing), have changed.
    virtual void inode_changed(std::uint64_t inode, bool content) = 0;
    // The name in `parent` means something else now, or nothing, or something for the first time.
    virtual void name_changed(std::uint64_t parent, std::string name) = 0;
    // The name has gone for good: watchers (inotify) see the removal.
    virtual void removed(std::uint64_t parent, std::uint64_t inode, std::string name) = 0;
};

class Notifier : public Notices {
  public:
    // Both must outlive this. `under_way` is 1 while it waits for the kernel, 0 otherwise: killed meanwhile, the
    // process does not end before the request is answered that holds the lock, and the supervisor has to know.
    Notifier(Session& session, std::atomic<std::uint32_t>& under_way);
    // Waits for the notification under way. The kernel ends it when the mount goes, or when the request it waits for is
    // answered.
    ~Notifier() override;
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    void inode_changed(std::uint64_t inode, bool content) override;
    void name_changed(std::uint64_t parent, std::string name) override;
    void removed(std::uint64_t parent, std::uint64_t inode, std::string name) override;

  private:
    struct Notice {
        enum class What : std::uint8_t { attributes, content, name, removal } what;
        std::uint64_t inode = 0;
        std::uint64_t parent = 0;
        std::string name;
        bool operator==(const Notice&) const = default;
    };
    void add(Notice notice);
    void run();
    void tell(const Notice& notice);

    Session& session_;
    std::atomic<std::uint32_t>& under_way_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Notice> queue_;
    bool stopping_ = false;
    bool overflowed_ = false;
    std::thread thread_;
};

}  // namespace plugfs::kit
