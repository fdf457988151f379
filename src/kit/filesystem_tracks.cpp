// Filesystem: tracks/, every track of the device by artist, album and title: second names (hard links) of the files
// that the driver lists. See kit/track_view.h.

#include "kit/filesystem.h"

#include <algorithm>
#include <utility>

namespace plugfs::kit {

namespace {
constexpr std::string_view cover_attribute = "media.cover";
constexpr std::string_view cover_name = "cover.jpg";
}  // namespace

Node* Filesystem::tracks_folder() {
    Node* node = Tree::child(tree_.root(), tracks_name);
    return node != nullptr && node->content == Content::view ? node : nullptr;
}

void Filesystem::device_shows_tracks() {
    if (Tree::child(tree_.root(), tracks_name) != nullptr) {
        return;
    }
    set_up_own_folder(tracks_name, Content::view, true);
    // That there is no such name is what the kernel has been told.
    notifier_->name_changed(root_inode, std::string(tracks_name));
    notifier_->inode_changed(root_inode, true);
}

void Filesystem::want_tracks() {
    if (tracks_.state == TrackView::State::idle) {
        tracks_.begin(root_inode);
        go_on_with_tracks();
    }
}

// What the kernel knows from a predecessor may have changed meanwhile. It is made anew when somebody looks again, not
// now: it may be what the predecessor has died of.
void Filesystem::look_again_at_tracks() {
    std::vector<const Node*> folders = {tracks_folder()};
    while (!folders.empty()) {
        const Node* folder = folders.back();
        folders.pop_back();
        if (folder == nullptr || !folder->noted) {
            continue;
        }
        notifier_->inode_changed(folder->inode, true);
        for (const auto& [inode, child] : folder->children) {
            folders.push_back(child);
        }
    }
}

void Filesystem::go_on_with_tracks() {
    Node* view = tracks_folder();
    if (tracks_.state == TrackView::State::idle || view == nullptr) {
        return;
    }
    while (!tracks_.files.empty() && tracks_.under_way < TrackView::at_once) {
        const std::uint64_t inode = tracks_.files.front();
        tracks_.files.pop_front();
        tracks_.queued.erase(inode);
        ++tracks_.under_way;
        ask_attributes(inode, Priority::ahead, [this, inode](const Error* error, const AttributeList& list) {
            mailbox_.post([this, inode, failed = error != nullptr, list] {
                --tracks_.under_way;
                place_track(inode, failed ? std::vector<Attribute>() : *list);
                track_step_done();
            });
        });
    }
    if (tracks_.under_way > 0) {
        return;
    }
    if (!tracks_.folders.empty()) {
        const std::uint64_t inode = tracks_.folders.front();
        tracks_.folders.pop_front();
        ++tracks_.under_way;
        look_for_tracks(inode);
        return;
    }
    if (tracks_.state == TrackView::State::building) {
        tracks_.state = TrackView::State::complete;
        tidy_tracks(*view);
        resume_waiting(view->inode, nullptr);
        announce_postponed();
    }
}

void Filesystem::track_step_done() {
    if (const Node* view = tracks_folder()) {
        resume_waiting(view->inode, nullptr);
    }
    go_on_with_tracks();
}

void Filesystem::look_for_tracks(std::uint64_t inode) {
    Node* folder = tree_.find(inode);
    const auto done = [this, inode](const Error* error) {
        mailbox_.post([this, inode, failed = error != nullptr] {
            --tracks_.under_way;
            const Node* at = tree_.find(inode);
            if (!failed && at != nullptr) {
                for (const auto& [number, child] : at->children) {
                    if (child->content == Content::driver && child->kind == Kind::directory) {
                        tracks_.look_into(number);
                    } else if (child->content == Content::driver) {
                        tracks_.again(number);
                    }
                }
            }
            track_step_done();
        });
    };
    if (folder == nullptr || folder->content != Content::driver) {
        const Error gone = fail(ENOENT, "tracks");
        done(&gone);
        return;
    }
    if (is_known(*folder)) {
        done(nullptr);
        return;
    }
    folder_waiters_[inode].push_back([this, inode, done](const Error* error) {
        const Node* at = tree_.find(inode);
        if (error == nullptr && at != nullptr && !is_known(*at)) {
            return false;
        }
        done(error);
        return true;
    });
    want_listing(*folder, 0, Priority::ahead);
}

void Filesystem::look_at_clock() {
    const Node* view = tracks_.state == TrackView::State::building && tracks_.presentable() ? tracks_folder() : nullptr;
    if (view != nullptr) {
        resume_waiting(view->inode, nullptr);
        announce_postponed();
    }
}

void Filesystem::place_track(std::uint64_t inode, const std::vector<Attribute>& attributes) {
    Node* node = tree_.find(inode);
    Node* view = tracks_folder();
    if (node == nullptr || node->parent == nullptr || view == nullptr) {
        tracks_.tracks.erase(inode);
        return;
    }
    const auto place = track_place(attributes, node->name);
    const auto known = tracks_.tracks.find(inode);
    const bool same = known != tracks_.tracks.end() && place && known->second.place == *place;
    if (known != tracks_.tracks.end() && !same) {
        if (Node* link = tree_.find(known->second.link); link != nullptr && link->content == Content::link) {
            const std::uint64_t album = link->parent != nullptr ? link->parent->inode : 0;
            take_out(*link);
            tidy_album(album);
        }
        tracks_.tracks.erase(inode);
    }
    if (!place) {
        return;
    }
    std::optional<std::uint64_t> cover_size;
    for (const auto& attribute : attributes) {
        if (attribute.name == cover_attribute) {
            cover_size = attribute.size.value_or(attribute.value.size());
        }
    }
    Node& artist = own_folder(*view, place->artist);
    Node& album = own_folder(artist, place->album);
    auto& track = tracks_.tracks[inode];
    if (!same) {
        const Node& link = tree_.add_link(album, place->file, *node);
        track.link = link.inode;
        track.place = *place;
        announce(album, link);
        if (node->noted) {
            notifier_->inode_changed(node->inode, false);  // it has one name more
        }
    }
    track.cover_size = cover_size;
    choose_cover(album);
}

Node& Filesystem::own_folder(Node& parent, const std::string& name) {
    const std::size_t before = parent.children.size();
    Node& folder = tree_.add_own(parent, name, Kind::directory, Content::view);
    if (parent.children.size() != before) {
        announce(parent, folder);
    }
    return folder;
}

// What the kernel has been told of the folder may be that there is no such name.
void Filesystem::announce(const Node& folder, const Node& node) {
    if (!tracks_.presentable()) {
        tracks_.unannounced.emplace_back(folder.inode, node.name);
    } else if (folder.noted) {
        notifier_->name_changed(folder.inode, node.name);
        notifier_->inode_changed(folder.inode, true);
    }
}

// When the listings that waited have been answered.
void Filesystem::announce_postponed() {
    std::uint64_t last = 0;
    for (const auto& [inode, name] : std::exchange(tracks_.unannounced, {})) {
        const Node* folder = tree_.find(inode);
        if (folder == nullptr || !folder->noted) {
            continue;
        }
        notifier_->name_changed(inode, name);
        if (std::exchange(last, inode) != inode) {
            notifier_->inode_changed(inode, true);
        }
    }
}

void Filesystem::choose_cover(Node& album) {
    Node* cover = Tree::child(album, cover_name);
    if (cover != nullptr && cover->content != Content::attribute) {
        return;  // a track of that name
    }
    const auto size_of = [this](std::uint64_t inode) {
        const auto track = tracks_.tracks.find(inode);
        return track != tracks_.tracks.end() ? track->second.cover_size : std::nullopt;
    };
    std::uint64_t source = 0;
    for (const auto& [number, child] : album.children) {
        if (child->content == Content::link && size_of(child->target)) {
            source = child->target;
            break;
        }
    }
    if (source == 0) {
        if (cover != nullptr && tracks_.state == TrackView::State::complete) {
            take_out(*cover);
        }
        return;
    }
    const bool appeared = cover == nullptr;
    if (appeared) {
        cover = &tree_.add_own(album, cover_name, Kind::file, Content::attribute);
        announce(album, *cover);
    }
    const std::uint64_t size = *size_of(source);
    const Node* file = tree_.find(source);
    const auto modified = file != nullptr ? file->modified : std::nullopt;
    const bool changed = cover->target != source || cover->size != size || cover->modified != modified;
    if (changed) {
        cover->target = source;
        cover->size = size;
        cover->modified = modified;
        if (!appeared) {
            forget_content(*cover);
            notifier_->inode_changed(cover->inode, true);
        }
    }
}

void Filesystem::tidy_album(std::uint64_t inode) {
    Node* album = tree_.find(inode);
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
    take_out(*album);
    if (artist->children.empty() && artist->parent != nullptr && artist->parent->inode != root_inode) {
        take_out(*artist);
    }
}

// What a predecessor has shown and is not there any more.
void Filesystem::tidy_tracks(Node& view) {
    std::vector<std::uint64_t> albums;
    for (const auto& [number, artist] : view.children) {
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

void Filesystem::link_goes(const Node& link) {
    tracks_.tracks.erase(link.target);
    notifier_->removed(link.parent->inode, link.target, link.name);
    notifier_->inode_changed(link.parent->inode, true);
    mailbox_.post([this, album = link.parent->inode] { tidy_album(album); });
}

void Filesystem::read_attribute_file(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset) {
    if (refuse(request)) {
        return;
    }
    const PendingId id = wait_for_attribute(request, node.inode, "content");
    const auto answer = [this, id, size, offset](const Error* error, const std::string& content) {
        end_wait(
            id,
            [&](fuse_req_t waiting) {
                const auto part = offset < content.size() ? std::string_view(content).substr(offset, size) : "";
                fuse_reply_buf(waiting, part.data(), part.size());
            },
            error);
    };
    if (auto& kept = open_files_[node.inode].attribute; kept && !kept->empty()) {
        answer(nullptr, *kept);
        return;
    }
    // After a takeover it is not known before the album has been found again.
    const auto fetch_it = [this, inode = node.inode, answer] {
        const Node* at = tree_.find(inode);
        fetch_attribute(at != nullptr ? at->target : 0, std::string(cover_attribute),
                        [this, inode, answer](const Error* error, const std::string& content) {
                            const auto open = open_files_.find(inode);
                            if (error == nullptr && open != open_files_.end()) {
                                open->second.attribute = std::make_shared<std::string>(content);
                            }
                            answer(error, content);
                        });
    };
    if (node.target != 0) {
        fetch_it();
        return;
    }
    when_started([this, inode = node.inode, fetch_it] {
        Node* view = tracks_folder();
        if (view == nullptr || tracks_.state == TrackView::State::complete) {
            fetch_it();
            return;
        }
        folder_waiters_[view->inode].push_back([this, inode, fetch_it](const Error*) {
            const Node* at = tree_.find(inode);
            const bool decided = tracks_.state == TrackView::State::complete || at == nullptr || at->target != 0;
            if (decided) {
                fetch_it();
            }
            return decided;
        });
        want_tracks();
    });
}

}  // namespace plugfs::kit
