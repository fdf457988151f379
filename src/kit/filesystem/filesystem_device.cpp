// Filesystem: what the device says: that it has started or gone, its events, its description; and what the parts have
// to hear of each other.

#include "common/log.h"
#include "kit/filesystem/filesystem.h"

#include <utility>

namespace plugfs::kit {

void Filesystem::device_started(const DriverTraits& traits) {
    status_.set_read_size(traits.read_size);
    core_.start.has_started();
    if (status_.writable() != traits.writable) {
        status_.set_writable(traits.writable);
        if (writable_note_ != nullptr) {
            writable_note_->store(traits.writable ? 1 : 0);
        }
        core_.notifier->inode_changed(root_inode, false);
    }
    attributes_.set_possible(traits.attributes);
    set_up_own_folder(controls_name, Content::controls, traits.controls);
    set_up_own_folder(tracks_name, Content::view, traits.tracks);
    if (on_state) {
        on_state(nullptr);
    }
    tracks_.look_again();
    if (std::exchange(expect_more_, false)) {
        list_the_top_again();
    }
    core_.start.go_on();
}

// As if this process had listed it before, so that what is new is announced.
void Filesystem::list_the_top_again() {
    std::vector<Node*> folders = {&core_.tree.root()};
    for (const auto& [inode, child] : core_.tree.root().children) {
        if (child->kind == Kind::directory && child->content == Content::driver) {
            folders.push_back(child);
        }
    }
    for (Node* folder : folders) {
        folders_.list_as_if_known(*folder);
    }
}

void Filesystem::set_up_own_folder(std::string_view name, Content content, bool wanted) {
    Node* there = Tree::child(core_.tree.root(), name);
    if (there != nullptr && there->content != content) {
        log::warning("there is no " + std::string(name) + "/: the device has something of that name");
    } else if (wanted) {
        (void)core_.tree.add_own(core_.tree.root(), name, Kind::directory, content);
    } else if (there != nullptr) {
        folders_.take_out(*there);
    }
}

void Filesystem::device_failed(const Error& error) {
    core_.waiting.device_failed(error);
    if (on_state) {
        on_state(&error);
    }
}

void Filesystem::device_gone() {
    device_failed(fail(ENODEV, "device", "it is gone"));
}

void Filesystem::device_described(std::string json) {
    description_ = std::move(json);
    if (!description_.ends_with('\n')) {
        description_ += '\n';
    }
    if (Node* node = Tree::child(core_.tree.root(), description_name)) {
        node->size = description_.size();
        core_.notifier->inode_changed(node->inode, true);
    }
}

void Filesystem::device_attributes_changed(Key file) {
    if (const Node* node = core_.tree.find_key(file)) {
        attributes_changed(node->inode);
        tracks_.go_on();
    }
}

void Filesystem::device_shows_tracks() {
    if (Tree::child(core_.tree.root(), tracks_name) != nullptr) {
        return;
    }
    set_up_own_folder(tracks_name, Content::view, true);
    // That there is no such name is what the kernel has been told.
    core_.notifier->name_changed(root_inode, std::string(tracks_name));
    core_.notifier->inode_changed(root_inode, true);
}

void Filesystem::device_goes_on_as(const std::string& alternative) {
    if (on_go_on_as) {
        on_go_on_as(alternative);
    }
}

void Filesystem::device_noted(const std::string& text) {
    if (on_note) {
        on_note(text);
    }
}

void Filesystem::device_ejected(const Result<void>& result) {
    if (on_ejected) {
        on_ejected(result);
    }
}

void Filesystem::device_event(const std::string& json) {
    if (json.size() < 3 || json.front() != '{' || json.find('\n') != std::string::npos) {
        log::warning("event: not one JSON object in a line: " + quoted(json));
        return;
    }
    events_.append(json);
    if (Node* node = Tree::child(core_.tree.root(), events_name)) {
        node->size = events_.size();
        core_.notifier->inode_changed(node->inode, false);
    }
    pollers_.wake();
}

std::uint64_t Filesystem::view_of(const Node& folder) {
    const Node* view = tracks_.top();
    return view != nullptr ? view->inode : folder.inode;
}

void Filesystem::want_view() {
    core_.start.when_done([this] { tracks_.want(); });
}

void Filesystem::entry_appeared(const Node& node) {
    if (node.kind == Kind::directory) {
        tracks_.look_into(node.inode);
    } else {
        attributes_changed(node.inode);
    }
}

void Filesystem::attributes_changed(std::uint64_t inode) {
    attributes_.forget(inode);
    tracks_.look_at(inode);
}

}  // namespace plugfs::kit
