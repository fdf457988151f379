// Filesystem: files. Those of the device, through their ReadCache; device.json; and the stream of events.

#include "common/log.h"
#include "kit/filesystem.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace plugfs::kit {

void Filesystem::open(fuse_req_t request, std::uint64_t inode, fuse_file_info& info) {
    Node* node = tree_.find(inode);
    if (node == nullptr || node->kind != Kind::file) {
        fuse_reply_err(request, node == nullptr ? ESTALE : EISDIR);
        return;
    }
    const bool writes = (info.flags & O_ACCMODE) != O_RDONLY;
    if (node->content == Content::control) {
        const auto control = controls_.find(inode);
        const bool refused = writes && control != controls_.end() && !control->second.writable;
        refused ? (void)fuse_reply_err(request, EACCES) : answer_open(request, *node, info);
        return;
    }
    if (writes && (node->content != Content::driver || (started_on_device_ && !writable_))) {
        fuse_reply_err(request, node->content != Content::driver ? EACCES : EROFS);
        return;
    }
    if ((info.flags & O_TRUNC) != 0) {
        open_emptied(request, *node, info);
    } else {
        answer_open(request, *node, info);
    }
}

void Filesystem::answer_open(fuse_req_t request, Node& node, fuse_file_info& info) {
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
        ++open_files_[node.inode].handles;
    }
    if (fuse_reply_open(request, &info) == -ENOENT) {
        event_readers_.erase(info.fh);
        control_handles_.erase(info.fh);
    }
}

void Filesystem::release(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info) {
    event_readers_.erase(info.fh);
    control_handles_.erase(info.fh);
    // One that was opened with a predecessor was not counted; then the cache goes early, and comes back if needed.
    if (const auto file = open_files_.find(inode); file != open_files_.end() && file->second.handles-- <= 1) {
        open_files_.erase(file);
    }
    fuse_reply_err(request, 0);
}

void Filesystem::read(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset,
                      const fuse_file_info& info) {
    Node* node = tree_.find(inode);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    switch (node->content) {
        case Content::events:
            read_events(request, size, offset, info);
            break;
        case Content::text: {
            const auto part = offset < description_.size() ? std::string_view(description_).substr(offset, size) : "";
            fuse_reply_buf(request, part.data(), part.size());
            break;
        }
        case Content::driver:
            read_driver_file(request, *node, size, offset, (info.flags & O_DIRECT) != 0);
            break;
        case Content::control:
            read_control(request, *node, size, offset, info.fh);
            break;
        case Content::attribute:
            read_attribute_file(request, *node, size, offset);
            break;
        case Content::controls:
        case Content::view:
        case Content::link:
            fuse_reply_err(request, EISDIR);
            break;
    }
}

void Filesystem::read_driver_file(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset, bool direct) {
    if (refuse(request)) {
        return;
    }
    if (node.parent == nullptr) {
        fuse_reply_err(request, ENOENT);  // removed on the device while it was open
        return;
    }
    const PendingId id = wait(request, [this, request](const Error& error) { reply_error(request, error, "read"); });
    // One page may be what somebody waits for in the kernel, who would see the error.
    constexpr std::size_t page = 4096;
    pending_.at(id).reads_ahead_of = !direct && size > page ? node.inode : 0;
    const auto found = [this, id, request, inode = node.inode, size, offset](const Error* error) {
        if (!waits(id)) {
            return;
        }
        Node* at = tree_.find(inode);
        if (error == nullptr && at != nullptr) {
            read_known_file(id, *at, size, offset);
        } else {
            finish(id);
            reply_error(request, error != nullptr ? *error : fail(ESTALE, "read"), "read");
        }
    };
    // How much may be asked for at once is known when the driver has started.
    when_started([this, id, found, inode = node.inode] {
        Node* at = waits(id) ? tree_.find(inode) : nullptr;
        if (at != nullptr && size_unknown(*at)) {
            when_bound(*at, found);
        } else {
            found(nullptr);
        }
    });
}

void Filesystem::when_started(std::function<void()> work) {
    if (started_on_device_) {
        work();
    } else {
        waiting_for_start_.push_back(std::move(work));
    }
}

// What was read of it is not what the device has.
void Filesystem::forget_content(const Node& node) {
    if (const auto file = open_files_.find(node.inode); file != open_files_.end()) {
        file->second.attribute.reset();
        if (file->second.cache != nullptr) {
            file->second.cache->clear();
        }
    }
}

// Whoever had the file open closes it, or was killed. The kernel tells of no interrupt of a reader who waits for its
// page cache. If somebody still wants one of these pages after all, the kernel asks for it again: so this is done once,
// until something has been read again.
void Filesystem::give_up_reads(std::uint64_t inode) {
    const auto file = open_files_.find(inode);
    if (file == open_files_.end() || file->second.handles > 1 || std::exchange(file->second.reads_given_up, true)) {
        return;
    }
    std::vector<Pending> given_up;
    std::erase_if(pending_, [&](auto& item) {
        const bool goes = item.second.reads_ahead_of == inode;
        if (goes) {
            given_up.push_back(std::move(item.second));
        }
        return goes;
    });
    for (const auto& pending : given_up) {
        fuse_reply_err(pending.request, EINTR);
        if (pending.interrupted) {
            pending.interrupted();
        }
    }
}

void Filesystem::read_known_file(PendingId id, Node& node, std::size_t size, std::uint64_t offset) {
    auto& file = open_files_[node.inode];
    if (file.cache == nullptr) {
        file.cache = cache_for(node);
    }
    const auto cache = file.cache;
    // The cache is kept for as long as somebody waits: who opened the file with a predecessor is not counted as having
    // it open.
    const auto reading = cache->read(
        offset, size, node.size,
        [this, id, cache, what = node.inode](const Error* error, std::span<const iovec> parts) {
            const auto found = pending_.find(id);
            if (found == pending_.end()) {
                return;  // interrupted meanwhile
            }
            const fuse_req_t waiting = found->second.request;
            finish(id);
            if (const auto opened = open_files_.find(what); opened != open_files_.end()) {
                opened->second.reads_given_up = false;
            }
            if (error != nullptr) {
                const Node* at = tree_.find(what);
                reply_error(waiting, *error, "read " + plugfs::quoted(at != nullptr ? Tree::path(*at) : "?"));
            } else {
                fuse_reply_iov(waiting, parts.data(), static_cast<int>(parts.size()));
            }
        });
    if (const auto found = pending_.find(id); found != pending_.end()) {
        found->second.interrupted = [cache, reading] { (void)cache->cancel(reading); };
    }
}

std::shared_ptr<ReadCache> Filesystem::cache_for(Node& node) {
    const ReadCache::Limits limits{read_size_, 2 * read_size_};
    // The functions need the cache that holds them, but must not keep it alive.
    auto self = std::make_shared<std::weak_ptr<ReadCache>>();
    auto cache = std::make_shared<ReadCache>(
        limits,
        [this, self, inode = node.inode](const std::shared_ptr<Block>& block) {
            const Node* at = tree_.find(inode);
            fetch({*self, block, inode, at != nullptr ? at->version : 0}, 0);
        },
        [this](const Block& block) { queue_.hurry(block.job, Priority::demanded); },
        [this](const Block& block) {
            if (!queue_.remove(block.job)) {
                queue_.call_off(block.job);
            }
        });
    *self = cache;
    return cache;
}

void Filesystem::fetch(const BlockFetch& order, unsigned attempt) {
    Node* node = tree_.find(order.inode);
    if (node == nullptr) {
        fetch_failed(order, fail(ENOENT, "read", "removed on the device"));
        return;
    }
    when_bound(*node, [this, order, attempt](const Error* error) {
        if (order.block->unwanted) {
            return;
        }
        const Node* at = tree_.find(order.inode);
        if (error != nullptr || at == nullptr) {
            fetch_failed(order, error != nullptr ? *error : fail(ENOENT, "read", "removed on the device"));
            return;
        }
        // Never bytes of another content than the one that was opened.
        if (at->version != order.version) {
            fetch_failed(order, fail(ESTALE, "read", "the file has changed on the device"));
            return;
        }
        const auto priority = order.block->ahead ? Priority::ahead : Priority::demanded;
        order.block->job = queue_.add(priority, [this, order, now = Attempt{at->key, attempt, 0}](Driver& driver) {
            auto& block = *order.block;
            // Allocated only now, so that a long queue holds no memory.
            block.bytes = std::make_unique_for_overwrite<std::byte[]>(block.wanted);
            mailbox_.post(
                [this, order, now, got = driver.read(now.key, block.offset, {block.bytes.get(), block.wanted})] {
                    fetched(order, now, got);
                });
        });
    });
}

void Filesystem::fetched(const BlockFetch& order, Attempt attempt, const Result<std::size_t>& got) {
    auto& block = *order.block;
    if (block.unwanted) {
        return;
    }
    if (!got && got.error().code == ESTALE && attempt.number < stale_limit) {
        if (const Node* node = tree_.find(order.inode)) {
            keys_lost(*node, attempt.key);
        }
        fetch(order, attempt.number + 1);
        return;
    }
    if (!got) {
        fetch_failed(order, got.error());
        return;
    }
    block.length = std::min(*got, block.wanted);
    block.state = Block::State::ready;
    if (const auto alive = order.cache.lock()) {
        alive->completed(order.block);
    }
}

void Filesystem::fetch_failed(const BlockFetch& order, const Error& error) {
    // Through the mailbox: a fetch may fail while the cache is still planning it.
    mailbox_.post([order, error] {
        order.block->error = error;
        order.block->state = Block::State::failed;
        if (const auto alive = order.cache.lock()) {
            alive->completed(order.block);
        }
    });
}

}  // namespace plugfs::kit
