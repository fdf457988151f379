// Filesystem: files that the device copies by itself, by copy_file_range(2), which cp(1) begins with.
//
// The driver is asked for whole files only: from the first byte to the last, into a file that is empty and closed by
// nobody yet. Everything else is EOPNOTSUPP, for which the kernel reads and writes, as if there were no such call. (It
// asks for 2 GiB less a page at most, so a larger file never comes whole.)

#include "kit/crash_points.h"
#include "kit/filesystem.h"

namespace plugfs::kit {

void Filesystem::copy(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size) {
    PLUGFS_CRASH_POINT(1);
    Node* from = tree_.find(source);
    Node* to = file_to_change(request, inode);
    if (to == nullptr) {
        return;
    }
    if (from == nullptr || from == to || from->content != Content::driver || from->parent == nullptr) {
        fuse_reply_err(request, EOPNOTSUPP);
        return;
    }
    // How long they are is known of what has been found on the device: after a predecessor's end that takes a moment.
    const PendingId id =
        wait_through(request, [this, request](const Error& error) { reply_error(request, error, "copy"); });
    when_bound(*from, [this, id, request, source, inode, size](const Error* error) {
        if (!waits(id)) {
            return;
        }
        Node* at = tree_.find(inode);
        if (error != nullptr || at == nullptr) {
            finish(id);
            fuse_reply_err(request, EOPNOTSUPP);
            return;
        }
        when_bound(*at, [this, id, request, source, inode, size](const Error* other_error) {
            if (!waits(id)) {
                return;
            }
            finish(id);
            if (other_error != nullptr) {
                fuse_reply_err(request, EOPNOTSUPP);
            } else {
                copy_known(request, source, inode, size);
            }
        });
    });
}

void Filesystem::copy_known(fuse_req_t request, std::uint64_t source, std::uint64_t inode, std::uint64_t size) {
    const Node* from = tree_.find(source);
    Node* to = tree_.find(inode);
    const bool whole = from != nullptr && to != nullptr && !from->written && from->size > 0 && size >= from->size &&
                       to->size == 0 && changes_under_way_.count(inode) == 0 && changes_under_way_.count(source) == 0;
    if (!whole) {
        fuse_reply_err(request, EOPNOTSUPP);
        return;
    }
    tree_.will_be_written(*to);
    PLUGFS_CRASH_POINT(2);
    const auto refusal = std::make_shared<int>(0);
    FileWork work;
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
    work.done = [this, request, refusal, count = from->size](Node& file, const std::optional<Entry>& entry) {
        if (!entry) {
            fuse_reply_err(request, *refusal);
            return;
        }
        forget_content(file);
        if (changes_under_way_.count(file.inode) == 0) {
            tree_.refresh(file, *entry);
        }
        attributes_changed(file.inode);
        go_on_with_tracks();
        fuse_reply_write(request, static_cast<std::size_t>(count));
    };
    begin_work(request, inode, std::move(work));
}

}  // namespace plugfs::kit
