// Folders: listing them. (What the device changes by itself: folders_changes.cpp.)

#include "kit/filesystem/folders.h"

#include "common/log.h"

#include <iterator>
#include <string>
#include <utility>

namespace plugfs::kit {

namespace {

// A folder that says it has more is lying or broken; 1,000,000 entries take about 300 MB.
constexpr std::size_t entry_limit = 1'000'000;

}  // namespace

bool Folders::is_known(const Node& folder) const {
    return folder.content == Content::view ? observer_.view_is_known() : folder.listed == Listed::yes;
}

void Folders::await(Node& folder, Waiter waiter) {
    if (folder.content == Content::view) {
        add_waiter(observer_.view_of(folder), std::move(waiter));
        observer_.want_view();
        return;
    }
    add_waiter(folder.inode, std::move(waiter));
    want_listing(folder);
    // It may be listed already for tracks/, behind all others.
    if (const auto job = jobs_.find(folder.inode); job != jobs_.end()) {
        core_.queue.hurry(job->second, Priority::metadata);
    }
}

void Folders::await_behind(Node& folder, const Done& done) {
    add_waiter(folder.inode, [this, inode = folder.inode, done](const Error* error) {
        const Node* at = core_.tree.find(inode);
        if (error == nullptr && at != nullptr && !is_known(*at)) {
            return false;
        }
        done(error);
        return true;
    });
    want_listing(folder, 0, Priority::ahead);
}

void Folders::when_listed(std::uint64_t inode, const Done& done) {
    Node* folder = core_.tree.find(inode);
    if (folder == nullptr || folder->kind != Kind::directory) {
        const Error error = fail(folder == nullptr ? ESTALE : ENOTDIR, "folder");
        done(&error);
        return;
    }
    if (is_known(*folder)) {
        done(nullptr);
        return;
    }
    await(*folder, [this, inode, done](const Error* error) {
        const Node* at = core_.tree.find(inode);
        const Error gone = fail(ENOENT, "folder", "it is not on the device any more");
        if (error == nullptr && at != nullptr && !is_known(*at)) {
            return false;
        }
        done(error != nullptr ? error : (at == nullptr ? &gone : nullptr));
        return true;
    });
}

void Folders::when_bound(Node& node, const Done& done) {
    if (node.bound) {
        done(nullptr);
        return;
    }
    const Error gone = fail(ENOENT, "find again", Tree::path(node) + " is not on the device any more");
    if (node.parent == nullptr) {
        done(&gone);
        return;
    }
    await(*node.parent, [this, inode = node.inode, parent = node.parent->inode, gone, done](const Error* error) {
        const Node* at = core_.tree.find(inode);
        const Node* folder = core_.tree.find(parent);
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

void Folders::list_as_if_known(Node& folder) {
    // One that is being listed already goes on under its number.
    if (folder.listed == Listed::no) {
        ++folder.listings;
        want_listing(folder);
    }
}

void Folders::want_listing(Node& folder, unsigned attempt, Priority priority) {
    if (folder.listed != Listed::no || folder.content == Content::view) {
        return;
    }
    folder.listed = Listed::running;
    ++folder.listings;
    if (folder.content == Content::controls) {
        observer_.list_controls(folder);
        return;
    }
    when_bound(folder, [this, inode = folder.inode, attempt, priority](const Error* error) {
        Node* at = core_.tree.find(inode);
        if (at == nullptr || at->listed != Listed::running) {
            return;
        }
        if (error != nullptr) {
            const Error copy = *error;
            ended(*at, &copy);
        } else {
            list_part(inode, {at->key, attempt, at->listings}, 0, priority);
        }
    });
}

void Folders::list_part(std::uint64_t folder, Attempt attempt, std::uint64_t cursor, Priority priority) {
    jobs_[folder] = core_.queue.add(priority, [this, folder, attempt, cursor](Driver& driver) {
        core_.mailbox.post([this, folder, attempt, cursor, part = driver.list(attempt.key, cursor)] {
            listed_part(folder, attempt, cursor, part);
        });
    });
}

void Folders::listed_part(std::uint64_t inode, Attempt attempt, std::uint64_t cursor, const Result<Listing>& part) {
    Node* folder = core_.tree.find(inode);
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
        ended(*folder, &part.error());
        return;
    }
    for (const auto& entry : part->entries) {
        take_in(*folder, entry, false);
    }
    if (folder->children.size() > entry_limit) {
        const Error error = fail(EIO, "list", "more than " + std::to_string(entry_limit) + " entries");
        ended(*folder, &error);
    } else if (part->next == 0) {
        ended(*folder, nullptr);
    } else {
        resume(inode, nullptr);
        // Behind those who wait for data now: a long listing must not hold them up.
        list_part(inode, attempt, part->next, Priority::demanded);
    }
}

void Folders::ended(Node& folder, const Error* error) {
    folder.listed = error == nullptr ? Listed::yes : Listed::no;
    jobs_.erase(folder.inode);
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
    resume(folder.inode, error);
    if (error == nullptr && out_of_date) {
        list_again(key);
    }
    list_ahead();
    observer_.folders_changed();
}

void Folders::resume(std::uint64_t folder, const Error* error) {
    auto work = waiters_.extract(folder);
    if (work.empty()) {
        return;
    }
    std::vector<Waiter> still_waiting;
    for (auto& waiter : work.mapped()) {
        if (!waiter(error)) {
            still_waiting.push_back(std::move(waiter));
        }
    }
    if (!still_waiting.empty()) {
        auto& waiting = waiters_[folder];
        waiting.insert(waiting.end(), std::make_move_iterator(still_waiting.begin()),
                       std::make_move_iterator(still_waiting.end()));
    }
}

// Somebody looks into `folder`: if he goes through a tree, what he will look into next is listed already.
void Folders::looked_into(const Node& folder) {
    if (walk_.looked_into(folder.inode, folder.parent->inode, WalkAhead::Clock::now())) {
        walk_.come(folders_in(*folder.parent, folder.inode));
        if (is_known(folder)) {
            walk_.come(folders_in(folder, 0));
        }
    }
    list_ahead();
}

// Those that are not listed yet, in the order in which they are read, behind `after`.
std::vector<std::uint64_t> Folders::folders_in(const Node& folder, std::uint64_t after) {
    std::vector<std::uint64_t> folders;
    for (auto at = folder.children.upper_bound(after); at != folder.children.end(); ++at) {
        const Node& child = *at->second;
        if (child.kind == Kind::directory && child.content == Content::driver && child.listed == Listed::no) {
            folders.push_back(child.inode);
        }
    }
    return folders;
}

void Folders::list_ahead() {
    const auto being_listed = [this](std::uint64_t inode) {
        const Node* folder = core_.tree.find(inode);
        return folder != nullptr && folder->listed == Listed::running;
    };
    while (const std::uint64_t inode = walk_.next(WalkAhead::Clock::now(), being_listed)) {
        Node* folder = core_.tree.find(inode);
        if (folder == nullptr || folder->listed != Listed::no) {
            walk_.forget(inode);
        } else {
            want_listing(*folder, 0, Priority::ahead);
        }
    }
}

}  // namespace plugfs::kit
