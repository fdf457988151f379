#include "kit/tree.h"

#include "common/names.h"

#include <plugfs/driver.h>

namespace plugfs::kit {

namespace {

// FNV-1a, 64 bits, over the parent's inode and the name, with a final mix: stable across workers and versions.
std::uint64_t path_hash(std::uint64_t parent, std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&hash](std::uint8_t byte) {
        hash ^= byte;
        hash *= 0x100000001b3;
    };
    for (unsigned shift = 0; shift < 64; shift += 8) {
        add(static_cast<std::uint8_t>(parent >> shift));
    }
    for (const char c : name) {
        add(static_cast<std::uint8_t>(c));
    }
    hash ^= hash >> 32U;
    hash *= 0x9fb21c651e98df25;
    return hash ^ (hash >> 28U);
}

// What a successor has to be told of: its place, or what its content is, is not known beforehand. Links have no inode
// that the kernel would know.
bool is_noted(const Node& node) {
    return node.content != Content::text && node.content != Content::events && node.content != Content::link;
}

bool lies_below(const Node& node, const Node& ancestor) {
    for (const Node* at = &node; at != nullptr; at = at->parent) {
        if (at == &ancestor) {
            return true;
        }
    }
    return false;
}

}  // namespace

NodeNote Tree::note_of(const Node& node) {
    return {node.inode, node.parent->inode, node.name,     node.device_name, node.identity,
            node.kind,  node.size,          node.modified, node.written,     node.content};
}

Tree::Tree() {
    auto root = std::make_unique<Node>();
    root->inode = root_inode;
    root->kind = Kind::directory;
    root->key = root_key;
    root->lookups = 1;
    by_key_[root_key] = root.get();
    nodes_[root_inode] = std::move(root);
}

Node* Tree::find(std::uint64_t inode) {
    const auto found = nodes_.find(inode);
    return found == nodes_.end() ? nullptr : found->second.get();
}

Node* Tree::find_key(Key key) {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
}

Node* Tree::child(const Node& folder, std::string_view name) {
    const auto found = folder.by_name.find(name);
    return found == folder.by_name.end() ? nullptr : found->second;
}

std::uint64_t Tree::free_inode(const Node& folder, std::string_view name) const {
    std::uint64_t inode = path_hash(folder.inode, name) & inode_mask;
    while (inode < first_inode || nodes_.count(inode) != 0) {
        inode = (inode + 1) & inode_mask;
    }
    return inode;
}

Node& Tree::create(Node& folder, std::string name) {
    auto node = std::make_unique<Node>();
    node->inode = free_inode(folder, name);
    node->name = std::move(name);
    Node& made = *node;
    nodes_[made.inode] = std::move(node);
    attach(folder, made);
    return made;
}

void Tree::attach(Node& folder, Node& node) {
    node.parent = &folder;
    folder.children[node.inode] = &node;
    folder.by_name[node.name] = &node;
}

void Tree::detach(Node& node) {
    if (node.parent != nullptr) {
        node.parent->by_name.erase(node.name);
        node.parent->children.erase(node.inode);
        node.parent = nullptr;
    }
}

// By its name; of several with that name, the one with that identity.
Node* Tree::find_unbound(Node& folder, const Entry& entry) {
    // Entries whose names collide have numbers behind them, in the order in which they came: look at each.
    Node* found = nullptr;
    bool certain = false;
    (void)unique_name(safe_name(entry.name), [&](const std::string& candidate) {
        Node* node = child(folder, candidate);
        const bool same = node != nullptr && !node->bound && node->kind == entry.kind &&
                          (node->device_name.empty() ? node->name : node->device_name) == entry.name;
        certain = same && same_identity(*node, entry);
        if (certain || (same && found == nullptr)) {
            found = node;
        }
        return node != nullptr && !certain;
    });
    return found;
}

// False only if both are known to be others.
bool Tree::same_identity(const Node& node, const Entry& entry) {
    return node.identity.empty() || entry.persistent_identity.empty() || node.identity == entry.persistent_identity;
}

// Whether an unbound entry still has the content that it had. A file must be the same object, with the size and time
// that it had: to somebody who has it open, another one would be other bytes. Unless it was being written to by us,
// where a device may have made a new object of it. A folder's entries are looked at themselves.
bool Tree::same_content(const Node& node, const Entry& entry) {
    return node.kind == Kind::directory || node.written ||
           (same_identity(node, entry) && node.size == entry.size && node.modified == entry.modified);
}

void Tree::unbind_all() {
    by_key_.clear();
    by_key_[root_key] = &root();
    for (auto& [inode, node] : nodes_) {
        if (node->kind == Kind::directory) {
            node->listed = Listed::no;
        }
        if (node->content == Content::driver && inode != root_inode) {
            node->bound = false;
        }
    }
}

Result<Tree::Change> Tree::add(Node& folder, const Entry& entry) {
    Change change;
    Node* node = find_key(entry.key);
    if (entry.key == root_key || (node != nullptr && lies_below(folder, *node))) {
        return fail(EINVAL, "entry " + plugfs::quoted(entry.name), "its key makes it a folder of itself");
    }
    if (node == nullptr) {
        node = find_unbound(folder, entry);
        if (node != nullptr && !same_content(*node, entry)) {
            change.replaced = node->inode;
            remove(*node);
            node = nullptr;
        }
        if (node != nullptr) {
            node->key = entry.key;
            node->bound = true;
            by_key_[entry.key] = node;
        }
    }
    if (node != nullptr && node->kind != entry.kind) {
        return fail(EEXIST, "entry " + plugfs::quoted(entry.name), "its key belongs to " + path(*node));
    }
    const bool same_place = node != nullptr && node->parent == &folder &&
                            (node->device_name.empty() ? node->name : node->device_name) == entry.name;
    if (!same_place) {
        if (node != nullptr) {
            change.old_parent = node->parent->inode;
            change.old_name = node->name;
            detach(*node);
        }
        std::string name = unique_name(
            safe_name(entry.name), [&](const std::string& candidate) { return child(folder, candidate) != nullptr; });
        if (node == nullptr) {
            node = &create(folder, std::move(name));
            node->key = entry.key;
            node->kind = entry.kind;
            by_key_[entry.key] = node;
        } else {
            node->name = std::move(name);
            attach(folder, *node);
        }
        node->device_name = node->name == entry.name ? std::string() : entry.name;
        change.appeared = true;
    }
    change.node = node;
    // What we write ourselves is no news to the kernel.
    change.content_changed = !node->written && (node->size != entry.size || node->modified != entry.modified);
    node->version += change.content_changed ? 1 : 0;
    node->identity = entry.persistent_identity;
    node->size = entry.size;
    node->modified = entry.modified;
    node->seen_in = folder.listings;
    if (node->noted && (change.content_changed || change.appeared)) {
        note(*node);
    }
    return change;
}

Result<Tree::Change> Tree::move(Node& node, Node& folder, const Entry& entry) {
    // Listed or reported under its new key before we were told of it.
    if (Node* other = find_key(entry.key); other != nullptr && other != &node && other->inode != root_inode) {
        remove(*other);
    }
    if (node.bound) {
        by_key_.erase(node.key);
    }
    node.key = entry.key;
    node.bound = true;
    by_key_[entry.key] = &node;
    node.size = entry.size;
    node.modified = entry.modified;
    if (node.parent == nullptr) {
        // The device has reported its removal meanwhile.
        node.name = unique_name(safe_name(entry.name),
                                [&](const std::string& candidate) { return child(folder, candidate) != nullptr; });
        node.device_name = node.name == entry.name ? std::string() : entry.name;
        attach(folder, node);
        if (node.lookups > 0) {
            note(node);
        }
    }
    return add(folder, entry);
}

void Tree::refresh(Node& node, const Entry& entry) {
    node.identity = entry.persistent_identity;
    node.size = entry.size;
    node.modified = entry.modified;
    node.written = false;
    if (node.noted) {
        note(node);
    }
}

void Tree::will_be_written(Node& node) {
    if (!std::exchange(node.written, true) && node.noted) {
        note(node);
    }
}

void Tree::was_not_written(Node& node) {
    if (std::exchange(node.written, false) && node.noted) {
        note(node);
    }
}

void Tree::remove(Node& top) {
    // Not by recursion: the device decides how deep its folders go.
    std::vector<Node*> doomed = {&top};
    for (std::size_t i = 0; i < doomed.size(); ++i) {
        for (const auto& [inode, child] : doomed[i]->children) {
            doomed.push_back(child);
        }
    }
    detach(top);
    for (auto at = doomed.rbegin(); at != doomed.rend(); ++at) {
        Node& node = **at;
        detach(node);
        unlink(node);
        if (node.content == Content::driver && node.bound) {
            by_key_.erase(node.key);
        }
        take_back(node);
        drop_if_unused(node);
    }
}

void Tree::forget(std::uint64_t inode, std::uint64_t count) {
    Node* node = find(inode);
    if (node == nullptr || node->inode == root_inode) {
        return;
    }
    node->lookups -= std::min(count, node->lookups);
    if (node->lookups == 0) {
        take_back(*node);
    }
    drop_if_unused(*node);
}

void Tree::reference(Node& node) {
    ++node.lookups;
    // Folders first: without them a successor cannot place it.
    for (Node* at = &node; at != nullptr && !at->noted; at = at->parent) {
        note(*at);
    }
}

void Tree::note(Node& node) {
    if (observer_ == nullptr || node.parent == nullptr || !is_noted(node)) {
        return;
    }
    node.noted = true;
    observer_->note(note_of(node));
}

void Tree::take_back(Node& node) {
    if (std::exchange(node.noted, false) && observer_ != nullptr) {
        observer_->take_back(node.inode);
    }
}

void Tree::drop_if_unused(Node& node) {
    if (node.parent == nullptr && node.lookups == 0 && node.inode != root_inode) {
        nodes_.erase(node.inode);
    }
}

std::vector<std::string> Tree::device_path(const Node& node) {
    std::vector<std::string> path;
    for (const Node* at = &node; at->parent != nullptr; at = at->parent) {
        path.insert(path.begin(), at->device_name.empty() ? at->name : at->device_name);
    }
    return path;
}

std::string Tree::path(const Node& node) {
    std::string path;
    for (const Node* at = &node; at->parent != nullptr; at = at->parent) {
        path.insert(0, "/").insert(1, at->name);
    }
    return path.empty() ? "/" : path;
}

}  // namespace plugfs::kit
