// FileWriter: files that the device copies by itself.

#include "kit/crash_points.h"
#include "kit/filesystem/file_writer.h"

#include <memory>
#include <utility>

namespace plugfs::kit {

void FileWriter::copy(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size) {
    PLUGFS_CRASH_POINT(1);
    Node* from = core_.tree.find(source);
    const Node* to = file_to_change(request, inode);
    if (to == nullptr) {
        return;
    }
    if (from == nullptr || from == to || from->content != Content::driver || from->parent == nullptr) {
        fuse_reply_err(request, EOPNOTSUPP);
        return;
    }
    // How long they are is known of what has been found on the device: after a predecessor's end that takes a moment.
    const auto id = core_.waiting.add_through(
        request, [this, request](const Error& error) { core_.waiting.reply_error(request, error, "copy"); });
    const auto refuse = [this, id] {
        if (const fuse_req_t waiting = core_.waiting.take(id)) {
            fuse_reply_err(waiting, EOPNOTSUPP);
        }
    };
    folders_.when_bound(*from, [this, id, refuse, source, inode, size](const Error* error) {
        Node* at = core_.tree.find(inode);
        if (error != nullptr || at == nullptr) {
            refuse();
            return;
        }
        folders_.when_bound(*at, [this, id, refuse, source, inode, size](const Error* other_error) {
            if (other_error != nullptr) {
                refuse();
            } else if (const fuse_req_t waiting = core_.waiting.take(id)) {
                copy_known(waiting, source, inode, size);
            }
        });
    });
}

void FileWriter::copy_known(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size) {
    const Node* from = core_.tree.find(source);
    Node* to = core_.tree.find(inode);
    const bool whole = from != nullptr && to != nullptr && !from->written && from->size > 0 && size >= from->size &&
                       to->size == 0 && !is_changing(inode) && !is_changing(source);
    if (!whole) {
        fuse_reply_err(request, EOPNOTSUPP);
        return;
    }
    core_.tree.will_be_written(*to);
    PLUGFS_CRASH_POINT(2);
    const auto refusal = std::make_shared<int>(0);
    Work work;
    work.what = "copy to";
    work.work = [refusal, key = from->key](Writer& writer, Key file) -> Result<std::optional<Entry>> {
        auto copied = writer.copy(key, file);
        const int code = copied ? 0 : copied.error().code;
        if (code == ENOTSUP || code == ENOSYS) {
            *refusal = code;  // an answer: nothing has failed
            return std::optional<Entry>();
        }
        return copied ? Result<std::optional<Entry>>(std::move(*copied)) : copied.error();
    };
    work.done = [this, refusal, count = from->size](fuse_req_t waiting, Node& file, const std::optional<Entry>& entry) {
        if (!entry) {
            fuse_reply_err(waiting, *refusal);
            return;
        }
        reader_.forget(file);
        settle(file, *entry);
        on_written(file.inode);
        fuse_reply_write(waiting, static_cast<std::size_t>(count));
    };
    begin(request, inode, std::move(work));
}

}  // namespace plugfs::kit
