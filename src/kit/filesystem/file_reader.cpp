#include "kit/filesystem/file_reader.h"

#include <algorithm>
#include <utility>

namespace plugfs::kit {

void FileReader::closed(std::uint64_t inode) {
    // One that was opened with a predecessor was not counted; then the cache goes early, and comes back if needed.
    if (const auto file = files_.find(inode); file != files_.end() && file->second.handles-- <= 1) {
        files_.erase(file);
    }
}

bool FileReader::is_open(std::uint64_t inode) const {
    const auto file = files_.find(inode);
    return file != files_.end() && file->second.handles > 0;
}

void FileReader::read(fuse_req_t request, const Node& node, std::size_t size, std::uint64_t offset, bool direct) {
    if (core_.waiting.refuse(request)) {
        return;
    }
    if (node.parent == nullptr) {
        fuse_reply_err(request, ENOENT);  // removed on the device while it was open
        return;
    }
    const auto id = core_.waiting.add(request, [this, request, inode = node.inode](const Error& error) {
        const Node* at = core_.tree.find(inode);
        core_.waiting.reply_error(request, error, "read " + quoted(at != nullptr ? Tree::path(*at) : "?"));
    });
    // One page may be what somebody waits for in the kernel, who would see the error.
    constexpr std::size_t page = 4096;
    if (!direct && size > page) {
        core_.waiting.reads_ahead(id, node.inode);
    }
    const auto found = [this, id, inode = node.inode, size, offset](const Error* error) {
        Node* at = core_.tree.find(inode);
        if (error != nullptr || at == nullptr) {
            core_.waiting.fail(id, error != nullptr ? *error : fail(ESTALE, "read"));
        } else if (core_.waiting.has(id)) {
            read_known(id, *at, size, offset);
        }
    };
    // How much may be asked for at once is known when the driver has started.
    core_.start.when_done([this, id, found, inode = node.inode] {
        Node* at = core_.waiting.has(id) ? core_.tree.find(inode) : nullptr;
        if (at != nullptr && at->size_unknown()) {
            folders_.when_bound(*at, found);
        } else {
            found(nullptr);
        }
    });
}

void FileReader::forget(const Node& node) {
    if (const auto file = files_.find(node.inode); file != files_.end() && file->second.cache != nullptr) {
        file->second.cache->clear();
    }
}

// Whoever had the file open closes it, or was killed. The kernel tells of no interrupt of a reader who waits for its
// page cache. If somebody still wants one of these pages after all, the kernel asks for it again: so this is done once,
// until something has been read again.
void FileReader::give_up_reads(std::uint64_t inode) {
    const auto file = files_.find(inode);
    if (file != files_.end() && file->second.handles <= 1 && !std::exchange(file->second.reads_given_up, true)) {
        core_.waiting.give_up_reads(inode);
    }
}

void FileReader::read_known(WaitingRequests::Id id, Node& node, std::size_t size, std::uint64_t offset) {
    auto& file = files_[node.inode];
    if (file.cache == nullptr) {
        file.cache = cache_for(node);
    }
    const auto cache = file.cache;
    // The cache is kept for as long as somebody waits: who opened the file with a predecessor is not counted as having
    // it open.
    const auto reading =
        cache->read(offset, size, node.size,
                    [this, id, cache, inode = node.inode](const Error* error, std::span<const iovec> parts) {
                        if (!core_.waiting.has(id)) {
                            return;  // interrupted meanwhile
                        }
                        if (const auto opened = files_.find(inode); opened != files_.end()) {
                            opened->second.reads_given_up = false;
                        }
                        if (error != nullptr) {
                            core_.waiting.fail(id, *error);
                        } else {
                            fuse_reply_iov(core_.waiting.take(id), parts.data(), static_cast<int>(parts.size()));
                        }
                    });
    core_.waiting.when_interrupted(id, [cache, reading] { (void)cache->cancel(reading); });
}

std::shared_ptr<ReadCache> FileReader::cache_for(const Node& node) {
    const ReadCache::Limits limits{status_.read_size(), 2 * status_.read_size()};
    // The functions need the cache that holds them, but must not keep it alive.
    auto self = std::make_shared<std::weak_ptr<ReadCache>>();
    auto cache = std::make_shared<ReadCache>(
        limits,
        [this, self, inode = node.inode](const std::shared_ptr<Block>& block) {
            const Node* at = core_.tree.find(inode);
            fetch({*self, block, inode, at != nullptr ? at->version : 0}, 0);
        },
        [this](const Block& block) { core_.queue.hurry(block.job, Priority::demanded); },
        [this](const Block& block) {
            if (!core_.queue.remove(block.job)) {
                core_.queue.call_off(block.job);
            }
        });
    *self = cache;
    return cache;
}

void FileReader::fetch(const BlockFetch& order, unsigned attempt) {
    Node* node = core_.tree.find(order.inode);
    if (node == nullptr) {
        fetch_failed(order, fail(ENOENT, "read", "removed on the device"));
        return;
    }
    folders_.when_bound(*node, [this, order, attempt](const Error* error) {
        if (order.block->unwanted) {
            return;
        }
        const Node* at = core_.tree.find(order.inode);
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
        order.block->job = core_.queue.add(priority, [this, order, now = Attempt{at->key, attempt}](Driver& driver) {
            auto& block = *order.block;
            // Allocated only now, so that a long queue holds no memory.
            block.bytes = std::make_unique_for_overwrite<std::byte[]>(block.wanted);
            core_.mailbox.post(
                [this, order, now, got = driver.read(now.key, block.offset, {block.bytes.get(), block.wanted})] {
                    fetched(order, now, got);
                });
        });
    });
}

void FileReader::fetched(const BlockFetch& order, Attempt attempt, const Result<std::size_t>& got) {
    auto& block = *order.block;
    if (block.unwanted) {
        return;
    }
    if (!got && got.error().code == ESTALE && attempt.number < stale_limit) {
        if (const Node* node = core_.tree.find(order.inode)) {
            folders_.keys_lost(*node, attempt.key);
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

void FileReader::fetch_failed(const BlockFetch& order, const Error& error) {
    // Through the mailbox: a fetch may fail while the cache is still planning it.
    core_.mailbox.post([order, error] {
        order.block->error = error;
        order.block->state = Block::State::failed;
        if (const auto alive = order.cache.lock()) {
            alive->completed(order.block);
        }
    });
}

}  // namespace plugfs::kit
