// TracksFolder: what is shown, and where: artists, albums, tracks and covers.

#include "kit/filesystem/tracks_folder.h"

#include <algorithm>
#include <utility>

namespace plugfs::kit {

namespace {

constexpr std::string_view cover_attribute = "media.cover";
constexpr std::string_view cover_name = "cover.jpg";

std::optional<std::uint64_t> size_of_cover(const std::vector<Attribute>& attributes) {
    const auto cover = std::find_if(attributes.begin(), attributes.end(),
                                    [](const Attribute& attribute) { return attribute.name == cover_attribute; });
    return cover != attributes.end() ? std::optional(cover->size.value_or(cover->value.size())) : std::nullopt;
}

}  // namespace

void TracksFolder::place(std::uint64_t inode, const std::vector<Attribute>& attributes) {
    Node* node = core_.tree.find(inode);
    Node* shown = top();
    if (node == nullptr || node->parent == nullptr || shown == nullptr) {
        view_.tracks.erase(inode);
        return;
    }
    const auto wanted = track_place(attributes, node->name);
    const bool moves = take_from_old_place(inode, wanted);
    if (!wanted) {
        return;
    }
    Node& artist = own_folder(*shown, wanted->artist);
    Node& album = own_folder(artist, wanted->album);
    auto& track = view_.tracks[inode];
    if (moves) {
        const Node& link = core_.tree.add_link(album, wanted->file, *node);
        track.link = link.inode;
        track.place = *wanted;
        announce(album, link);
        if (node->noted) {
            core_.notifier->inode_changed(node->inode, false);  // it has one name more
        }
    }
    track.cover_size = size_of_cover(attributes);
    choose_cover(album);
}

bool TracksFolder::take_from_old_place(std::uint64_t inode, const std::optional<TrackPlace>& wanted) {
    const auto known = view_.tracks.find(inode);
    if (known == view_.tracks.end()) {
        return true;
    }
    if (wanted && known->second.place == *wanted) {
        return false;
    }
    if (Node* link = core_.tree.find(known->second.link); link != nullptr && link->content == Content::link) {
        const std::uint64_t album = link->parent != nullptr ? link->parent->inode : 0;
        folders_.take_out(*link);
        tidy_album(album);
    }
    view_.tracks.erase(inode);
    return true;
}

Node& TracksFolder::own_folder(Node& parent, const std::string& name) {
    const std::size_t before = parent.children.size();
    Node& folder = core_.tree.add_own(parent, name, Kind::directory, Content::view);
    if (parent.children.size() != before) {
        announce(parent, folder);
    }
    return folder;
}

// What the kernel has been told of the folder may be that there is no such name.
void TracksFolder::announce(const Node& folder, const Node& node) {
    if (!view_.presentable()) {
        view_.unannounced.emplace_back(folder.inode, node.name);
    } else if (folder.noted) {
        core_.notifier->name_changed(folder.inode, node.name);
        core_.notifier->inode_changed(folder.inode, true);
    }
}

// When the listings that waited have been answered.
void TracksFolder::announce_postponed() {
    std::uint64_t last = 0;
    for (const auto& [inode, name] : std::exchange(view_.unannounced, {})) {
        const Node* folder = core_.tree.find(inode);
        if (folder == nullptr || !folder->noted) {
            continue;
        }
        core_.notifier->name_changed(inode, name);
        if (std::exchange(last, inode) != inode) {
            core_.notifier->inode_changed(inode, true);
        }
    }
}

std::optional<std::uint64_t> TracksFolder::cover_size(std::uint64_t track) const {
    const auto found = view_.tracks.find(track);
    return found != view_.tracks.end() ? found->second.cover_size : std::nullopt;
}

void TracksFolder::choose_cover(Node& album) {
    Node* cover = Tree::child(album, cover_name);
    if (cover != nullptr && cover->content != Content::attribute) {
        return;  // a track of that name
    }
    const auto source = std::find_if(album.children.begin(), album.children.end(), [this](const auto& item) {
        return item.second->content == Content::link && cover_size(item.second->target);
    });
    if (source != album.children.end()) {
        set_cover(album, cover, source->second->target);
    } else if (cover != nullptr && view_.state == TrackView::State::complete) {
        folders_.take_out(*cover);
    }
}

// `cover`: what there is, or null.
void TracksFolder::set_cover(Node& album, Node* cover, std::uint64_t source) {
    const bool appeared = cover == nullptr;
    if (appeared) {
        cover = &core_.tree.add_own(album, cover_name, Kind::file, Content::attribute);
        announce(album, *cover);
    }
    const std::uint64_t size = cover_size(source).value_or(0);
    const Node* file = core_.tree.find(source);
    const auto modified = file != nullptr ? file->modified : std::nullopt;
    if (cover->target == source && cover->size == size && cover->modified == modified) {
        return;
    }
    cover->target = source;
    cover->size = size;
    cover->modified = modified;
    if (!appeared) {
        covers_.erase(cover->inode);
        core_.notifier->inode_changed(cover->inode, true);
    }
}

void TracksFolder::tidy_album(std::uint64_t inode) {
    Node* album = core_.tree.find(inode);
    if (album == nullptr || album->content != Content::view || album->parent == nullptr ||
        album->parent->inode == root_inode) {
        return;
    }
    const bool has_more = std::any_of(album->children.begin(), album->children.end(),
                                      [](const auto& item) { return item.second->content != Content::attribute; });
    if (has_more) {
        choose_cover(*album);
        return;
    }
    Node* artist = album->parent;
    folders_.take_out(*album);
    if (artist->children.empty() && artist->parent != nullptr && artist->parent->inode != root_inode) {
        folders_.take_out(*artist);
    }
}

// What a predecessor has shown and is not there any more.
void TracksFolder::tidy() {
    const Node* shown = top();
    if (shown == nullptr) {
        return;
    }
    std::vector<std::uint64_t> albums;
    for (const auto& [number, artist] : shown->children) {
        for (const auto& [inner, album] : artist->children) {
            albums.push_back(inner);
        }
        if (artist->children.empty()) {
            albums.push_back(number);
        }
    }
    for (const std::uint64_t inode : albums) {
        tidy_album(inode);
    }
}

void TracksFolder::link_goes(const Node& link) {
    view_.tracks.erase(link.target);
    core_.notifier->removed(link.parent->inode, link.target, link.name);
    core_.notifier->inode_changed(link.parent->inode, true);
    core_.mailbox.post([this, album = link.parent->inode] { tidy_album(album); });
}

}  // namespace plugfs::kit
