// Filesystem: names that change: create, remove, rename.
//
// What is asked for stands in the vault before the device is asked; see kit/operation_log.h. The folders are listed
// first, so that what is there is known, and the driver is never asked for the impossible.

#include "common/log.h"
#include "common/names.h"
#include "kit/crash_points.h"
#include "kit/filesystem.h"

#include <utility>

namespace plugfs::kit {

// What safe_name() would change could not be found again under the name that it was given.
int Filesystem::check_name(const std::string& name) {
    if (name.size() > name_limit) {
        return ENAMETOOLONG;
    }
    return name == safe_name(name) ? 0 : EINVAL;
}

void Filesystem::create(fuse_req_t request, std::uint64_t parent, const char* name, fuse_file_info& info) {
    auto change = std::make_shared<NameChange>();
    change->request = request;
    change->operation.what = Operation::What::create_file;
    change->parent = parent;
    change->name = name;
    change->opens = info;
    begin_change(change);
}

void Filesystem::make_folder(fuse_req_t request, std::uint64_t parent, const char* name) {
    auto change = std::make_shared<NameChange>();
    change->request = request;
    change->operation.what = Operation::What::create_folder;
    change->kind = Kind::directory;
    change->parent = parent;
    change->name = name;
    begin_change(change);
}

void Filesystem::remove(fuse_req_t request, std::uint64_t parent, const char* name, Kind kind) {
    auto change = std::make_shared<NameChange>();
    change->request = request;
    change->operation.what = Operation::What::remove;
    change->kind = kind;
    change->parent = parent;
    change->name = name;
    begin_change(change);
}

void Filesystem::rename(fuse_req_t request, std::uint64_t parent, const char* name, std::uint64_t target_parent,
                        const char* target_name, unsigned flags) {
    constexpr unsigned no_replace = 1;  // RENAME_NOREPLACE, linux/fs.h
    if ((flags & ~no_replace) != 0) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    auto change = std::make_shared<NameChange>();
    change->request = request;
    change->operation.what = Operation::What::rename;
    change->parent = parent;
    change->name = name;
    change->target_parent = target_parent;
    change->target_name = target_name;
    change->keep_target = flags != 0;
    begin_change(change);
}

void Filesystem::begin_change(const NameChangeRef& change) {
    PLUGFS_CRASH_POINT(1);
    if (refuse(change->request)) {
        return;
    }
    const bool renames = change->operation.what == Operation::What::rename;
    const bool makes = change->operation.what == Operation::What::create_file ||
                       change->operation.what == Operation::What::create_folder;
    if (const int bad = makes || renames ? check_name(renames ? change->target_name : change->name) : 0; bad != 0) {
        fuse_reply_err(change->request, bad);
        return;
    }
    // In the kit's own folders nobody else makes or removes anything.
    for (const std::uint64_t folder : {change->parent, renames ? change->target_parent : change->parent}) {
        if (const Node* at = tree_.find(folder); at != nullptr && at->content != Content::driver) {
            fuse_reply_err(change->request, EPERM);
            return;
        }
    }
    change->operation.unique = session_->current_request();
    change->id = wait_through(change->request, [this, change](const Error& error) { change_failed(change, error); });
    if (const auto known = unfinished_.find(change->operation.unique); known != unfinished_.end()) {
        known->second.waiting = [this, change] { finish_change(change, unfinished_.at(change->operation.unique)); };
        if (known->second.trace) {
            known->second.waiting();
        }
        return;
    }
    prepare_change(change);
}

void Filesystem::prepare_change(const NameChangeRef& change) {
    when_listed(change->parent, [this, change](const Error* error) {
        if (error != nullptr) {
            change_failed(change, *error);
        } else if (change->operation.what == Operation::What::rename) {
            when_listed(change->target_parent, [this, change](const Error* target_error) {
                if (target_error != nullptr) {
                    change_failed(change, *target_error);
                } else {
                    act_on_change(change);
                }
            });
        } else {
            act_on_change(change);
        }
    });
}

void Filesystem::act_on_change(const NameChangeRef& change) {
    if (!waits(change->id)) {
        return;
    }
    // A folder that goes has to be empty: the device would remove what is in it.
    Node* folder =
        tree_.find(change->operation.what == Operation::What::rename ? change->target_parent : change->parent);
    const bool removes = change->operation.what == Operation::What::remove;
    const std::string& doomed = removes ? change->name : change->target_name;
    Node* goes = folder != nullptr && !doomed.empty() ? Tree::child(*folder, doomed) : nullptr;
    if (goes != nullptr && goes->kind == Kind::directory && goes->listed != Listed::yes) {
        when_listed(goes->inode, [this, change](const Error* error) {
            if (error != nullptr) {
                change_failed(change, *error);
            } else {
                act_on_change(change);
            }
        });
        return;
    }
    auto keys = keys_for(*change);
    if (!keys) {
        change_failed(change, keys.error());
        return;
    }
    const auto noted = note_change(*change);
    if (!noted && noted.error().code == EAGAIN) {
        waiting_for_others_.push_back(change);
        return;
    }
    if (!noted) {
        change_failed(change, noted.error());
        return;
    }
    PLUGFS_CRASH_POINT(2);
    ask_driver(change, *keys);
}

Result<Filesystem::NameKeys> Filesystem::keys_for(NameChange& change) {
    const char* stage = word_for(change.operation.what);
    Node* folder = tree_.find(change.parent);
    if (folder == nullptr || !folder->bound) {
        return fail(ENOENT, stage, "the folder is not on the device any more");
    }
    NameKeys keys;
    keys.folder = folder->key;
    Node* entry = Tree::child(*folder, change.name);
    const bool makes = change.operation.what == Operation::What::create_file ||
                       change.operation.what == Operation::What::create_folder;
    if (makes) {
        return entry == nullptr ? Result<NameKeys>(keys) : fail(EEXIST, stage, Tree::path(*entry));
    }
    if (entry == nullptr || !entry->bound) {
        return fail(ENOENT, stage, "it is not on the device any more");
    }
    if (entry->content != Content::driver) {
        return fail(EPERM, stage, Tree::path(*entry) + " is plugfs' own");
    }
    keys.entry = entry->key;
    change.operation.inode = entry->inode;
    const auto may_go = [stage](const Node& node, Kind kind) -> Result<void> {
        if (node.kind != kind) {
            return fail(kind == Kind::directory ? ENOTDIR : EISDIR, stage, Tree::path(node));
        }
        return node.children.empty() ? Result<void>() : fail(ENOTEMPTY, stage, Tree::path(node));
    };
    if (change.operation.what == Operation::What::remove) {
        PLUGFS_TRY(may_go(*entry, change.kind));
        return keys;
    }
    Node* target_folder = tree_.find(change.target_parent);
    if (target_folder == nullptr || !target_folder->bound) {
        return fail(ENOENT, stage, "the folder is not on the device any more");
    }
    keys.target_folder = target_folder->key;
    change.operation.target_folder = target_folder->inode;
    if (Node* target = Tree::child(*target_folder, change.target_name); target != nullptr && target != entry) {
        if (change.keep_target) {
            return fail(EEXIST, stage, Tree::path(*target));
        }
        if (target->content != Content::driver) {
            return fail(EPERM, stage, Tree::path(*target) + " is plugfs' own");
        }
        PLUGFS_TRY(may_go(*target, entry->kind));
        keys.replaced = target->key;
    }
    return keys;
}

Result<void> Filesystem::note_change(NameChange& change) {
    if (change.record) {
        return {};
    }
    auto& operation = change.operation;
    // What is noted says where: a path. So nothing else is noted while a folder moves, from when it asks to.
    if (alone_ && *alone_ != operation.unique) {
        return fail(EAGAIN, "operations", "a folder moves");
    }
    const Node* moved = operation.what == Operation::What::rename ? tree_.find(operation.inode) : nullptr;
    if (moved != nullptr && moved->kind == Kind::directory) {
        alone_ = operation.unique;
        if (operations_->under_way() > 0) {
            return fail(EAGAIN, "operations", "others are under way");
        }
    }
    const Node& folder = *tree_.find(change.parent);
    if (operation.inode != 0) {
        operation.path = Tree::device_path(*tree_.find(operation.inode));
    } else {
        operation.path = Tree::device_path(folder);
        operation.path.push_back(change.name);
    }
    if (operation.what == Operation::What::rename) {
        operation.target = Tree::device_path(*tree_.find(change.target_parent));
        operation.target.push_back(change.target_name);
    }
    PLUGFS_ASSIGN(change.record, operations_->prepare(operation));
    return {};
}

void Filesystem::ask_driver(const NameChangeRef& change, const NameKeys& keys) {
    queue_.add(Priority::metadata, [this, change, keys](Driver& driver) {
        Writer* writer = driver.writer();
        Result<std::optional<Entry>> result = fail(EROFS, word_for(change->operation.what));
        const auto record = *change->record;
        if (writer != nullptr) {
            operations_->acting(record);
            PLUGFS_CRASH_POINT(3);
            const auto entry = [&result](Result<Entry> made) {
                result = made ? Result<std::optional<Entry>>(std::move(*made)) : made.error();
            };
            switch (change->operation.what) {
                case Operation::What::create_file:
                case Operation::What::create_folder:
                    entry(writer->create(keys.folder, change->name, change->kind));
                    break;
                case Operation::What::remove:
                    if (const auto removed = writer->remove(keys.entry); removed) {
                        result = std::optional<Entry>();
                    } else {
                        result = removed.error();
                    }
                    break;
                case Operation::What::rename:
                    entry(writer->rename(keys.entry, keys.target_folder, change->target_name, keys.replaced));
                    break;
            }
            PLUGFS_CRASH_POINT(4);
            // Gone in the middle of it: nobody knows, until it is back.
            if (!result && result.error().code == ESTALE) {
                operations_->again(record);
            } else if (result || result.error().code != ENODEV) {
                operations_->done(record, result ? 0 : visible_code(result.error()));
            }
            PLUGFS_CRASH_POINT(5);
        }
        mailbox_.post([this, change, keys, result = std::move(result)] { change_made(change, keys, result); });
    });
}

void Filesystem::change_made(const NameChangeRef& change, const NameKeys& keys,
                             const Result<std::optional<Entry>>& result) {
    PLUGFS_CRASH_POINT(6);
    if (!result && result.error().code == ESTALE && change->attempt < stale_limit) {
        ++change->attempt;
        if (const Node* folder = tree_.find(change->parent)) {
            keys_lost(*folder, keys.folder);
        }
        // The root's key never changes: the entry's tells, too.
        if (const Node* entry = tree_.find(change->operation.inode)) {
            keys_lost(*entry, keys.entry);
        }
        prepare_change(change);
        return;
    }
    if (!result) {
        change_failed(change, result.error());
        return;
    }
    apply_change(*change, *result);
    PLUGFS_CRASH_POINT(7);
    answer_change(change);
}

}  // namespace plugfs::kit
