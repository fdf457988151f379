// Filesystem: the content and times of files, written to.
//
// A write goes straight from the request, which stays in its slot until it is answered, to the driver: when write(2)
// returns, the driver has it; when fsync(2) or close(2) returns, the device has it. All of this may be done twice, so
// nothing has to be noted but that size and time are ours to change (Node::written).

#include "common/log.h"
#include "kit/crash_points.h"
#include "kit/filesystem.h"

#include <ctime>

namespace plugfs::kit {

Node* Filesystem::file_to_change(fuse_req_t request, std::uint64_t inode) {
    Node* node = tree_.find(inode);
    if (refuse(request)) {
        return nullptr;
    }
    int error = 0;
    if (node == nullptr) {
        error = ESTALE;
    } else if (node->content != Content::driver) {
        error = EPERM;
    } else if (node->parent == nullptr && inode != root_inode) {
        error = ENOENT;  // removed on the device while it was open
    }
    if (error != 0) {
        fuse_reply_err(request, error);
        return nullptr;
    }
    return node;
}

void Filesystem::begin_work(fuse_req_t request, std::uint64_t inode, FileWork work) {
    auto shared = std::make_shared<FileWork>(std::move(work));
    shared->inode = inode;
    ++changes_under_way_[inode];
    shared->id = wait_through(request, [this, request, inode, what = shared->what](const Error& error) {
        if (const auto count = changes_under_way_.find(inode);
            count != changes_under_way_.end() && --count->second == 0) {
            changes_under_way_.erase(count);
        }
        const Node* at = tree_.find(inode);
        reply_error(request, error, what + " " + quoted(at != nullptr ? Tree::path(*at) : "?"));
    });
    do_work(shared);
}

void Filesystem::do_work(const std::shared_ptr<FileWork>& work) {
    const auto failed = [this, work](const Error& error) {
        if (const auto found = pending_.find(work->id); found != pending_.end()) {
            const auto fail = found->second.fail;
            finish(work->id);
            fail(error);
        }
    };
    Node* node = tree_.find(work->inode);
    if (node == nullptr) {
        failed(fail(ENOENT, work->what, "removed on the device"));
        return;
    }
    when_bound(*node, [this, work, failed](const Error* error) {
        const Node* at = tree_.find(work->inode);
        if (error != nullptr || at == nullptr) {
            failed(error != nullptr ? *error : fail(ENOENT, work->what, "removed on the device"));
            return;
        }
        queue_.add(Priority::demanded, [this, work, key = at->key](Driver& driver) {
            Writer* writer = driver.writer();
            PLUGFS_CRASH_POINT(3);
            Result<std::optional<Entry>> result = fail(EROFS, work->what);
            if (writer != nullptr) {
                result = work->work(*writer, key);
            }
            PLUGFS_CRASH_POINT(4);
            mailbox_.post([this, work, key, result = std::move(result)] { work_done(work, key, result); });
        });
    });
}

void Filesystem::work_done(const std::shared_ptr<FileWork>& work, Key key, const Result<std::optional<Entry>>& result) {
    PLUGFS_CRASH_POINT(6);
    Node* node = tree_.find(work->inode);
    if (!result && result.error().code == ESTALE && work->attempt < stale_limit) {
        ++work->attempt;
        if (node != nullptr) {
            keys_lost(*node, key);
        }
        do_work(work);
        return;
    }
    const auto found = pending_.find(work->id);
    if (found == pending_.end()) {
        return;
    }
    if (!result || node == nullptr) {
        const auto fail_request = found->second.fail;
        finish(work->id);
        fail_request(!result ? result.error() : fail(ENOENT, work->what, "removed on the device"));
        return;
    }
    if (const auto count = changes_under_way_.find(work->inode);
        count != changes_under_way_.end() && --count->second == 0) {
        changes_under_way_.erase(count);
    }
    finish(work->id);
    PLUGFS_CRASH_POINT(7);
    work->done(*node, *result);
    PLUGFS_CRASH_POINT(8);
}

// What was fetched is old; what is being fetched may be.
void Filesystem::content_changed_by_us(Node& node) {
    tree_.will_be_written(node);
    node.modified = std::time(nullptr);
    forget_content(node);
}

void Filesystem::write(fuse_req_t request, std::uint64_t inode, std::span<const std::byte> bytes, std::uint64_t offset,
                       std::uint64_t handle) {
    PLUGFS_CRASH_POINT(1);
    if (Node* at = tree_.find(inode); at != nullptr && at->content == Content::control) {
        write_control(request, *at, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, offset, handle);
        return;
    }
    Node* node = file_to_change(request, inode);
    if (node == nullptr) {
        return;
    }
    tree_.will_be_written(*node);
    PLUGFS_CRASH_POINT(2);
    FileWork work;
    work.what = "write";
    work.work = [bytes, offset](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        PLUGFS_TRY(writer.write(key, offset, bytes));
        return std::optional<Entry>();
    };
    work.done = [this, request, end = offset + bytes.size(), count = bytes.size()](Node& file, const auto&) {
        file.size = std::max(file.size, end);
        content_changed_by_us(file);
        fuse_reply_write(request, count);
    };
    begin_work(request, inode, std::move(work));
}

void Filesystem::open_emptied(fuse_req_t request, Node& node, const fuse_file_info& info) {
    PLUGFS_CRASH_POINT(1);
    if (file_to_change(request, node.inode) == nullptr) {
        return;
    }
    tree_.will_be_written(node);
    PLUGFS_CRASH_POINT(2);
    FileWork work;
    work.what = "resize";
    work.work = [](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        PLUGFS_TRY(writer.resize(key, 0));
        return std::optional<Entry>();
    };
    work.done = [this, request, opens = info](Node& file, const auto&) mutable {
        file.size = 0;
        content_changed_by_us(file);
        answer_open(request, file, opens);
    };
    begin_work(request, node.inode, std::move(work));
}

void Filesystem::set_attributes(fuse_req_t request, std::uint64_t inode, const struct stat& wanted, unsigned which,
                                bool is_open) {
    PLUGFS_CRASH_POINT(1);
    // Owner and mode are the same for all files, whatever is asked for: `cp -p` and `rsync -a` go on.
    const bool resizes = (which & FUSE_SET_ATTR_SIZE) != 0;
    const bool dates = (which & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0;
    const Node* at = tree_.find(inode);
    const bool is_control = at != nullptr && at->content == Content::control;
    if ((!resizes && !dates) || is_control) {
        get_attributes(request, inode);
        return;
    }
    Node* node = file_to_change(request, inode);
    if (node == nullptr) {
        return;
    }
    const bool was_written = node->written;
    tree_.will_be_written(*node);
    PLUGFS_CRASH_POINT(2);
    const auto size = static_cast<std::uint64_t>(wanted.st_size);
    const std::int64_t seconds = (which & FUSE_SET_ATTR_MTIME_NOW) != 0 ? std::time(nullptr) : wanted.st_mtim.tv_sec;
    FileWork work;
    work.what = resizes ? "resize" : "set the time of";
    // truncate(2): no close follows.
    const bool flushes = resizes && !is_open;
    work.work = [resizes, dates, flushes, size, seconds](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        std::optional<Entry> flushed;
        if (resizes) {
            PLUGFS_TRY(writer.resize(key, size));
        }
        if (flushes) {
            PLUGFS_ASSIGN(flushed, writer.flush(key));
        }
        if (dates) {
            auto entry = writer.set_modified(key, seconds);
            if (entry) {
                return std::optional<Entry>(std::move(*entry));
            }
            // A device that keeps its own time is no reason for `cp -p` to fail.
            if (entry.error().code != ENOTSUP) {
                return entry.error();
            }
        }
        return flushed;
    };
    const bool settles = flushes || (!resizes && !was_written);
    work.done = [this, request, inode, resizes, settles, size](Node& file, const std::optional<Entry>& entry) {
        if (resizes) {
            file.size = size;
            content_changed_by_us(file);
        }
        if (entry) {
            file.modified = entry->modified;
        }
        // With another write under way the device's word is old already.
        if (settles && changes_under_way_.count(inode) == 0) {
            if (entry) {
                tree_.refresh(file, *entry);
            } else {
                tree_.was_not_written(file);
            }
        }
        get_attributes(request, inode);
    };
    begin_work(request, inode, std::move(work));
}

void Filesystem::flush(fuse_req_t request, std::uint64_t inode, bool closes) {
    if (closes) {
        give_up_reads(inode);
    }
    const Node* node = tree_.find(inode);
    if (node == nullptr || !node->written || node->parent == nullptr) {
        fuse_reply_err(request, 0);
        return;
    }
    if (refuse(request)) {
        return;
    }
    FileWork work;
    work.what = "flush";
    work.work = [](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        PLUGFS_ASSIGN(auto entry, writer.flush(key));
        return std::optional<Entry>(std::move(entry));
    };
    work.done = [this, request](Node& file, const std::optional<Entry>& entry) {
        // With another write under way the device's word is old already.
        if (entry && changes_under_way_.count(file.inode) == 0) {
            tree_.refresh(file, *entry);
        }
        attributes_changed(file.inode);
        go_on_with_tracks();
        fuse_reply_err(request, 0);
    };
    begin_work(request, inode, std::move(work));
}

}  // namespace plugfs::kit
