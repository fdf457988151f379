#include "kit/filesystem/filesystem.h"

#include "common/log.h"

#include <fcntl.h>
#include <poll.h>

#include <utility>

namespace plugfs::kit {

namespace {

// Room in the notifier's queue is left for what changes meanwhile.
constexpr std::size_t forget_limit = 32768;

}  // namespace

Filesystem::Filesystem(DeviceQueue& queue, Mailbox& mailbox, Ownership ownership)
    : core_{queue, mailbox},
      status_(ownership),
      folders_(core_, *this),
      lookups_(core_, folders_, status_),
      jobs_(core_, folders_),
      reader_(core_, folders_, status_),
      writer_(core_, folders_, jobs_, reader_, lookups_),
      names_(core_, folders_, reader_, status_),
      attributes_(core_, jobs_),
      controls_(core_, folders_, pollers_),
      tracks_(core_, folders_, attributes_) {
    core_.tree.link_goes = [this](const Node& link) { tracks_.link_goes(link); };
    const auto look_at_track = [this](std::uint64_t inode) {
        attributes_changed(inode);
        tracks_.go_on();
    };
    writer_.on_written = look_at_track;
    attributes_.on_set = look_at_track;
    // Not the numbers that a predecessor has given.
    const timespec& began = status_.began();
    last_handle_ = (static_cast<std::uint64_t>(began.tv_sec) << 32U) | static_cast<std::uint64_t>(began.tv_nsec);
    core_.tree.add_own(core_.tree.root(), description_name, Kind::file, Content::text).size = description_.size();
    (void)core_.tree.add_own(core_.tree.root(), events_name, Kind::file, Content::events);
}

Result<void> Filesystem::restore(NodeLog& log, OperationLog& operations, VaultHeader& header) {
    PLUGFS_ASSIGN(auto notes, log.read());
    if (!notes.empty()) {
        const std::size_t count = core_.tree.restore(std::move(notes));
        log::info("taking over; the kernel knows " + std::to_string(count) + " entries");
    }
    if (Node* node = Tree::child(core_.tree.root(), events_name)) {
        node->size = events_.size();  // the predecessor's are gone with it
    }
    PLUGFS_TRY(names_.restore(operations));
    log.all = [this](const std::function<void(const NodeNote&)>& give) { core_.tree.each_note(give); };
    core_.tree.observe(log);
    writable_note_ = &header.writable;
    status_.set_writable(header.writable.load() == 1);
    pollers_.note_in(header);
    return {};
}

void Filesystem::connect(Session& session, Notices& notifier) {
    core_.session = &session;
    core_.notifier = &notifier;
    session.wake_pollers_of_predecessor();
    names_.look_for_unfinished();
}

void Filesystem::have_attributes_forgotten() {
    std::size_t left = forget_limit;
    core_.tree.each_note([&](const NodeNote& note) {
        if (left > 0) {
            --left;
            core_.notifier->inode_changed(note.inode, false);
        }
    });
    if (left < forget_limit) {
        core_.notifier->inode_changed(root_inode, false);
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
    lookups_.initialise(connection);
}

void Filesystem::open(fuse_req_t request, std::uint64_t inode, fuse_file_info& info) {
    Node* node = core_.tree.find(inode);
    if (node == nullptr || node->kind != Kind::file) {
        fuse_reply_err(request, node == nullptr ? ESTALE : EISDIR);
        return;
    }
    const bool writes = (info.flags & O_ACCMODE) != O_RDONLY;
    const bool is_control = node->content == Content::control;
    if (writes && node->content != Content::driver && !(is_control && controls_.may_set(*node))) {
        fuse_reply_err(request, EACCES);
        return;
    }
    if (writes && !is_control && core_.start.done() && !status_.writable()) {
        fuse_reply_err(request, EROFS);
        return;
    }
    if ((info.flags & O_TRUNC) != 0 && !is_control) {
        writer_.empty(request, *node,
                      [this, request, info](const Node& at) mutable { answer_open(request, at, info); });
    } else {
        answer_open(request, *node, info);
    }
}

void Filesystem::answer_open(fuse_req_t request, const Node& node, fuse_file_info& info) {
    if (node.content == Content::events || node.content == Content::control) {
        info.fh = ++last_handle_;
        info.direct_io = 1;  // it changes: the kernel must not remember what it was, nor where it ended
    }
    if (node.content == Content::events) {
        event_readers_[info.fh] = events_.open();
    } else if (node.content == Content::driver || node.content == Content::attribute) {
        info.keep_cache = 1;  // we say when the content changes
    }
    if (node.content == Content::driver || node.content == Content::attribute) {
        reader_.opened(node.inode);
    }
    if (fuse_reply_open(request, &info) == -ENOENT) {
        event_readers_.erase(info.fh);
        controls_.closed(info.fh);
    }
}

void Filesystem::release(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info) {
    event_readers_.erase(info.fh);
    controls_.closed(info.fh);
    reader_.closed(inode);
    if (!reader_.is_open(inode)) {
        tracks_.closed(inode);
    }
    fuse_reply_err(request, 0);
}

void Filesystem::read(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset,
                      const fuse_file_info& info) {
    Node* node = core_.tree.find(inode);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    switch (node->content) {
        case Content::events:
            read_events(request, size, offset, info.fh);
            break;
        case Content::text: {
            const auto part = offset < description_.size() ? std::string_view(description_).substr(offset, size) : "";
            fuse_reply_buf(request, part.data(), part.size());
            break;
        }
        case Content::driver:
            reader_.read(request, *node, size, offset, (info.flags & O_DIRECT) != 0);
            break;
        case Content::control:
            controls_.read(request, *node, size, offset, info.fh);
            break;
        case Content::attribute:
            tracks_.read_cover(request, *node, size, offset);
            break;
        case Content::controls:
        case Content::view:
        case Content::link:
            fuse_reply_err(request, EISDIR);
            break;
    }
}

void Filesystem::read_events(fuse_req_t request, std::size_t size, std::uint64_t offset, std::uint64_t handle) {
    auto reader = event_readers_.find(handle);
    if (reader == event_readers_.end()) {
        // Opened with a predecessor, whose lines are gone with it.
        reader = event_readers_.emplace(handle, events_.open(offset)).first;
    }
    const auto part = reader->second.read(events_, offset, size);
    fuse_reply_buf(request, part.data(), part.size());
}

void Filesystem::write(fuse_req_t request, std::uint64_t inode, std::string_view bytes, std::uint64_t offset,
                       std::uint64_t handle) {
    if (Node* node = core_.tree.find(inode); node != nullptr && node->content == Content::control) {
        controls_.write(request, *node, bytes, offset, handle);
    } else {
        writer_.write(request, inode, std::as_bytes(std::span(bytes)), offset);
    }
}

void Filesystem::flush(fuse_req_t request, std::uint64_t inode, bool closes) {
    if (closes) {
        reader_.give_up_reads(inode);
    }
    writer_.flush(request, inode);
}

void Filesystem::poll(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info, fuse_pollhandle* handle) {
    const Node* node = core_.tree.find(inode);
    unsigned ready = POLLIN;
    bool may_wait = false;
    if (node != nullptr && node->content == Content::events) {
        const auto reader = event_readers_.find(info.fh);
        ready = reader != event_readers_.end() && reader->second.at_end(events_) ? 0U : unsigned{POLLIN};
        may_wait = true;
    } else if (node != nullptr && node->content == Content::control) {
        ready = controls_.ready(*node, info.fh);
        may_wait = true;
    }
    if (handle != nullptr && may_wait) {
        pollers_.add(*core_.session, handle);
    } else if (handle != nullptr) {
        fuse_pollhandle_destroy(handle);
    }
    fuse_reply_poll(request, ready);
}

void Filesystem::statistics(fuse_req_t request) {
    if (core_.waiting.refuse(request)) {
        return;
    }
    const auto id = core_.waiting.add(
        request, [this, request](const Error& error) { core_.waiting.reply_error(request, error, "free space"); });
    core_.queue.add(Priority::metadata, [this, id](Driver& driver) {
        core_.mailbox.post([this, id, space = driver.space()] {
            if (!space && space.error().code != ENOTSUP) {
                core_.waiting.fail(id, space.error());
                return;
            }
            const fuse_req_t waiting = core_.waiting.take(id);
            if (waiting == nullptr) {
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
            fuse_reply_statfs(waiting, &numbers);
        });
    });
}

}  // namespace plugfs::kit
