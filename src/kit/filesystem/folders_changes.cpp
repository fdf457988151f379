// Folders: entries that come and go: those of a listing, and the device's own changes. The kernel is told.

#include "common/log.h"
#include "kit/filesystem/folders.h"

namespace plugfs::kit {

void Folders::take_in(Node& folder, const Entry& entry, bool announce) {
    auto change = core_.tree.add(folder, entry);
    if (!change) {
        log::warning("in " + quoted(Tree::path(folder)) + ": skipped " + change.error().text());
        return;
    }
    if (change->replaced != 0) {
        core_.notifier->removed(folder.inode, change->replaced, change->node->name);
    }
    if (change->old_parent != 0) {
        core_.notifier->name_changed(change->old_parent, change->old_name);
        core_.notifier->inode_changed(change->old_parent, true);
    }
    const bool had_been_listed = folder.listings > 1 || announce;
    if (change->appeared && had_been_listed) {
        core_.notifier->name_changed(folder.inode, change->node->name);
        core_.notifier->inode_changed(folder.inode, true);
    }
    if (change->content_changed && !change->appeared) {
        observer_.content_changed(*change->node);
        core_.notifier->inode_changed(change->node->inode, true);
    }
    if (change->appeared) {
        observer_.entry_appeared(*change->node);
    } else if (change->content_changed) {
        observer_.attributes_changed(*change->node);
    }
}

void Folders::take_out(Node& node) {
    if (observer_.is_open(node.inode)) {
        log::info(quoted(Tree::path(node)) + " is open, and not on the device any more");
    }
    if (node.content == Content::link && node.parent != nullptr) {
        // The file itself is still there.
        core_.notifier->name_changed(node.parent->inode, node.name);
        core_.notifier->inode_changed(node.parent->inode, true);
        core_.notifier->inode_changed(node.target, false);
    } else if (node.parent != nullptr) {
        core_.notifier->removed(node.parent->inode, node.inode, node.name);
        core_.notifier->inode_changed(node.parent->inode, true);
    }
    core_.tree.remove(node);
}

void Folders::added(Key key, const Entry& entry) {
    Node* folder = core_.tree.find_key(key);
    if (folder != nullptr && folder->kind == Kind::directory && folder->listed != Listed::no) {
        take_in(*folder, entry, true);
        resume(folder->inode, nullptr);
        observer_.folders_changed();
    }
}

void Folders::removed(Key key) {
    Node* node = core_.tree.find_key(key);
    if (node != nullptr && node->inode != root_inode) {
        take_out(*node);
    }
}

void Folders::changed(const Entry& entry) {
    Node* node = core_.tree.find_key(entry.key);
    if (node != nullptr && node->parent != nullptr) {
        take_in(*node->parent, entry, true);
        // The same size and time, and yet the device says that it changed.
        observer_.content_changed(*node);
        core_.notifier->inode_changed(node->inode, true);
        observer_.attributes_changed(*node);
        observer_.folders_changed();
    }
}

void Folders::list_again(Key key) {
    Node* folder = core_.tree.find_key(key);
    if (folder == nullptr || folder->kind != Kind::directory || folder->listed == Listed::no) {
        return;
    }
    // A device that breaks every listing has its driver call for the next one before the answer is here: whoever waits
    // for it must hear of it at last.
    if (folder->listed == Listed::running && ++folder->begun_again > stale_limit) {
        return;
    }
    list_again(*folder);
}

void Folders::list_again(Node& folder) {
    if (folder.listed != Listed::no) {
        folder.listed = Listed::no;
        want_listing(folder);
    }
}

void Folders::keys_lost(const Node& node, Key key) {
    // Several requests learn of it one after the other; the first one acts, the others find the entry bound anew, or
    // unbound.
    if (node.bound && node.key == key) {
        log::info("the driver began a new session with the device: finding everything again by name");
        core_.tree.unbind_all();
    }
}

}  // namespace plugfs::kit
