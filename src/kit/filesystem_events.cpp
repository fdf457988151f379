// Filesystem: what the device reports, as a stream of lines and to those who poll; how it is; and its description.

#include "common/log.h"
#include "kit/filesystem.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace plugfs::kit {

void Filesystem::read_events(fuse_req_t request, std::size_t size, std::uint64_t offset, const fuse_file_info& info) {
    auto reader = event_readers_.find(info.fh);
    if (reader == event_readers_.end()) {
        // Opened with a predecessor, whose lines are gone with it.
        reader = event_readers_.emplace(info.fh, events_.open(offset)).first;
    }
    const auto part = reader->second.read(events_, offset, size);
    fuse_reply_buf(request, part.data(), part.size());
}

void Filesystem::poll(fuse_req_t request, std::uint64_t inode, const fuse_file_info& info, fuse_pollhandle* handle) {
    const Node* node = tree_.find(inode);
    unsigned ready = POLLIN;
    if (node != nullptr && (node->content == Content::events || node->content == Content::control)) {
        const auto reader = event_readers_.find(info.fh);
        if (reader != event_readers_.end() && reader->second.at_end(events_)) {
            ready = 0;
        }
        if (node->content == Content::control) {
            ready = control_ready(*node, info.fh);
        }
        if (pollers_.size() >= poll_handle_count) {
            wake_pollers();  // they look, find nothing, and come back
        }
        if (handle != nullptr) {
            poll_handles_->at(pollers_.size()) = session_->current_poll_handle();
            pollers_.push_back(handle);
        }
    } else if (handle != nullptr) {
        fuse_pollhandle_destroy(handle);
    }
    fuse_reply_poll(request, ready);
}

void Filesystem::wake_pollers() {
    for (auto* handle : std::exchange(pollers_, {})) {
        (void)fuse_lowlevel_notify_poll(handle);
        fuse_pollhandle_destroy(handle);
    }
    for (auto& handle : *poll_handles_) {
        handle = 0;
    }
}

void Filesystem::device_started(const DriverTraits& traits) {
    read_size_ = std::clamp<std::size_t>(traits.read_size, 4096, std::size_t{4} << 20U);
    started_on_device_ = true;
    if (writable_ != traits.writable) {
        writable_ = traits.writable;
        if (writable_note_ != nullptr) {
            writable_note_->store(writable_ ? 1 : 0);
        }
        notifier_->inode_changed(root_inode, false);
    }
    attributes_ = traits.attributes;
    set_up_own_folder(controls_name, Content::controls, traits.controls);
    set_up_own_folder(tracks_name, Content::view, traits.tracks);
    if (on_state) {
        on_state(nullptr);
    }
    look_again_at_tracks();
    if (std::exchange(expect_more_, false)) {
        list_the_top_again();
    }
    for (const auto& work : std::exchange(waiting_for_start_, {})) {
        work();
    }
}

// As if this process had listed it before, so that what is new is announced.
void Filesystem::list_the_top_again() {
    std::vector<Node*> folders = {&tree_.root()};
    for (const auto& [inode, child] : tree_.root().children) {
        if (child->kind == Kind::directory && child->content == Content::driver) {
            folders.push_back(child);
        }
    }
    for (Node* folder : folders) {
        // One that is being listed already goes on under its number.
        if (folder->listed == Listed::no) {
            ++folder->listings;
            want_listing(*folder);
        }
    }
}

void Filesystem::set_up_own_folder(std::string_view name, Content content, bool wanted) {
    Node* there = Tree::child(tree_.root(), name);
    if (there != nullptr && there->content != content) {
        log::warning("there is no " + std::string(name) + "/: the device has something of that name");
    } else if (wanted) {
        (void)tree_.add_own(tree_.root(), name, Kind::directory, content);
    } else if (there != nullptr) {
        take_out(*there);
    }
}

void Filesystem::device_failed(const Error& error) {
    dead_ = error;
    for (auto& [id, pending] : std::exchange(pending_, {})) {
        pending.fail(error);
    }
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
    if (Node* node = Tree::child(tree_.root(), "device.json")) {
        node->size = description_.size();
        notifier_->inode_changed(node->inode, true);
    }
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
        log::warning("event: not one JSON object in a line: " + plugfs::quoted(json));
        return;
    }
    events_.append(json);
    if (const Node* node = Tree::child(tree_.root(), "events")) {
        notifier_->inode_changed(node->inode, false);
    }
    wake_pollers();
}

}  // namespace plugfs::kit
