// Filesystem: entries that come and go: those of a listing, and the device's own changes. The kernel is told.

#include "common/log.h"
#include "kit/filesystem.h"

namespace plugfs::kit {

void Filesystem::take_in(Node& folder, const Entry& entry, bool announce) {
    auto change = tree_.add(folder, entry);
    if (!change) {
        log::warning("in " + plugfs::quoted(Tree::path(folder)) + ": skipped " + change.error().text());
        return;
    }
    if (change->replaced != 0) {
        notifier_->removed(folder.inode, change->replaced, change->node->name);
    }
    if (change->old_parent != 0) {
        notifier_->name_changed(change->old_parent, change->old_name);
        notifier_->inode_changed(change->old_parent, true);
    }
    const bool had_been_listed = folder.listings > 1 || announce;
    if (change->appeared && had_been_listed) {
        notifier_->name_changed(folder.inode, change->node->name);
        notifier_->inode_changed(folder.inode, true);
    }
    if (change->content_changed && !change->appeared) {
        forget_content(*change->node);
        notifier_->inode_changed(change->node->inode, true);
    }
    if (change->appeared && change->node->kind == Kind::directory) {
        tracks_.look_into(change->node->inode);
    } else if (change->appeared || change->content_changed) {
        attributes_changed(change->node->inode);
    }
}

void Filesystem::take_out(Node& node) {
    if (const auto open = open_files_.find(node.inode); open != open_files_.end() && open->second.handles > 0) {
        log::info(plugfs::quoted(Tree::path(node)) + " is open, and not on the device any more");
    }
    if (node.content == Content::link && node.parent != nullptr) {
        // The file itself is still there.
        notifier_->name_changed(node.parent->inode, node.name);
        notifier_->inode_changed(node.parent->inode, true);
        notifier_->inode_changed(node.target, false);
    } else if (node.parent != nullptr) {
        notifier_->removed(node.parent->inode, node.inode, node.name);
        notifier_->inode_changed(node.parent->inode, true);
    }
    tree_.remove(node);
}

void Filesystem::device_added(Key key, const Entry& entry) {
    Node* folder = tree_.find_key(key);
    if (folder != nullptr && folder->kind == Kind::directory && folder->listed != Listed::no) {
        take_in(*folder, entry, true);
        resume_waiting(folder->inode, nullptr);
        go_on_with_tracks();
    }
}

void Filesystem::device_removed(Key key) {
    Node* node = tree_.find_key(key);
    if (node != nullptr && node->inode != root_inode) {
        take_out(*node);
    }
}

void Filesystem::device_changed(const Entry& entry) {
    Node* node = tree_.find_key(entry.key);
    if (node != nullptr && node->parent != nullptr) {
        take_in(*node->parent, entry, true);
        // The same size and time, and yet the device says that it changed.
        forget_content(*node);
        notifier_->inode_changed(node->inode, true);
        attributes_changed(node->inode);
        go_on_with_tracks();
    }
}

void Filesystem::device_list_again(Key key) {
    Node* folder = tree_.find_key(key);
    if (folder == nullptr || folder->kind != Kind::directory || folder->listed == Listed::no) {
        return;
    }
    // A device that breaks every listing has its driver call for the next one before the answer is here: whoever waits
    // for it must hear of it at last.
    if (folder->listed == Listed::running && ++folder->begun_again > stale_limit) {
        return;
    }
    // Listed anew at once, not at the next look: the kernel answers from its own caches and would never ask.
    folder->listed = Listed::no;
    want_listing(*folder);
}

}  // namespace plugfs::kit
