#include "kit/filesystem/file_writer.h"

#include "common/log.h"
#include "kit/crash_points.h"

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

namespace plugfs::kit {

Node* FileWriter::file_to_change(fuse_req_t request, std::uint64_t inode) {
    Node* node = core_.tree.find(inode);
    if (core_.waiting.refuse(request)) {
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

void FileWriter::change_ended(std::uint64_t inode) {
    if (const auto count = under_way_.find(inode); count != under_way_.end() && --count->second == 0) {
        under_way_.erase(count);
    }
}

void FileWriter::begin(fuse_req_t request, std::uint64_t inode, Work work) {
    ++under_way_[inode];
    const auto id = core_.waiting.add_through(request, [this, request, inode, what = work.what](const Error& error) {
        change_ended(inode);
        const Node* at = core_.tree.find(inode);
        core_.waiting.reply_error(request, error,
                                  std::string(what) + " " + quoted(at != nullptr ? Tree::path(*at) : "?"));
    });
    const auto shared = std::make_shared<Work>(std::move(work));
    const auto entry = std::make_shared<std::optional<Entry>>();
    jobs_.add(
        inode, Priority::demanded,
        [shared, entry](Driver& driver, Key key) -> Result<void> {
            Writer* writer = driver.writer();
            PLUGFS_CRASH_POINT(3);
            if (writer == nullptr) {
                return fail(EROFS, shared->what);
            }
            auto result = shared->work(*writer, key);
            PLUGFS_CRASH_POINT(4);
            if (!result) {
                return result.error();
            }
            *entry = std::move(*result);
            return {};
        },
        [this, id, inode, shared, entry](const Error* error) {
            PLUGFS_CRASH_POINT(6);
            Node* node = core_.tree.find(inode);
            if (error != nullptr || node == nullptr) {
                core_.waiting.fail(id, error != nullptr ? *error : fail(ENOENT, shared->what, "removed on the device"));
                return;
            }
            if (const fuse_req_t waiting = core_.waiting.take(id)) {
                change_ended(inode);
                PLUGFS_CRASH_POINT(7);
                shared->done(waiting, *node, *entry);
                PLUGFS_CRASH_POINT(8);
            }
        });
}

// What was fetched is old; what is being fetched may be.
void FileWriter::content_changed(Node& node) {
    core_.tree.will_be_written(node);
    node.modified = std::time(nullptr);
    reader_.forget(node);
}

void FileWriter::settle(Node& node, const Entry& entry) {
    if (!is_changing(node.inode)) {
        core_.tree.refresh(node, entry);
    }
}

void FileWriter::write(fuse_req_t request, std::uint64_t inode, std::span<const std::byte> bytes,
                       std::uint64_t offset) {
    PLUGFS_CRASH_POINT(1);
    Node* node = file_to_change(request, inode);
    if (node == nullptr) {
        return;
    }
    core_.tree.will_be_written(*node);
    PLUGFS_CRASH_POINT(2);
    Work work;
    work.what = "write";
    work.work = [bytes, offset](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        PLUGFS_TRY(writer.write(key, offset, bytes));
        return std::optional<Entry>();
    };
    work.done = [this, end = offset + bytes.size(), count = bytes.size()](fuse_req_t waiting, Node& file, const auto&) {
        file.size = std::max(file.size, end);
        content_changed(file);
        fuse_reply_write(waiting, count);
    };
    begin(request, inode, std::move(work));
}

void FileWriter::empty(fuse_req_t request, const Node& node, std::function<void(const Node&)> opens) {
    PLUGFS_CRASH_POINT(1);
    Node* file_node = file_to_change(request, node.inode);
    if (file_node == nullptr) {
        return;
    }
    core_.tree.will_be_written(*file_node);
    PLUGFS_CRASH_POINT(2);
    Work work;
    work.what = "resize";
    work.work = [](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        PLUGFS_TRY(writer.resize(key, 0));
        return std::optional<Entry>();
    };
    work.done = [this, opens = std::move(opens)](fuse_req_t, Node& file, const auto&) {
        file.size = 0;
        content_changed(file);
        opens(file);
    };
    begin(request, node.inode, std::move(work));
}

void FileWriter::set_attributes(fuse_req_t request, std::uint64_t inode, const struct stat& wanted, unsigned which,
                                bool is_open) {
    PLUGFS_CRASH_POINT(1);
    // Owner and mode are the same for all files, whatever is asked for: `cp -p` and `rsync -a` go on.
    const bool resizes = (which & FUSE_SET_ATTR_SIZE) != 0;
    const bool dates = (which & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) != 0;
    const Node* at = core_.tree.find(inode);
    const bool is_control = at != nullptr && at->content == Content::control;
    if ((!resizes && !dates) || is_control) {
        lookups_.get_attributes(request, inode);
        return;
    }
    Node* node = file_to_change(request, inode);
    if (node == nullptr) {
        return;
    }
    const bool was_written = node->written;
    core_.tree.will_be_written(*node);
    PLUGFS_CRASH_POINT(2);
    const auto size = static_cast<std::uint64_t>(wanted.st_size);
    const std::int64_t seconds = (which & FUSE_SET_ATTR_MTIME_NOW) != 0 ? std::time(nullptr) : wanted.st_mtim.tv_sec;
    Work work;
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
    work.done = [this, resizes, settles, size](fuse_req_t waiting, Node& file, const std::optional<Entry>& entry) {
        if (resizes) {
            file.size = size;
            content_changed(file);
        }
        if (entry) {
            file.modified = entry->modified;
        }
        if (settles && entry) {
            settle(file, *entry);
        } else if (settles && !is_changing(file.inode)) {
            core_.tree.was_not_written(file);
        }
        lookups_.get_attributes(waiting, file.inode);
    };
    begin(request, inode, std::move(work));
}

void FileWriter::flush(fuse_req_t request, std::uint64_t inode) {
    const Node* node = core_.tree.find(inode);
    if (node == nullptr || !node->written || node->parent == nullptr) {
        fuse_reply_err(request, 0);
        return;
    }
    if (core_.waiting.refuse(request)) {
        return;
    }
    Work work;
    work.what = "flush";
    work.work = [](Writer& writer, Key key) -> Result<std::optional<Entry>> {
        PLUGFS_ASSIGN(auto entry, writer.flush(key));
        return std::optional<Entry>(std::move(entry));
    };
    work.done = [this](fuse_req_t waiting, Node& file, const std::optional<Entry>& entry) {
        if (entry) {
            settle(file, *entry);
        }
        on_written(file.inode);
        fuse_reply_err(waiting, 0);
    };
    begin(request, inode, std::move(work));
}

}  // namespace plugfs::kit
