// Tree: entries of the kit's own, and second names of others.

#include "common/names.h"
#include "kit/tree.h"

#include <utility>

namespace plugfs::kit {

Node& Tree::add_own(Node& folder, std::string_view name, Kind kind, Content content) {
    const auto mine = [&](const std::string& candidate) {
        Node* there = child(folder, candidate);
        return there != nullptr && there->content == content && there->kind == kind ? there : nullptr;
    };
    std::string chosen = unique_name(safe_name(name), [&](const std::string& candidate) {
        return child(folder, candidate) != nullptr && mine(candidate) == nullptr;
    });
    if (Node* there = mine(chosen)) {
        return *there;
    }
    Node& node = create(folder, std::move(chosen));
    node.kind = kind;
    node.content = content;
    return node;
}

Node& Tree::add_link(Node& folder, std::string_view name, Node& target) {
    Node& node = create(folder, unique_name(safe_name(name), [&](const std::string& candidate) {
                            return child(folder, candidate) != nullptr;
                        }));
    node.content = Content::link;
    node.kind = target.kind;
    node.target = target.inode;
    target.links.push_back(node.inode);
    return node;
}

Node& Tree::resolved(Node& node) {
    Node* target = node.content == Content::link ? find(node.target) : nullptr;
    return target != nullptr ? *target : node;
}

// A link that goes, and the links to what goes.
void Tree::unlink(Node& node) {
    if (node.content == Content::link) {
        if (Node* target = find(node.target)) {
            std::erase(target->links, node.inode);
        }
    }
    for (const std::uint64_t inode : std::exchange(node.links, {})) {
        Node* link = find(inode);
        if (link != nullptr && link->parent != nullptr) {
            if (link_goes) {
                link_goes(*link);
            }
            detach(*link);
            drop_if_unused(*link);
        }
    }
}

}  // namespace plugfs::kit
