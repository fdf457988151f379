#include "kit/filesystem/tracks_folder.h"

#include <utility>

namespace plugfs::kit {

namespace {
constexpr std::string_view cover_attribute = "media.cover";
}  // namespace

Node* TracksFolder::top() {
    Node* node = Tree::child(core_.tree.root(), tracks_name);
    return node != nullptr && node->content == Content::view ? node : nullptr;
}

void TracksFolder::want() {
    if (view_.state == TrackView::State::idle) {
        view_.begin(root_inode);
        go_on();
    }
}

// What the kernel knows from a predecessor may have changed meanwhile. It is made anew when somebody looks again, not
// now: it may be what the predecessor has died of.
void TracksFolder::look_again() {
    std::vector<const Node*> folders = {top()};
    while (!folders.empty()) {
        const Node* at = folders.back();
        folders.pop_back();
        if (at == nullptr || !at->noted) {
            continue;
        }
        core_.notifier->inode_changed(at->inode, true);
        for (const auto& [inode, child] : at->children) {
            folders.push_back(child);
        }
    }
}

void TracksFolder::go_on() {
    const Node* shown = top();
    if (view_.state == TrackView::State::idle || shown == nullptr) {
        return;
    }
    ask_about_files();
    if (view_.under_way > 0) {
        return;
    }
    if (!view_.folders.empty()) {
        const std::uint64_t inode = view_.folders.front();
        view_.folders.pop_front();
        ++view_.under_way;
        look_for_tracks(inode);
        return;
    }
    if (view_.state == TrackView::State::building) {
        view_.state = TrackView::State::complete;
        tidy();
        folders_.resume(shown->inode, nullptr);
        announce_postponed();
    }
}

void TracksFolder::ask_about_files() {
    while (!view_.files.empty() && view_.under_way < TrackView::at_once) {
        const std::uint64_t inode = view_.files.front();
        view_.files.pop_front();
        view_.queued.erase(inode);
        ++view_.under_way;
        attributes_.ask(inode, Priority::ahead, [this, inode](const Error* error, const AttributeRequests::List& list) {
            core_.mailbox.post([this, inode, failed = error != nullptr, list] {
                --view_.under_way;
                place(inode, failed ? std::vector<Attribute>() : *list);
                step_done();
            });
        });
    }
}

void TracksFolder::step_done() {
    if (const Node* shown = top()) {
        folders_.resume(shown->inode, nullptr);
    }
    go_on();
}

void TracksFolder::look_for_tracks(std::uint64_t inode) {
    const auto done = [this, inode](const Error* error) {
        core_.mailbox.post([this, inode, failed = error != nullptr] { looked_for_tracks(inode, failed); });
    };
    Node* at = core_.tree.find(inode);
    if (at == nullptr || at->content != Content::driver) {
        const Error gone = fail(ENOENT, "tracks");
        done(&gone);
    } else if (folders_.is_known(*at)) {
        done(nullptr);
    } else {
        folders_.await_behind(*at, done);
    }
}

void TracksFolder::looked_for_tracks(std::uint64_t inode, bool failed) {
    --view_.under_way;
    const Node* at = core_.tree.find(inode);
    if (!failed && at != nullptr) {
        for (const auto& [number, child] : at->children) {
            if (child->content == Content::driver && child->kind == Kind::directory) {
                view_.look_into(number);
            } else if (child->content == Content::driver) {
                view_.again(number);
            }
        }
    }
    step_done();
}

void TracksFolder::look_at_clock() {
    const Node* shown = view_.state == TrackView::State::building && view_.presentable() ? top() : nullptr;
    if (shown != nullptr) {
        folders_.resume(shown->inode, nullptr);
        announce_postponed();
    }
}

void TracksFolder::read_cover(fuse_req_t request, const Node& cover, std::size_t size, std::uint64_t offset) {
    if (core_.waiting.refuse(request)) {
        return;
    }
    const auto id = attributes_.wait(request, cover.inode, "content");
    if (const auto kept = covers_.find(cover.inode); kept != covers_.end() && !kept->second.empty()) {
        answer_cover(id, size, offset, nullptr, kept->second);
        return;
    }
    if (cover.target != 0) {
        fetch_cover(cover.inode, id, size, offset);
        return;
    }
    // After a takeover it is not known before the album has been found again.
    core_.start.when_done([this, inode = cover.inode, id, size, offset] {
        const Node* shown = top();
        if (shown == nullptr || view_.state == TrackView::State::complete) {
            fetch_cover(inode, id, size, offset);
            return;
        }
        folders_.add_waiter(shown->inode, [this, inode, id, size, offset](const Error*) {
            const Node* at = core_.tree.find(inode);
            const bool decided = view_.state == TrackView::State::complete || at == nullptr || at->target != 0;
            if (decided) {
                fetch_cover(inode, id, size, offset);
            }
            return decided;
        });
        want();
    });
}

void TracksFolder::fetch_cover(std::uint64_t cover, WaitingRequests::Id id, std::size_t size, std::uint64_t offset) {
    const Node* at = core_.tree.find(cover);
    attributes_.fetch(at != nullptr ? at->target : 0, std::string(cover_attribute),
                      [this, cover, id, size, offset](const Error* error, const std::string& content) {
                          if (error == nullptr) {
                              covers_[cover] = content;
                          }
                          answer_cover(id, size, offset, error, content);
                      });
}

void TracksFolder::answer_cover(WaitingRequests::Id id, std::size_t size, std::uint64_t offset, const Error* error,
                                const std::string& content) {
    attributes_.end(
        id,
        [&](fuse_req_t waiting) {
            const auto part = offset < content.size() ? std::string_view(content).substr(offset, size) : "";
            fuse_reply_buf(waiting, part.data(), part.size());
        },
        error);
}

}  // namespace plugfs::kit
