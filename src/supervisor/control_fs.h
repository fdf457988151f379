// ControlFs: `.control`, the supervisor's own FUSE mount: the state of every device as files.
//
//   .control/events                  one JSON object a line: attach, ready, crash, detach, ...; poll and tail -f work
//   .control/<name>/state            starting, running, recovering, away, waiting, quarantined, stopping
//   .control/<name>/driver           "mtp 1.0"
//   .control/<name>/pid              the worker's process, or nothing
//   .control/<name>/restarts         how often a worker has ended without being told to
//   .control/<name>/last-error       why, the last time
//   .control/<name>/last-crash       the last crash: signal, backtrace, unanswered requests, as JSON
//   .control/<name>/log              the last lines that the worker wrote
//   .control/<name>/sandbox          the layers around the worker: held, or why not
//   .control/<name>/restart          write anything: another worker takes over, or a quarantined device is tried again;
//                                    "take": one that another program has is taken from it
//   .control/<name>/eject            write anything: everything goes to the device, then it can be unplugged
//
// Everything here is made up at the moment it is asked for; nothing is cached. It is served from the supervisor's event
// loop, which therefore must never touch a path below the mount.
#pragma once

#define FUSE_USE_VERSION 314

#include "common/event_log.h"
#include "common/unique_fd.h"
#include "supervisor/event_loop.h"

#include <plugfs/result.h>

#include <fuse_lowlevel.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plugfs {

// The files of a device's control folder, in the order of their inode numbers.
enum class ControlFile : std::uint8_t {
    state,
    driver,
    pid,
    restarts,
    last_error,
    last_crash,
    log,
    restart,
    sandbox,
    eject
};
inline constexpr std::array<std::string_view, 10> control_file_names = {
    "state", "driver", "pid", "restarts", "last-error", "last-crash", "log", "restart", "sandbox", "eject"};
// Those that are written, not read.
[[nodiscard]] constexpr bool is_command(ControlFile file) {
    return file == ControlFile::restart || file == ControlFile::eject;
}

// What ControlFs shows; the Supervisor implements it.
class ControlSource {
  public:
    virtual ~ControlSource() = default;
    struct Device {
        unsigned number = 0;  // never used again for another device
        std::string name;
    };
    [[nodiscard]] virtual std::vector<Device> control_devices() const = 0;
    // The content of a file, one line with its break at least; empty when there is no such device (any more).
    [[nodiscard]] virtual std::string control_content(unsigned number, ControlFile file) const = 0;
    // `text` was written to a command's file. An errno, or 0.
    virtual int control_command(unsigned number, ControlFile file, std::string_view text) = 0;
};

// Whose the files of `.control` are. Commands can be written by the owner, and by the group if there is one; who may
// not read the devices' files (umask) may not read these.
struct ControlAccess {
    uid_t uid = 0;
    gid_t gid = 0;
    bool group_commands = false;
    mode_t umask = 022;
};

class ControlFs {
  public:
    // Serves `fuse` (mounted) from `loop`. `loop`, `source` and `events` must outlive it.
    static Result<std::unique_ptr<ControlFs>> create(UniqueFd fuse, EventLoop& loop, ControlSource& source,
                                                     const EventLog& events, const ControlAccess& access);
    ~ControlFs();
    ControlFs(const ControlFs&) = delete;
    ControlFs& operator=(const ControlFs&) = delete;

    // The log has grown: wakes whoever polls it.
    void events_grew();

  private:
    friend struct ControlOperations;
    ControlFs(EventLoop& loop, ControlSource& source, const EventLog& events, const ControlAccess& access)
        : loop_(loop), source_(source), events_(events), access_(access) {}
    void serve();

    // An inode is a device's number and a file's place in its folder.
    struct Place {
        bool exists = false;
        bool folder = false;
        unsigned device = 0;  // 0: the top
        int file = -1;        // -1: a folder; the top has one file, events, at 0
    };
    [[nodiscard]] Place place(fuse_ino_t inode) const;
    [[nodiscard]] static bool is_command(const Place& place) {
        return place.device != 0 && place.file >= 0 && plugfs::is_command(static_cast<ControlFile>(place.file));
    }
    [[nodiscard]] struct stat attributes(fuse_ino_t inode, const Place& place) const;
    [[nodiscard]] std::vector<std::pair<std::string, fuse_ino_t>> entries(const Place& folder) const;
    void lookup(fuse_req_t request, fuse_ino_t parent, const char* name);
    void get_attributes(fuse_req_t request, fuse_ino_t inode);
    void read_folder(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset);
    void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info& info);
    void read(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info& info);
    void write(fuse_req_t request, fuse_ino_t inode, std::string_view text);
    void poll(fuse_req_t request, const fuse_file_info& info, fuse_pollhandle* handle);
    void release(fuse_req_t request, const fuse_file_info& info);

    struct Handle {
        bool events = false;
        EventLog::Reader reader;
        std::string content;  // as it was when the file was opened: a reader sees one state, not two halves
    };
    EventLoop& loop_;
    ControlSource& source_;
    const EventLog& events_;
    ControlAccess access_;
    int fd_ = -1;  // owned by session_
    fuse_session* session_ = nullptr;
    std::vector<char> buffer_;
    std::unordered_map<std::uint64_t, Handle> handles_;
    std::uint64_t last_handle_ = 0;
    std::vector<fuse_pollhandle*> pollers_;
};

}  // namespace plugfs
