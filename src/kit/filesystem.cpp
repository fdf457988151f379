#include "kit/filesystem.h"

#include "common/log.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

namespace plugfs::kit {

namespace {

// Names and attributes stay in the kernel until we say otherwise; this is for what is missed.
constexpr double cache_seconds = 3600;
constexpr double missing_seconds = 60;

}  // namespace

Filesystem::Filesystem(DeviceQueue& queue, Mailbox& mailbox, Ownership ownership)
    : queue_(queue), mailbox_(mailbox), ownership_(ownership) {
    tree_.link_goes = [this](const Node& link) { link_goes(link); };
    (void)::clock_gettime(CLOCK_REALTIME, &started_);
    // Not the numbers that a predecessor has given.
    last_handle_ = (static_cast<std::uint64_t>(started_.tv_sec) << 32U) | static_cast<std::uint64_t>(started_.tv_nsec);
    tree_.add_own(tree_.root(), "device.json", Kind::file, Content::text).size = description_.size();
    (void)tree_.add_own(tree_.root(), "events", Kind::file, Content::events);
}

Filesystem::~Filesystem() {
    for (auto* handle : pollers_) {
        fuse_pollhandle_destroy(handle);
    }
}

void Filesystem::initialise(fuse_conn_info& connection) {
    // Splicing was measured to be slower than writing from memory; locks stay in the kernel. Of asynchronous direct
    // reads the kernel waits for the last, whatever signal comes: nobody could interrupt them.
    connection.want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                                              FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_READDIRPLUS_AUTO |
                                              FUSE_CAP_ASYNC_DIO);
    // O_TRUNC comes with open(): so it is known that a close, with its flush, will follow.
    connection.want |= connection.capable &
                       static_cast<unsigned>(FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC |
                                             FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS);
    connection.max_write = fuse_max_write;
    folders_need_no_open_ = (connection.capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
}

struct stat Filesystem::attributes(const Node& node) const {
    struct stat status {};
    const bool folder = node.kind == Kind::directory;
    status.st_ino = node.inode;
    const auto control = controls_.find(node.inode);
    const bool settable = control != controls_.end() && control->second.writable;
    const mode_t write = (writable_ && node.content == Content::driver) || settable ? 0222U : 0U;
    status.st_mode = ((folder ? S_IFDIR | 0555U : S_IFREG | 0444U) | write) & ~ownership_.umask;
    // For a folder 1 is "not counted"; 2 would tell find(1) that it has no sub-folders.
    status.st_nlink = static_cast<nlink_t>(1 + (folder ? 0 : node.links.size()));
    status.st_uid = ownership_.uid;
    status.st_gid = ownership_.gid;
    status.st_size = static_cast<off_t>(node.content == Content::events ? events_.size() : node.size);
    status.st_blocks = (status.st_size + 511) / 512;
    status.st_blksize = static_cast<blksize_t>(read_size_);
    if ((node.content != Content::driver && !node.modified) || node.inode == root_inode) {
        status.st_mtim = started_;
        if (node.content == Content::events) {
            (void)::clock_gettime(CLOCK_REALTIME, &status.st_mtim);
        }
    } else {
        status.st_mtim.tv_sec = node.modified.value_or(0);
    }
    status.st_ctim = status.st_mtim;
    status.st_atim = status.st_mtim;
    return status;
}

fuse_entry_param Filesystem::entry_for(const Node& node) const {
    fuse_entry_param entry{};
    entry.ino = node.inode;
    entry.attr = attributes(node);
    entry.entry_timeout = cache_seconds;
    entry.attr_timeout = node.content == Content::events ? 0 : cache_seconds;
    return entry;
}

void Filesystem::get_attributes(fuse_req_t request, std::uint64_t inode) {
    Node* node = tree_.find(inode);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    if (!size_unknown(*node)) {
        answer_attributes(request, *node);
        return;
    }
    if (refuse(request)) {
        return;
    }
    const PendingId id = wait(request, [this, request](const Error& error) { reply_error(request, error, "look"); });
    when_bound(*node, [this, id, request, inode](const Error* error) {
        if (!waits(id)) {
            return;
        }
        finish(id);
        const Node* at = tree_.find(inode);
        if (error != nullptr || at == nullptr) {
            reply_error(request, error != nullptr ? *error : fail(ESTALE, "look"), "look");
        } else {
            answer_attributes(request, *at);
        }
    });
}

void Filesystem::answer_attributes(fuse_req_t request, const Node& node) {
    const struct stat status = attributes(node);
    fuse_reply_attr(request, &status, node.content == Content::events ? 0 : cache_seconds);
}

void Filesystem::lookup(fuse_req_t request, std::uint64_t parent, const char* name) {
    Node* folder = tree_.find(parent);
    if (folder == nullptr || folder->kind != Kind::directory) {
        fuse_reply_err(request, folder == nullptr ? ESTALE : ENOTDIR);
        return;
    }
    if (answer_lookup(request, *folder, name)) {
        return;
    }
    if (refuse(request)) {
        return;
    }
    const PendingId id = wait(request, [this, request, what = Tree::path(*folder)](const Error& error) {
        reply_error(request, error, "list " + plugfs::quoted(what));
    });
    await_folder(*folder, [this, id, request, parent, wanted = std::string(name)](const Error* error) {
        if (!waits(id)) {
            return true;
        }
        Node* at = tree_.find(parent);
        if (error != nullptr) {
            reply_error(request, *error, "list " + plugfs::quoted(at != nullptr ? Tree::path(*at) : "?"));
        } else if (at == nullptr) {
            fuse_reply_err(request, ESTALE);
        } else if (!answer_lookup(request, *at, wanted)) {
            return false;
        }
        finish(id);
        return true;
    });
}

bool Filesystem::answer_lookup(fuse_req_t request, Node& folder, const std::string& name) {
    Node* node = Tree::child(folder, name);
    if (node != nullptr) {
        node = &tree_.resolved(*node);
    }
    if (node != nullptr && !size_unknown(*node)) {
        tree_.reference(*node);
        const auto entry = entry_for(*node);
        if (fuse_reply_entry(request, &entry) == -ENOENT) {
            tree_.unreference(*node);  // interrupted: the kernel did not take the reference
        }
        return true;
    }
    if (!is_known(folder)) {
        return false;
    }
    fuse_entry_param missing{};
    missing.entry_timeout = missing_seconds;
    fuse_reply_entry(request, &missing);
    return true;
}

void Filesystem::statistics(fuse_req_t request) {
    if (refuse(request)) {
        return;
    }
    const PendingId id =
        wait(request, [this, request](const Error& error) { reply_error(request, error, "free space"); });
    queue_.add(Priority::metadata, [this, id](Driver& driver) {
        mailbox_.post([this, id, space = driver.space()] {
            const auto found = pending_.find(id);
            if (found == pending_.end()) {
                return;
            }
            const fuse_req_t request_now = found->second.request;
            finish(id);
            if (!space && space.error().code != ENOTSUP) {
                reply_error(request_now, space.error(), "free space");
                return;
            }
            struct statvfs numbers {};
            numbers.f_bsize = 4096;
            numbers.f_frsize = 4096;
            numbers.f_namemax = 255;
            if (space) {
                numbers.f_blocks = space->total / numbers.f_frsize;
                numbers.f_bfree = space->available / numbers.f_frsize;
                numbers.f_bavail = numbers.f_bfree;
            }
            fuse_reply_statfs(request_now, &numbers);
        });
    });
}

int Filesystem::visible_code(const Error& error) {
    // What a program can make sense of; everything else is "the device failed".
    constexpr int known[] = {ENODEV, ENOENT,  EACCES, EPERM,   EROFS,  ENOSPC,       ENOTSUP,
                             EINVAL, EISDIR,  EBUSY,  ENOTDIR, ENOMEM, EFBIG,        ESTALE,
                             EINTR,  EUCLEAN, EXDEV,  ENFILE,  EEXIST, ENAMETOOLONG, ENOTEMPTY};
    const bool fits = std::find(std::begin(known), std::end(known), error.code) != std::end(known);
    return fits ? error.code : EIO;
}

bool Filesystem::refuse(fuse_req_t request) {
    if (dead_ && !(dead_->code == ENODEV && hold_when_gone_)) {
        fuse_reply_err(request, visible_code(*dead_));
    }
    return dead_.has_value();
}

void Filesystem::reply_error(fuse_req_t request, const Error& error, std::string_view what) {
    if (error.code == ENODEV && hold_when_gone_) {
        return;
    }
    // That something is there, or is not, is an answer: nothing has failed.
    constexpr std::array answers = {ENOENT, EEXIST, ENOTEMPTY, ENOTDIR, EISDIR, EINTR};
    const bool is_answer = std::find(answers.begin(), answers.end(), error.code) != answers.end();
    log::write(is_answer ? LogLevel::debug : LogLevel::error, std::string(what) + ": " + error.text());
    fuse_reply_err(request, visible_code(error));
}

Filesystem::PendingId Filesystem::wait(fuse_req_t request, std::function<void(const Error&)> fail) {
    const PendingId id = ++last_pending_;
    pending_[id] = {request, std::move(fail), {}};
    fuse_req_interrupt_func(request, on_interrupt, this);
    return id;
}

Filesystem::PendingId Filesystem::wait_through(fuse_req_t request, std::function<void(const Error&)> fail) {
    const PendingId id = ++last_pending_;
    pending_[id] = {request, std::move(fail), {}};
    return id;
}

void Filesystem::keys_lost(const Node& node, Key key) {
    // Several requests learn of it one after the other; the first one acts, the others find the entry bound anew, or
    // unbound.
    if (node.bound && node.key == key) {
        log::info("the driver began a new session with the device: finding everything again by name");
        tree_.unbind_all();
    }
}

void Filesystem::finish(PendingId id) {
    pending_.erase(id);
}

void Filesystem::on_interrupt(fuse_req_t request, void* self) {
    // libfuse holds the request's lock here: answer later.
    static_cast<Filesystem*>(self)->interrupted_.push_back(request);
}

void Filesystem::answer_interrupted() {
    for (const auto request : std::exchange(interrupted_, {})) {
        const auto found = std::find_if(pending_.begin(), pending_.end(),
                                        [request](const auto& item) { return item.second.request == request; });
        if (found != pending_.end()) {
            const auto interrupted = std::move(found->second.interrupted);
            pending_.erase(found);
            fuse_reply_err(request, EINTR);
            if (interrupted) {
                interrupted();
            }
        }
    }
}

}  // namespace plugfs::kit
