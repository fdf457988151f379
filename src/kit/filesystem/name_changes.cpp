// NameChanges: from the request until the driver is asked.

#include "kit/filesystem/name_changes.h"

#include "common/names.h"
#include "kit/crash_points.h"

#include <utility>

namespace plugfs::kit {

namespace {

// Whether `node` may be removed, or replaced, by what is for a `kind`.
Result<void> may_go(const Node& node, Kind kind, const char* stage) {
    if (node.kind != kind) {
        return fail(kind == Kind::directory ? ENOTDIR : EISDIR, stage, Tree::path(node));
    }
    return node.children.empty() ? Result<void>() : fail(ENOTEMPTY, stage, Tree::path(node));
}

}  // namespace

bool NameChanges::Change::makes() const {
    return operation.what == Operation::What::create_file || operation.what == Operation::What::create_folder;
}

// What safe_name() would change could not be found again under the name that it was given.
int NameChanges::check_name(const std::string& name) {
    if (name.size() > name_limit) {
        return ENAMETOOLONG;
    }
    return name == safe_name(name) ? 0 : EINVAL;
}

NameChanges::ChangeRef NameChanges::new_change(fuse_req_t request, Operation::What what, std::uint64_t parent,
                                               const char* name) {
    auto change = std::make_shared<Change>();
    change->request = request;
    change->operation.what = what;
    change->parent = parent;
    change->name = name;
    return change;
}

void NameChanges::create(fuse_req_t request, std::uint64_t parent, const char* name, const fuse_file_info& info) {
    const auto change = new_change(request, Operation::What::create_file, parent, name);
    change->opens = info;
    begin(change);
}

void NameChanges::make_folder(fuse_req_t request, std::uint64_t parent, const char* name) {
    const auto change = new_change(request, Operation::What::create_folder, parent, name);
    change->kind = Kind::directory;
    begin(change);
}

void NameChanges::remove(fuse_req_t request, std::uint64_t parent, const char* name, Kind kind) {
    const auto change = new_change(request, Operation::What::remove, parent, name);
    change->kind = kind;
    begin(change);
}

void NameChanges::rename(fuse_req_t request, std::uint64_t parent, const char* name, std::uint64_t target_parent,
                         const char* target_name, unsigned flags) {
    constexpr unsigned no_replace = 1;  // RENAME_NOREPLACE, linux/fs.h
    if ((flags & ~no_replace) != 0) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    const auto change = new_change(request, Operation::What::rename, parent, name);
    change->target_parent = target_parent;
    change->target_name = target_name;
    change->keep_target = flags != 0;
    begin(change);
}

void NameChanges::begin(const ChangeRef& change) {
    PLUGFS_CRASH_POINT(1);
    if (core_.waiting.refuse(change->request)) {
        return;
    }
    const std::string& appears = change->renames() ? change->target_name : change->name;
    if (const int bad = change->removes() ? 0 : check_name(appears); bad != 0) {
        fuse_reply_err(change->request, bad);
        return;
    }
    // In the kit's own folders nobody else makes or removes anything.
    for (const std::uint64_t folder : {change->parent, change->folder()}) {
        if (const Node* at = core_.tree.find(folder); at != nullptr && at->content != Content::driver) {
            fuse_reply_err(change->request, EPERM);
            return;
        }
    }
    change->operation.unique = core_.session->current_request();
    change->id =
        core_.waiting.add_through(change->request, [this, change](const Error& error) { failed(change, error); });
    const auto known = unfinished_.find(change->operation.unique);
    if (known == unfinished_.end()) {
        prepare(change);
        return;
    }
    known->second.waiting = [this, change] { finish(change); };
    if (known->second.trace) {
        finish(change);
    }
}

void NameChanges::prepare(const ChangeRef& change) {
    folders_.when_listed(change->parent, [this, change](const Error* error) {
        if (error != nullptr) {
            failed(change, *error);
        } else if (change->renames()) {
            folders_.when_listed(change->target_parent, [this, change](const Error* target_error) {
                if (target_error != nullptr) {
                    failed(change, *target_error);
                } else {
                    act(change);
                }
            });
        } else {
            act(change);
        }
    });
}

void NameChanges::act(const ChangeRef& change) {
    if (!core_.waiting.has(change->id)) {
        return;
    }
    // A folder that goes has to be empty: the device would remove what is in it.
    const Node* folder = core_.tree.find(change->folder());
    const std::string& doomed = change->renames() ? change->target_name : change->name;
    const Node* goes = folder != nullptr && !change->makes() ? Tree::child(*folder, doomed) : nullptr;
    if (goes != nullptr && goes->kind == Kind::directory && goes->listed != Listed::yes) {
        folders_.when_listed(goes->inode, [this, change](const Error* error) {
            if (error != nullptr) {
                failed(change, *error);
            } else {
                act(change);
            }
        });
        return;
    }
    auto keys = keys_for(*change);
    if (!keys) {
        failed(change, keys.error());
        return;
    }
    const auto noted = note(*change);
    if (!noted && noted.error().code == EAGAIN) {
        waiting_for_others_.push_back(change);
        return;
    }
    if (!noted) {
        failed(change, noted.error());
        return;
    }
    PLUGFS_CRASH_POINT(2);
    ask_driver(change, *keys);
}

Result<NameChanges::Keys> NameChanges::keys_for(Change& change) {
    const char* stage = change.word();
    const Node* folder = core_.tree.find(change.parent);
    if (folder == nullptr || !folder->bound) {
        return fail(ENOENT, stage, "the folder is not on the device any more");
    }
    Keys keys;
    keys.folder = folder->key;
    const Node* entry = Tree::child(*folder, change.name);
    if (change.makes()) {
        return entry == nullptr ? Result<Keys>(keys) : fail(EEXIST, stage, Tree::path(*entry));
    }
    if (entry == nullptr || !entry->bound) {
        return fail(ENOENT, stage, "it is not on the device any more");
    }
    if (entry->content != Content::driver) {
        return fail(EPERM, stage, Tree::path(*entry) + " is plugfs' own");
    }
    keys.entry = entry->key;
    change.operation.inode = entry->inode;
    if (change.removes()) {
        PLUGFS_TRY(may_go(*entry, change.kind, stage));
    } else {
        PLUGFS_TRY(find_target(change, *entry, keys));
    }
    return keys;
}

// Of a rename.
Result<void> NameChanges::find_target(Change& change, const Node& entry, Keys& keys) {
    const char* stage = change.word();
    const Node* folder = core_.tree.find(change.target_parent);
    if (folder == nullptr || !folder->bound) {
        return fail(ENOENT, stage, "the folder is not on the device any more");
    }
    keys.target_folder = folder->key;
    change.operation.target_folder = folder->inode;
    const Node* target = Tree::child(*folder, change.target_name);
    if (target == nullptr || target == &entry) {
        return {};
    }
    if (change.keep_target) {
        return fail(EEXIST, stage, Tree::path(*target));
    }
    if (target->content != Content::driver) {
        return fail(EPERM, stage, Tree::path(*target) + " is plugfs' own");
    }
    PLUGFS_TRY(may_go(*target, entry.kind, stage));
    keys.replaced = target->key;
    return {};
}

Result<void> NameChanges::note(Change& change) {
    if (change.record) {
        return {};
    }
    auto& operation = change.operation;
    // What is noted says where: a path. So nothing else is noted while a folder moves, from when it asks to.
    if (alone_ && *alone_ != operation.unique) {
        return fail(EAGAIN, "operations", "a folder moves");
    }
    const Node* moved = change.renames() ? core_.tree.find(operation.inode) : nullptr;
    if (moved != nullptr && moved->kind == Kind::directory) {
        alone_ = operation.unique;
        if (operations_->under_way() > 0) {
            return fail(EAGAIN, "operations", "others are under way");
        }
    }
    const Node& folder = *core_.tree.find(change.parent);
    if (operation.inode != 0) {
        operation.path = Tree::device_path(*core_.tree.find(operation.inode));
    } else {
        operation.path = Tree::device_path(folder);
        operation.path.push_back(change.name);
    }
    if (change.renames()) {
        operation.target = Tree::device_path(*core_.tree.find(change.target_parent));
        operation.target.push_back(change.target_name);
    }
    PLUGFS_ASSIGN(change.record, operations_->prepare(operation));
    return {};
}

}  // namespace plugfs::kit
