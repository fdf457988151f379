#include "supervisor/control_fs.h"

#include "common/log.h"
#include "common/vault.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace plugfs {

namespace {

constexpr fuse_ino_t root_inode = FUSE_ROOT_ID;
constexpr fuse_ino_t events_inode = 2;
constexpr unsigned file_bits =
    8;  // of an inode; the rest is the device's number. Its folder has 0 there, files count from 1
constexpr int requests_per_turn = 16;
constexpr std::size_t handle_limit = 4096;
constexpr std::size_t poller_limit = 256;

fuse_ino_t inode_of(unsigned device, int file) {
    return (fuse_ino_t{device} << file_bits) | static_cast<fuse_ino_t>(file + 1);
}

ssize_t plain_writev(int fd, iovec* parts, int count, void* /*self*/) {
    return ::writev(fd, parts, count);
}
ssize_t plain_read(int fd, void* buffer, size_t size, void* /*self*/) {
    return ::read(fd, buffer, size);
}

}  // namespace

struct ControlOperations {
    static ControlFs& self(fuse_req_t request) { return *static_cast<ControlFs*>(fuse_req_userdata(request)); }

    static void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
        self(request).lookup(request, parent, name);
    }
    static void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*info*/) {
        self(request).get_attributes(request, inode);
    }
    static void readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info* /*info*/) {
        self(request).read_folder(request, inode, size, offset);
    }
    static void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* info) {
        self(request).open(request, inode, *info);
    }
    static void read(fuse_req_t request, fuse_ino_t /*inode*/, size_t size, off_t offset, fuse_file_info* info) {
        self(request).read(request, size, offset, *info);
    }
    static void write(fuse_req_t request, fuse_ino_t inode, const char* data, size_t size, off_t /*offset*/,
                      fuse_file_info* /*info*/) {
        self(request).write(request, inode, {data, size});
    }
    // The shell's > truncates first.
    static void setattr(fuse_req_t request, fuse_ino_t inode, struct stat* /*status*/, int what,
                        fuse_file_info* /*info*/) {
        if ((what & ~(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_CTIME)) != 0) {
            fuse_reply_err(request, EPERM);
            return;
        }
        self(request).get_attributes(request, inode);
    }
    static void poll(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* info, fuse_pollhandle* handle) {
        self(request).poll(request, *info, handle);
    }
    static void release(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* info) {
        self(request).release(request, *info);
    }
};

Result<std::unique_ptr<ControlFs>> ControlFs::create(UniqueFd fuse, EventLoop& loop, ControlSource& source,
                                                     const EventLog& events, const ControlAccess& access) {
    std::unique_ptr<ControlFs> self(new ControlFs(loop, source, events, access));
    fuse_lowlevel_ops operations{};
    operations.lookup = ControlOperations::lookup;
    operations.getattr = ControlOperations::getattr;
    operations.readdir = ControlOperations::readdir;
    operations.open = ControlOperations::open;
    operations.read = ControlOperations::read;
    operations.write = ControlOperations::write;
    operations.setattr = ControlOperations::setattr;
    operations.poll = ControlOperations::poll;
    operations.release = ControlOperations::release;
    char program[] = "plugfsd";
    char* arguments[] = {program, nullptr};
    fuse_args args{1, arguments, 0};
    self->session_ = fuse_session_new(&args, &operations, sizeof operations, self.get());
    if (self->session_ == nullptr) {
        return fail(ENOMEM, ".control", "fuse_session_new");
    }
    fuse_custom_io io{};
    io.writev = plain_writev;
    io.read = plain_read;
    if (const int status = fuse_session_custom_io(self->session_, &io, fuse.get()); status != 0) {
        return fail(-status, ".control", "fuse_session_custom_io");
    }
    self->fd_ = fuse.release();
    self->buffer_.resize(large_slot_size);
    loop.watch(self->fd_, [raw = self.get()] { raw->serve(); });
    return self;
}

ControlFs::~ControlFs() {
    for (auto* handle : pollers_) {
        fuse_pollhandle_destroy(handle);
    }
    if (fd_ >= 0) {
        loop_.unwatch(fd_);
    }
    if (session_ != nullptr) {
        fuse_session_destroy(session_);
    }
}

void ControlFs::serve() {
    for (int i = 0; i < requests_per_turn; ++i) {
        const ssize_t length = ::read(fd_, buffer_.data(), buffer_.size());
        if (length < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ENOENT) {
                log::warning(std::string(".control: ") + std::strerror(errno) +
                             (errno == ENODEV ? ": it was unmounted" : ""));
                loop_.unwatch(fd_);
            }
            return;
        }
        fuse_buf request{};
        request.mem = buffer_.data();
        request.size = static_cast<std::size_t>(length);
        fuse_session_process_buf(session_, &request);
    }
}

ControlFs::Place ControlFs::place(fuse_ino_t inode) const {
    if (inode == root_inode) {
        return {true, true, 0, -1};
    }
    if (inode == events_inode) {
        return {true, false, 0, 0};
    }
    const auto device = static_cast<unsigned>(inode >> file_bits);
    const int file = static_cast<int>(inode & ((1U << file_bits) - 1)) - 1;
    const bool known = device != 0 && file < static_cast<int>(control_file_names.size()) &&
                       !source_.control_content(device, ControlFile::state).empty();
    return {known, file < 0, device, file};
}

struct stat ControlFs::attributes(fuse_ino_t inode, const Place& place) const {
    struct stat status {};
    status.st_ino = inode;
    const mode_t command = 0200U | (access_.group_commands ? 0020U : 0U);
    status.st_mode = place.folder        ? S_IFDIR | (0755U & ~access_.umask)
                     : is_command(place) ? S_IFREG | command
                                         : S_IFREG | (0444U & ~access_.umask);
    status.st_nlink = 1;
    status.st_uid = access_.uid;
    status.st_gid = access_.gid;
    if (inode == events_inode) {
        status.st_size = static_cast<off_t>(events_.size());
    } else if (!place.folder) {
        status.st_size =
            static_cast<off_t>(source_.control_content(place.device, static_cast<ControlFile>(place.file)).size());
    }
    (void)::clock_gettime(CLOCK_REALTIME, &status.st_mtim);
    status.st_ctim = status.st_mtim;
    status.st_atim = status.st_mtim;
    return status;
}

std::vector<std::pair<std::string, fuse_ino_t>> ControlFs::entries(const Place& folder) const {
    std::vector<std::pair<std::string, fuse_ino_t>> list;
    if (folder.device == 0) {
        list.emplace_back("events", events_inode);
        for (const auto& device : source_.control_devices()) {
            list.emplace_back(device.name, inode_of(device.number, -1));
        }
        return list;
    }
    for (std::size_t i = 0; i < control_file_names.size(); ++i) {
        list.emplace_back(control_file_names[i], inode_of(folder.device, static_cast<int>(i)));
    }
    return list;
}

void ControlFs::lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
    const Place folder = place(parent);
    if (folder.exists && folder.folder) {
        for (const auto& [entry_name, inode] : entries(folder)) {
            if (entry_name == name) {
                fuse_entry_param entry{};
                entry.ino = inode;
                entry.attr = attributes(inode, place(inode));
                fuse_reply_entry(request, &entry);
                return;
            }
        }
    }
    fuse_reply_err(request, ENOENT);
}

void ControlFs::get_attributes(fuse_req_t request, fuse_ino_t inode) {
    const Place at = place(inode);
    if (!at.exists) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    const struct stat status = attributes(inode, at);
    fuse_reply_attr(request, &status, 0);
}

void ControlFs::read_folder(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset) {
    const Place folder = place(inode);
    if (!folder.exists || !folder.folder) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    auto list = entries(folder);
    list.insert(list.begin(), {{".", inode}, {"..", root_inode}});
    // The inode is the offset of what follows: entries come and go while somebody reads.
    std::sort(list.begin() + 2, list.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::vector<char> buffer(size);
    std::size_t used = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        // Offsets 1 and 2 are taken by "." and ".."; inodes begin at 2, hence the shift.
        const auto next = i < 2 ? static_cast<off_t>(i + 1) : static_cast<off_t>(list[i].second + 2);
        if (next <= offset) {
            continue;
        }
        struct stat status {};
        status.st_ino = list[i].second;
        status.st_mode = list[i].second == events_inode || (folder.device != 0 && i >= 2) ? S_IFREG : S_IFDIR;
        const auto need =
            fuse_add_direntry(request, buffer.data() + used, size - used, list[i].first.c_str(), &status, next);
        if (need > size - used) {
            break;
        }
        used += need;
    }
    fuse_reply_buf(request, buffer.data(), used);
}

void ControlFs::open(fuse_req_t request, fuse_ino_t inode, fuse_file_info& info) {
    const Place at = place(inode);
    const auto wanted = is_command(at) ? O_WRONLY : O_RDONLY;
    if (!at.exists || at.folder || (info.flags & O_ACCMODE) != wanted) {
        fuse_reply_err(request, !at.exists ? ENOENT : (at.folder ? EISDIR : EACCES));
        return;
    }
    if (handles_.size() >= handle_limit) {
        fuse_reply_err(request, ENFILE);
        return;
    }
    info.fh = ++last_handle_;
    info.direct_io = 1;
    Handle handle;
    handle.events = inode == events_inode;
    if (handle.events) {
        handle.reader = events_.open();
    } else {
        handle.content = source_.control_content(at.device, static_cast<ControlFile>(at.file));
    }
    handles_[info.fh] = std::move(handle);
    if (fuse_reply_open(request, &info) == -ENOENT) {
        handles_.erase(info.fh);
    }
}

void ControlFs::read(fuse_req_t request, std::size_t size, off_t offset, const fuse_file_info& info) {
    const auto found = handles_.find(info.fh);
    if (found == handles_.end()) {
        fuse_reply_err(request, EBADF);
        return;
    }
    auto& handle = found->second;
    const auto from = static_cast<std::uint64_t>(offset);
    std::string_view part;
    if (handle.events) {
        part = handle.reader.read(events_, from, size);
    } else if (from < handle.content.size()) {
        part = std::string_view(handle.content).substr(from, size);
    }
    fuse_reply_buf(request, part.data(), part.size());
}

void ControlFs::write(fuse_req_t request, fuse_ino_t inode, std::string_view text) {
    const Place at = place(inode);
    const int error = !at.exists       ? ENOENT
                      : is_command(at) ? source_.control_command(at.device, static_cast<ControlFile>(at.file), text)
                                       : EACCES;
    if (error != 0) {
        fuse_reply_err(request, error);
    } else {
        fuse_reply_write(request, text.size());
    }
}

void ControlFs::poll(fuse_req_t request, const fuse_file_info& info, fuse_pollhandle* handle) {
    const auto found = handles_.find(info.fh);
    const bool wait = found != handles_.end() && found->second.events && found->second.reader.at_end(events_);
    if (handle != nullptr) {
        if (pollers_.size() >= poller_limit) {
            events_grew();  // they look, find nothing, and come back
        }
        pollers_.push_back(handle);
    }
    fuse_reply_poll(request, wait ? 0 : POLLIN);
}

void ControlFs::release(fuse_req_t request, const fuse_file_info& info) {
    handles_.erase(info.fh);
    fuse_reply_err(request, 0);
}

void ControlFs::events_grew() {
    for (auto* handle : std::exchange(pollers_, {})) {
        (void)fuse_lowlevel_notify_poll(handle);
        fuse_pollhandle_destroy(handle);
    }
}

}  // namespace plugfs
