#include "kit/notifier.h"

#include "common/log.h"

#include <algorithm>

namespace plugfs::kit {

namespace {
constexpr std::size_t queue_limit = 65536;
// Equal notices close together are common (one event for each object of a folder): look back this far for them.
constexpr std::size_t look_back = 16;
}  // namespace

Notifier::Notifier(Session& session, std::atomic<std::uint32_t>& under_way)
    : session_(session), under_way_(under_way), thread_([this] {
          under_way_ = 0;
          run();
      }) {}

Notifier::~Notifier() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Notifier::inode_changed(std::uint64_t inode, bool content) {
    add({content ? Notice::What::content : Notice::What::attributes, inode, 0, {}});
}

void Notifier::name_changed(std::uint64_t parent, std::string name) {
    add({Notice::What::name, 0, parent, std::move(name)});
}

void Notifier::removed(std::uint64_t parent, std::uint64_t inode, std::string name) {
    add({Notice::What::removal, inode, parent, std::move(name)});
}

void Notifier::add(Notice notice) {
    {
        const std::lock_guard lock(mutex_);
        const auto from = queue_.end() - static_cast<std::ptrdiff_t>(std::min(look_back, queue_.size()));
        if (std::find(from, queue_.end(), notice) != queue_.end()) {
            return;
        }
        if (queue_.size() >= queue_limit) {
            if (!overflowed_) {
                overflowed_ = true;
                log::warning(
                    "kernel notifications: the queue is full; some names may be out of date until they time out");
            }
            return;
        }
        overflowed_ = false;
        queue_.push_back(std::move(notice));
    }
    changed_.notify_one();
}

void Notifier::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) {
            return;
        }
        const Notice notice = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        under_way_ = 1;
        tell(notice);
        under_way_ = 0;
        lock.lock();
    }
}

void Notifier::tell(const Notice& notice) {
    // ENOENT, the usual answer, means that the kernel had nothing cached.
    switch (notice.what) {
        case Notice::What::attributes:
            (void)fuse_lowlevel_notify_inval_inode(session_.raw(), notice.inode, -1, 0);
            break;
        case Notice::What::content:
            (void)fuse_lowlevel_notify_inval_inode(session_.raw(), notice.inode, 0, 0);
            break;
        case Notice::What::name:
            (void)fuse_lowlevel_notify_inval_entry(session_.raw(), notice.parent, notice.name.data(),
                                                   notice.name.size());
            break;
        case Notice::What::removal:
            (void)fuse_lowlevel_notify_delete(session_.raw(), notice.parent, notice.inode, notice.name.data(),
                                              notice.name.size());
            break;
    }
}

}  // namespace plugfs::kit
