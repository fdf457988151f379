#include "kit/filesystem/lookups.h"

#include "common/log.h"

#include <vector>

namespace plugfs::kit {

namespace {

constexpr double missing_seconds = 60;  // that the kernel remembers "no such file" by itself

// Offsets of "." and ".."; every other entry's offset is its inode, which does not change from one worker to the next.
constexpr std::uint64_t self_offset = 1;
constexpr std::uint64_t parent_offset = 2;

}  // namespace

void Lookups::initialise(const fuse_conn_info& connection) {
    folders_need_no_open_ = (connection.capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0;
}

WaitingRequests::Id Lookups::wait_for_listing(fuse_req_t request, const Node& folder) {
    return core_.waiting.add(request, [this, request, what = Tree::path(folder)](const Error& error) {
        core_.waiting.reply_error(request, error, "list " + quoted(what));
    });
}

void Lookups::lookup(fuse_req_t request, std::uint64_t parent, const char* name) {
    Node* folder = core_.tree.find(parent);
    if (folder == nullptr || folder->kind != Kind::directory) {
        fuse_reply_err(request, folder == nullptr ? ESTALE : ENOTDIR);
        return;
    }
    if (answer_lookup(request, *folder, name)) {
        return;
    }
    if (core_.waiting.refuse(request)) {
        return;
    }
    const auto id = wait_for_listing(request, *folder);
    folders_.await(*folder, [this, id, request, parent, wanted = std::string(name)](const Error* error) {
        if (!core_.waiting.has(id)) {
            return true;
        }
        const Node* at = core_.tree.find(parent);
        if (error != nullptr) {
            core_.waiting.fail(id, *error);
            return true;
        }
        if (at == nullptr) {
            fuse_reply_err(request, ESTALE);
        } else if (!answer_lookup(request, *at, wanted)) {
            return false;
        }
        (void)core_.waiting.take(id);
        return true;
    });
}

bool Lookups::answer_lookup(fuse_req_t request, const Node& folder, const std::string& name) {
    Node* node = Tree::child(folder, name);
    if (node != nullptr) {
        node = &core_.tree.resolved(*node);
    }
    if (node != nullptr && !node->size_unknown()) {
        core_.tree.reference(*node);
        const auto entry = status_.entry(*node);
        if (fuse_reply_entry(request, &entry) == -ENOENT) {
            core_.tree.unreference(*node);  // interrupted: the kernel did not take the reference
        }
        return true;
    }
    if (!folders_.is_known(folder)) {
        return false;
    }
    fuse_entry_param missing{};
    missing.entry_timeout = missing_seconds;
    fuse_reply_entry(request, &missing);
    return true;
}

void Lookups::get_attributes(fuse_req_t request, std::uint64_t inode) {
    Node* node = core_.tree.find(inode);
    if (node == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    if (!node->size_unknown()) {
        status_.answer(request, *node);
        return;
    }
    if (core_.waiting.refuse(request)) {
        return;
    }
    const auto id = core_.waiting.add(
        request, [this, request](const Error& error) { core_.waiting.reply_error(request, error, "look"); });
    folders_.when_bound(*node, [this, id, inode](const Error* error) {
        const Node* at = core_.tree.find(inode);
        if (error != nullptr || at == nullptr) {
            core_.waiting.fail(id, error != nullptr ? *error : fail(ESTALE, "look"));
        } else if (const fuse_req_t waiting = core_.waiting.take(id)) {
            status_.answer(waiting, *at);
        }
    });
}

void Lookups::open_folder(fuse_req_t request, std::uint64_t inode, fuse_file_info& info) const {
    if (folders_need_no_open_) {
        fuse_reply_err(request, ENOSYS);  // neither this one nor any other: two requests less for each folder
        return;
    }
    if (core_.tree.find(inode) == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    // The kernel keeps the listing until it is told that it has changed. (So it does with what it does not open.)
    info.cache_readdir = 1;
    info.keep_cache = 1;
    fuse_reply_open(request, &info);
}

void Lookups::read_folder(fuse_req_t request, std::uint64_t inode, std::size_t size, std::uint64_t offset, bool plus) {
    Node* folder = core_.tree.find(inode);
    if (folder == nullptr) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    if (offset == 0 && folder->content == Content::driver && folder->parent != nullptr) {
        folders_.looked_into(*folder);
    }
    if (folders_.is_known(*folder)) {
        answer_folder(request, *folder, size, offset, plus);
        return;
    }
    if (core_.waiting.refuse(request)) {
        return;
    }
    const auto id = wait_for_listing(request, *folder);
    folders_.await(*folder, [this, id, request, inode, size, offset, plus](const Error* error) {
        if (!core_.waiting.has(id)) {
            return true;
        }
        const Node* at = core_.tree.find(inode);
        if (error == nullptr && at != nullptr && !folders_.is_known(*at)) {
            return false;
        }
        if (error != nullptr || at == nullptr) {
            core_.waiting.fail(id, error != nullptr ? *error : fail(ESTALE, "list"));
        } else if (core_.waiting.take(id) != nullptr) {
            answer_folder(request, *at, size, offset, plus);
        }
        return true;
    });
}

void Lookups::answer_folder(fuse_req_t request, const Node& folder, std::size_t size, std::uint64_t offset, bool plus) {
    std::vector<char> buffer(size);
    std::size_t used = 0;
    std::vector<Node*> referenced;
    // False when it does not fit any more.
    const auto add = [&](const Node& node, const char* name, std::uint64_t next) {
        std::size_t need = 0;
        if (plus) {
            const auto entry = status_.entry(node);
            need = fuse_add_direntry_plus(request, buffer.data() + used, size - used, name, &entry,
                                          static_cast<off_t>(next));
        } else {
            const struct stat status = status_.of(node);
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
        Node& node = core_.tree.resolved(*at->second);
        room = add(node, at->second->name.c_str(), at->first);
        if (room && plus) {
            referenced.push_back(&node);
        }
    }
    // With the attributes the kernel takes a reference to each entry, but not to "." and "..".
    for (Node* node : referenced) {
        core_.tree.reference(*node);
    }
    if (fuse_reply_buf(request, buffer.data(), used) == -ENOENT) {
        for (Node* node : referenced) {
            core_.tree.unreference(*node);
        }
    }
}

}  // namespace plugfs::kit
