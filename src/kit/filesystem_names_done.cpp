// Filesystem: what follows when the driver has changed a name: the tree, the answer, and the end of the record in the
// vault. (How it comes to that: filesystem_names.cpp.)

#include "common/log.h"
#include "kit/crash_points.h"
#include "kit/filesystem.h"

#include <utility>

namespace plugfs::kit {

void Filesystem::apply_change(const NameChange& change, const std::optional<Entry>& entry) {
    Node* node = tree_.find(change.operation.inode);
    Node* folder = tree_.find(change.operation.what == Operation::What::rename ? change.target_parent : change.parent);
    if (change.operation.what == Operation::What::remove) {
        if (node != nullptr) {
            tree_.remove(*node);
        }
        return;
    }
    if (folder == nullptr || !entry) {
        return;
    }
    const std::string& name = change.operation.what == Operation::What::rename ? change.target_name : change.name;
    Result<Tree::Change> changed = Tree::Change{};
    if (change.operation.what == Operation::What::rename) {
        if (Node* target = Tree::child(*folder, name); target != nullptr && target != node) {
            tree_.remove(*target);
        }
        changed = node != nullptr ? tree_.move(*node, *folder, *entry) : tree_.add(*folder, *entry);
    } else {
        changed = tree_.add(*folder, *entry);
        if (changed && changed->node->kind == Kind::file) {
            tree_.will_be_written(*changed->node);  // an empty file is flushed, too
        }
    }
    if (!changed) {
        log::warning("in " + plugfs::quoted(Tree::path(*folder)) + ": " + changed.error().text());
    } else if (changed->node->name != name) {
        // The device would not have the name as it is.
        notifier_->name_changed(folder->inode, name);
        notifier_->name_changed(folder->inode, changed->node->name);
    }
}

void Filesystem::answer_change(const NameChangeRef& change) {
    const fuse_req_t request = change->request;
    const bool makes = change->operation.what == Operation::What::create_file ||
                       change->operation.what == Operation::What::create_folder;
    if (!makes) {
        fuse_reply_err(request, 0);
        end_change(*change);
        return;
    }
    Node* folder = tree_.find(change->parent);
    Node* made = folder != nullptr ? Tree::child(*folder, change->name) : nullptr;
    if (made == nullptr || made->kind != change->kind) {
        change_failed(change, fail(EIO, word_for(change->operation.what), "the device has made something else of it"));
        return;
    }
    tree_.reference(*made);
    const auto entry = entry_for(*made);
    int sent = 0;
    if (change->opens) {
        ++open_files_[made->inode].handles;
        change->opens->keep_cache = 1;
        sent = fuse_reply_create(request, &entry, &*change->opens);
    } else {
        sent = fuse_reply_entry(request, &entry);
    }
    if (sent == -ENOENT) {
        tree_.unreference(*made);
    }
    end_change(*change);
}

void Filesystem::change_failed(const NameChangeRef& change, const Error& error) {
    if (error.code == ENODEV && hold_when_gone_) {
        return;  // its record stays as it is, for a successor
    }
    reply_error(change->request, error, std::string(word_for(change->operation.what)) + " " + quoted(change->name));
    end_change(*change);
}

void Filesystem::end_change(NameChange& change) {
    PLUGFS_CRASH_POINT(8);
    finish(change.id);
    if (change.record) {
        operations_->release(*change.record);
        change.record.reset();
    }
    if (alone_ == change.operation.unique) {
        alone_.reset();
    }
    for (const auto& next : std::exchange(waiting_for_others_, {})) {
        mailbox_.post([this, next] { act_on_change(next); });
    }
}

}  // namespace plugfs::kit
