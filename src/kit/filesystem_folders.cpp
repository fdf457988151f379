// Filesystem: folders. Listing them when they are looked at, or ahead of somebody who walks, and reading them.
// (What the device changes by itself: filesystem_changes.cpp.)

#include "common/log.h"
#include "kit/filesystem.h"

#include <algorithm>
#include <iterator>

namespace plugfs::kit {

namespace {

// Offsets of "." and ".."; every other entry's offset is its inode, which does not change from one worker to the next.
constexpr std::uint64_t self_offset = 1;
constexpr std::uint64_t parent_offset = 2;

// A folder that says it has more is lying or broken; 1,000,000 entries take about 300 MB.
constexpr std::size_t entry_limit = 1'000'000;

}  // namespace

void Filesystem::open_folder(fuse_req_t request, std::uint64_t inode, fuse_file_info& info) {
    if (folders_need_no_open_) {
        fuse_reply_err(request, ENOSYS);  // neither this one nor any other: two requests less for each folder
        return;
    }
    if (tree_.find(inode) == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    // The kernel keeps the listing until it is told that it has changed. (So it does with what it does not open.)
    info.cache_readdir = 1;
    info.keep_cache = 1;
    fuse_reply_open(request, &info);
}

void Filesystem::read_folder(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset,
                             bool plus) {
    Node* folder = tree_.find(inode);
    if (folder == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    if (offset == 0 && folder->content == Content::driver && folder->parent != nullptr) {
        look_ahead_from(*folder);
    }
    if (is_known(*folder)) {
        answer_folder(request, *folder, size, offset, plus);
        return;
    }
    if (refuse(request)) {
        return;
    }
    const PendingId id = wait(request, [this, request, what = Tree::path(*folder)](const Error& error) {
        reply_error(request, error, "list " + plugfs::quoted(what));
    });
    await_folder(*folder, [this, id, request, inode, size, offset, plus](const Error* error) {
        if (!waits(id)) {
            return true;
        }
        Node* at = tree_.find(inode);
        if (error == nullptr && at != nullptr && !is_known(*at)) {
            return false;
        }
        finish(id);
        if (error != nullptr) {
            reply_error(request, *error, "list " + plugfs::quoted(at != nullptr ? Tree::path(*at) : "?"));
        } else if (at == nullptr) {
            fuse_reply_err(request, ESTALE);
        } else {
            answer_folder(request, *at, size, offset, plus);
        }
        return true;
    });
}

void Filesystem::answer_folder(fuse_req_t request, Node& folder, std::size_t size, std::uint64_t offset, bool plus) {
    std::vector<char> buffer(size);
    std::size_t used = 0;
    std::vector<Node*> referenced;
    // False when it does not fit any more.
    const auto add = [&](const Node& node, const char* name, std::uint64_t next) {
        std::size_t need = 0;
        if (plus) {
            const auto entry = entry_for(node);
            need = fuse_add_direntry_plus(request, buffer.data() + used, size - used, name, &entry,
                                          static_cast<off_t>(next));
        } else {
            const struct stat status = attributes(node);
            need =
                fuse_add_direntry(request, buffer.data() + used, size - used, name, &status, static_cast<off_t>(next));
        }
        if (need > size - used) {
            return false;
        }
        used += need;
        return true;
    };
    bool room = true;
    if (offset < self_offset) {
        room = add(folder, ".", self_offset);
    }
    if (room && offset < parent_offset) {
        room = add(folder.parent != nullptr ? *folder.parent : folder, "..", parent_offset);
    }
    for (auto at = folder.children.upper_bound(offset); room && at != folder.children.end(); ++at) {
        Node& node = tree_.resolved(*at->second);
        room = add(node, at->second->name.c_str(), at->first);
        if (room && plus) {
            referenced.push_back(&node);
        }
    }
    // With the attributes the kernel takes a reference to each entry, but not to "." and "..".
    for (Node* node : referenced) {
        tree_.reference(*node);
    }
    if (fuse_reply_buf(request, buffer.data(), used) == -ENOENT) {
        for (Node* node : referenced) {
            tree_.unreference(*node);
        }
    }
}

// Somebody looks into `folder`: if he goes through a tree, what he will look into next is listed already.
void Filesystem::look_ahead_from(const Node& folder) {
    if (walk_.looked_into(folder.inode, folder.parent->inode, WalkAhead::Clock::now())) {
        walk_.come(folders_in(*folder.parent, folder.inode));
        if (is_known(folder)) {
            walk_.come(folders_in(folder, 0));
        }
    }
    list_ahead();
}

// Those that are not listed yet, in the order in which they are read, behind `after`.
std::vector<std::uint64_t> Filesystem::folders_in(const Node& folder, std::uint64_t after) {
    std::vector<std::uint64_t> folders;
    for (auto at = folder.children.upper_bound(after); at != folder.children.end(); ++at) {
        const Node& child = *at->second;
        if (child.kind == Kind::directory && child.content == Content::driver && child.listed == Listed::no) {
            folders.push_back(child.inode);
        }
    }
    return folders;
}

void Filesystem::list_ahead() {
    const auto being_listed = [this](std::uint64_t inode) {
        const Node* folder = tree_.find(inode);
        return folder != nullptr && folder->listed == Listed::running;
    };
    while (const std::uint64_t inode = walk_.next(WalkAhead::Clock::now(), being_listed)) {
        Node* folder = tree_.find(inode);
        if (folder == nullptr || folder->listed != Listed::no) {
            walk_.forget(inode);
        } else {
            want_listing(*folder, 0, Priority::ahead);
        }
    }
}

bool Filesystem::is_known(const Node& folder) const {
    return folder.content == Content::view ? tracks_.presentable() : folder.listed == Listed::yes;
}

void Filesystem::await_folder(Node& folder, FolderWaiter waiter) {
    if (folder.content == Content::view) {
        Node* view = tracks_folder();
        folder_waiters_[view != nullptr ? view->inode : folder.inode].push_back(std::move(waiter));
        when_started([this] { want_tracks(); });
        return;
    }
    folder_waiters_[folder.inode].push_back(std::move(waiter));
    want_listing(folder);
    // It may be listed already for tracks/, behind all others.
    if (const auto job = listing_jobs_.find(folder.inode); job != listing_jobs_.end()) {
        queue_.hurry(job->second, Priority::metadata);
    }
}

void Filesystem::when_listed(std::uint64_t inode, const Done& done) {
    Node* folder = tree_.find(inode);
    if (folder == nullptr || folder->kind != Kind::directory) {
        const Error error = fail(folder == nullptr ? ESTALE : ENOTDIR, "folder");
        done(&error);
        return;
    }
    if (is_known(*folder)) {
        done(nullptr);
        return;
    }
    await_folder(*folder, [this, inode, done](const Error* error) {
        const Node* at = tree_.find(inode);
        const Error gone = fail(ENOENT, "folder", "it is not on the device any more");
        if (error == nullptr && at != nullptr && !is_known(*at)) {
            return false;
        }
        done(error != nullptr ? error : (at == nullptr ? &gone : nullptr));
        return true;
    });
}

void Filesystem::when_bound(Node& node, const Done& done) {
    if (node.bound) {
        done(nullptr);
        return;
    }
    const Error gone = fail(ENOENT, "find again", Tree::path(node) + " is not on the device any more");
    if (node.parent == nullptr) {
        done(&gone);
        return;
    }
    await_folder(*node.parent, [this, inode = node.inode, parent = node.parent->inode, gone, done](const Error* error) {
        const Node* at = tree_.find(inode);
        const Node* folder = tree_.find(parent);
        if (at != nullptr && at->bound) {
            done(nullptr);
        } else if (error != nullptr) {
            done(error);
        } else if (at == nullptr || folder == nullptr || folder->listed == Listed::yes) {
            done(&gone);
        } else {
            return false;
        }
        return true;
    });
}

void Filesystem::want_listing(Node& folder, unsigned attempt, Priority priority) {
    if (folder.listed != Listed::no || folder.content == Content::view) {
        return;
    }
    folder.listed = Listed::running;
    ++folder.listings;
    if (folder.content == Content::controls) {
        list_controls(folder.inode);
        return;
    }
    when_bound(folder, [this, inode = folder.inode, attempt, priority](const Error* error) {
        Node* at = tree_.find(inode);
        if (at == nullptr || at->listed != Listed::running) {
            return;
        }
        if (error != nullptr) {
            const Error copy = *error;
            listing_ended(*at, &copy);
        } else {
            list_part(inode, {at->key, attempt, at->listings}, 0, priority);
        }
    });
}

void Filesystem::list_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Priority priority) {
    listing_jobs_[folder] = queue_.add(priority, [this, folder, attempt, cursor](Driver& driver) {
        mailbox_.post([this, folder, attempt, cursor, part = driver.list(attempt.key, cursor)]() mutable {
            listed_part(folder, attempt, cursor, std::move(part));
        });
    });
}

void Filesystem::listed_part(std::uint64_t inode, Attempt attempt, std::uint64_t cursor, Result<Listing> part) {
    Node* folder = tree_.find(inode);
    // What belongs to an earlier listing, begun with keys that are lost meanwhile, does not count.
    if (folder == nullptr || folder->listed != Listed::running || folder->listings != attempt.listing) {
        return;
    }
    if (!part) {
        if (part.error().code == ESTALE && attempt.number < stale_limit) {
            if (cursor == 0) {
                keys_lost(*folder, attempt.key);
            }
            folder->listed = Listed::no;
            want_listing(*folder, attempt.number + 1);
            return;
        }
        listing_ended(*folder, &part.error());
        return;
    }
    for (const auto& entry : part->entries) {
        take_in(*folder, entry, false);
    }
    if (folder->children.size() > entry_limit) {
        const Error error = fail(EIO, "list", "more than " + std::to_string(entry_limit) + " entries");
        listing_ended(*folder, &error);
    } else if (part->next == 0) {
        listing_ended(*folder, nullptr);
    } else {
        resume_waiting(inode, nullptr);
        // Behind those who wait for data now: a long listing must not hold them up.
        list_part(inode, attempt, part->next, Priority::demanded);
    }
}

void Filesystem::listing_ended(Node& folder, const Error* error) {
    folder.listed = error == nullptr ? Listed::yes : Listed::no;
    listing_jobs_.erase(folder.inode);
    if (error == nullptr) {
        // What an earlier listing had and this one has not is gone.
        std::vector<Node*> gone;
        for (const auto& [inode, child] : folder.children) {
            if (child->content == Content::driver && child->seen_in != folder.listings) {
                gone.push_back(child);
            }
        }
        for (Node* node : gone) {
            take_out(*node);
        }
    }
    if (error != nullptr) {
        walk_.forget(folder.inode);
    } else if (walk_.walking(WalkAhead::Clock::now()) && folder.content == Content::driver) {
        walk_.come(folders_in(folder, 0));
    }
    const bool out_of_date = std::exchange(folder.begun_again, 0U) > stale_limit;
    const Key key = folder.key;
    resume_waiting(folder.inode, error);
    if (error == nullptr && out_of_date) {
        device_list_again(key);
    }
    list_ahead();
    go_on_with_tracks();
}

void Filesystem::resume_waiting(std::uint64_t folder, const Error* error) {
    auto work = folder_waiters_.extract(folder);
    if (work.empty()) {
        return;
    }
    std::vector<FolderWaiter> still_waiting;
    for (auto& waiter : work.mapped()) {
        if (!waiter(error)) {
            still_waiting.push_back(std::move(waiter));
        }
    }
    if (!still_waiting.empty()) {
        auto& waiting = folder_waiters_[folder];
        waiting.insert(waiting.end(), std::make_move_iterator(still_waiting.begin()),
                       std::make_move_iterator(still_waiting.end()));
    }
}

}  // namespace plugfs::kit
