// NameChanges: the driver is asked, and what follows: the tree, the answer, and the end of the record in the vault.

#include "common/log.h"
#include "kit/crash_points.h"
#include "kit/filesystem/name_changes.h"

#include <utility>

namespace plugfs::kit {

// On the device thread.
Result<std::optional<Entry>> NameChanges::ask(Writer& writer, const Change& change, const Keys& keys) {
    if (change.removes()) {
        PLUGFS_TRY(writer.remove(keys.entry));
        return std::optional<Entry>();
    }
    PLUGFS_ASSIGN(auto entry, change.renames()
                                  ? writer.rename(keys.entry, keys.target_folder, change.target_name, keys.replaced)
                                  : writer.create(keys.folder, change.name, change.kind));
    return std::optional<Entry>(std::move(entry));
}

void NameChanges::ask_driver(const ChangeRef& change, const Keys& keys) {
    core_.queue.add(Priority::metadata, [this, change, keys](Driver& driver) {
        Writer* writer = driver.writer();
        Result<std::optional<Entry>> result = fail(EROFS, change->word());
        const auto record = *change->record;
        if (writer != nullptr) {
            operations_->acting(record);
            PLUGFS_CRASH_POINT(3);
            result = ask(*writer, *change, keys);
            PLUGFS_CRASH_POINT(4);
            // Gone in the middle of it: nobody knows, until it is back.
            if (!result && result.error().code == ESTALE) {
                operations_->again(record);
            } else if (result || result.error().code != ENODEV) {
                operations_->done(record, result ? 0 : WaitingRequests::visible_code(result.error()));
            }
            PLUGFS_CRASH_POINT(5);
        }
        core_.mailbox.post([this, change, keys, result = std::move(result)] { made(change, keys, result); });
    });
}

void NameChanges::made(const ChangeRef& change, const Keys& keys, const Result<std::optional<Entry>>& result) {
    PLUGFS_CRASH_POINT(6);
    if (!result && result.error().code == ESTALE && change->attempt < stale_limit) {
        ++change->attempt;
        if (const Node* folder = core_.tree.find(change->parent)) {
            folders_.keys_lost(*folder, keys.folder);
        }
        // The root's key never changes: the entry's tells, too.
        if (const Node* entry = core_.tree.find(change->operation.inode)) {
            folders_.keys_lost(*entry, keys.entry);
        }
        prepare(change);
        return;
    }
    if (!result) {
        failed(change, result.error());
        return;
    }
    apply(*change, *result);
    PLUGFS_CRASH_POINT(7);
    answer(change);
}

void NameChanges::apply(const Change& change, const std::optional<Entry>& entry) {
    Node* node = core_.tree.find(change.operation.inode);
    Node* folder = core_.tree.find(change.folder());
    if (change.removes()) {
        if (node != nullptr) {
            core_.tree.remove(*node);
        }
        return;
    }
    if (folder == nullptr || !entry) {
        return;
    }
    const std::string& name = change.renames() ? change.target_name : change.name;
    Result<Tree::Change> changed = Tree::Change{};
    if (change.renames()) {
        if (Node* target = Tree::child(*folder, name); target != nullptr && target != node) {
            core_.tree.remove(*target);
        }
        changed = node != nullptr ? core_.tree.move(*node, *folder, *entry) : core_.tree.add(*folder, *entry);
    } else {
        changed = core_.tree.add(*folder, *entry);
        if (changed && changed->node->kind == Kind::file) {
            core_.tree.will_be_written(*changed->node);  // an empty file is flushed, too
        }
    }
    if (!changed) {
        log::warning("in " + quoted(Tree::path(*folder)) + ": " + changed.error().text());
    } else if (changed->node->name != name) {
        // The device would not have the name as it is.
        core_.notifier->name_changed(folder->inode, name);
        core_.notifier->name_changed(folder->inode, changed->node->name);
    }
}

void NameChanges::answer(const ChangeRef& change) {
    const fuse_req_t request = change->request;
    if (!change->makes()) {
        fuse_reply_err(request, 0);
        end(*change);
        return;
    }
    Node* folder = core_.tree.find(change->parent);
    Node* there = folder != nullptr ? Tree::child(*folder, change->name) : nullptr;
    if (there == nullptr || there->kind != change->kind) {
        failed(change, fail(EIO, change->word(), "the device has made something else of it"));
        return;
    }
    core_.tree.reference(*there);
    const auto entry = status_.entry(*there);
    int sent = 0;
    if (change->opens) {
        reader_.opened(there->inode);
        change->opens->keep_cache = 1;
        sent = fuse_reply_create(request, &entry, &*change->opens);
    } else {
        sent = fuse_reply_entry(request, &entry);
    }
    if (sent == -ENOENT) {
        core_.tree.unreference(*there);
    }
    end(*change);
}

void NameChanges::failed(const ChangeRef& change, const Error& error) {
    if (core_.waiting.holds(error)) {
        return;  // its record stays as it is, for a successor
    }
    core_.waiting.reply_error(change->request, error, std::string(change->word()) + " " + quoted(change->name));
    end(*change);
}

void NameChanges::end(Change& change) {
    PLUGFS_CRASH_POINT(8);
    (void)core_.waiting.take(change.id);
    if (change.record) {
        operations_->release(*change.record);
        change.record.reset();
    }
    if (alone_ == change.operation.unique) {
        alone_.reset();
    }
    for (const auto& next : std::exchange(waiting_for_others_, {})) {
        core_.mailbox.post([this, next] { act(next); });
    }
}

}  // namespace plugfs::kit
