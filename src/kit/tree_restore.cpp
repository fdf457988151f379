// Tree: what the kernel knows from a predecessor.

#include "common/names.h"
#include "kit/tree.h"

namespace plugfs::kit {

namespace {

// Where such an entry may lie.
bool may_lie_in(const Node& folder, Content content) {
    const bool in_root = folder.inode == root_inode;
    switch (content) {
        case Content::driver:
            return folder.content == Content::driver;
        case Content::controls:
            return in_root;
        case Content::control:
            return folder.content == Content::controls;
        case Content::view:
            return in_root || folder.content == Content::view;
        case Content::attribute:
            return folder.content == Content::view;
        default:
            return false;
    }
}

}  // namespace

void Tree::each_note(const std::function<void(const NodeNote&)>& give) const {
    for (const auto& [inode, node] : nodes_) {
        if (node->noted) {
            give(note_of(*node));
        }
    }
}

std::size_t Tree::restore(std::vector<NodeNote> notes) {
    std::unordered_multimap<std::uint64_t, NodeNote*> by_parent;
    for (auto& note : notes) {
        by_parent.emplace(note.parent, &note);
    }
    // From the root down, so that a circle is never reached.
    std::vector<Node*> folders = {&root()};
    std::size_t count = 0;
    while (!folders.empty()) {
        Node& folder = *folders.back();
        folders.pop_back();
        const auto [begin, end] = by_parent.equal_range(folder.inode);
        for (auto at = begin; at != end; ++at) {
            NodeNote& note = *at->second;
            const bool valid = note.inode >= first_inode && note.inode <= inode_mask && find(note.inode) == nullptr &&
                               note.name == safe_name(note.name) && child(folder, note.name) == nullptr &&
                               may_lie_in(folder, note.content);
            if (!valid) {
                continue;
            }
            auto node = std::make_unique<Node>();
            node->inode = note.inode;
            node->name = std::move(note.name);
            node->device_name = std::move(note.device_name);
            node->identity = std::move(note.identity);
            node->kind = note.kind;
            node->size = note.size;
            node->modified = note.modified;
            node->written = note.written;
            node->content = note.content;
            // What is the kit's own is found by its name alone.
            node->bound = note.content != Content::driver;
            // How many references the kernel has is not known, and does not matter: it drops all of them at once.
            node->lookups = 1;
            node->noted = true;
            Node& made = *node;
            nodes_[made.inode] = std::move(node);
            attach(folder, made);
            if (made.kind == Kind::directory) {
                folders.push_back(&made);
            }
            ++count;
        }
    }
    return count;
}

}  // namespace plugfs::kit
