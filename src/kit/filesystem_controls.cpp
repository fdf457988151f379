// Filesystem: controls/, the device's controls as files; see plugfs/controls.h.
//
// The value is asked for when a reader begins at the start of the file; what follows is of the same value. The value
// that is set is the file's content after each write: so write(2) itself can say that it is not allowed. All of it may
// be done twice.

#include "common/log.h"
#include "common/names.h"
#include "kit/filesystem.h"

#include <poll.h>

#include <algorithm>
#include <ctime>

namespace plugfs::kit {

namespace {

constexpr std::size_t control_limit = 1000;                  // that a driver may have
constexpr std::size_t written_limit = 4096;                  // bytes of what is written
constexpr std::size_t value_limit = std::size_t{64} << 10U;  // bytes of a value

}  // namespace

void Filesystem::list_controls(std::uint64_t inode) {
    queue_.add(Priority::metadata, [this, inode](Driver& driver) {
        Controls* controls = driver.controls();
        Result<std::vector<Control>> list = fail(ENOTSUP, "controls");
        if (controls != nullptr) {
            list = controls->list();
        }
        mailbox_.post([this, inode, list = std::move(list)] {
            if (Node* folder = tree_.find(inode); folder != nullptr && folder->listed == Listed::running) {
                listed_controls(*folder, list);
            }
        });
    });
}

void Filesystem::listed_controls(Node& folder, const Result<std::vector<Control>>& list) {
    if (!list) {
        listing_ended(folder, &list.error());
        return;
    }
    std::unordered_map<std::uint64_t, Control> known;
    for (const auto& control : *list) {
        if (control.name != safe_name(control.name) || known.size() >= control_limit) {
            log::warning("control " + quoted(control.name) + ": skipped");
            continue;
        }
        const bool appeared = Tree::child(folder, control.name) == nullptr;
        Node& node = tree_.add_own(folder, control.name, Kind::file, Content::control);
        if (control.value) {
            set_control_size(node, control.value->size() + 1);
        }
        if (node.name == control.name) {
            known[node.inode] = control;
        }
        if (appeared) {
            notifier_->name_changed(folder.inode, node.name);
        }
    }
    std::vector<Node*> gone;
    for (const auto& [number, child] : folder.children) {
        if (known.count(number) == 0) {
            gone.push_back(child);
        }
    }
    controls_ = std::move(known);
    for (Node* node : gone) {
        take_out(*node);
    }
    notifier_->inode_changed(folder.inode, true);
    listing_ended(folder, nullptr);
}

void Filesystem::set_control_size(Node& node, std::uint64_t size) {
    if (node.size != size) {
        node.size = size;
        notifier_->inode_changed(node.inode, false);
    }
}

void Filesystem::with_control(fuse_req_t request, std::uint64_t inode, const char* what,
                              std::function<void(PendingId, const Control&)> work) {
    if (refuse(request)) {
        return;
    }
    const PendingId id = wait_through(request, [this, request, what, inode](const Error& error) {
        const Node* at = tree_.find(inode);
        reply_error(request, error, what + (" " + quoted(at != nullptr ? Tree::path(*at) : "?")));
    });
    const Node* node = tree_.find(inode);
    const std::uint64_t folder = node != nullptr && node->parent != nullptr ? node->parent->inode : 0;
    when_listed(folder, [this, id, inode, work = std::move(work)](const Error* error) {
        const auto found = pending_.find(id);
        if (found == pending_.end()) {
            return;
        }
        const auto control = controls_.find(inode);
        if (error != nullptr || control == controls_.end()) {
            const auto fail_request = found->second.fail;
            finish(id);
            fail_request(error != nullptr ? *error : fail(ENOENT, "control", "the device does not have it any more"));
            return;
        }
        work(id, control->second);
    });
}

void Filesystem::read_control(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset,
                              std::uint64_t handle) {
    auto& reader = control_handles_[handle];
    if (offset > 0 && reader.value) {
        const auto part = offset < reader.value->size() ? std::string_view(*reader.value).substr(offset, size) : "";
        fuse_reply_buf(request, part.data(), part.size());
        return;
    }
    with_control(request, node.inode, "read",
                 [this, request, inode = node.inode, size, offset, handle](PendingId id, const Control& control) {
                     queue_.add(Priority::metadata, [=, this, name = control.name](Driver& driver) {
                         Controls* controls = driver.controls();
                         Result<std::string> value = fail(ENOTSUP, "controls");
                         if (controls != nullptr) {
                             value = controls->get(name);
                         }
                         mailbox_.post([=, this, value = std::move(value)] {
                             got_control(id, request, inode, value, {handle, offset, size});
                         });
                     });
                 });
}

void Filesystem::got_control(PendingId id, fuse_req_t request, std::uint64_t inode, const Result<std::string>& value,
                             const ControlRead& read) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) {
        return;
    }
    const auto fail_request = found->second.fail;
    finish(id);
    if (!value) {
        fail_request(value.error());
        return;
    }
    const std::string text = value->substr(0, value_limit) + "\n";
    if (Node* node = tree_.find(inode)) {
        set_control_size(*node, text.size());
        if (const auto open = control_handles_.find(read.handle); open != control_handles_.end()) {
            open->second.value = text;
            open->second.version = node->version;
        }
    }
    const auto part = read.offset < text.size() ? std::string_view(text).substr(read.offset, read.size) : "";
    fuse_reply_buf(request, part.data(), part.size());
}

void Filesystem::write_control(fuse_req_t request, Node& node, std::string_view bytes, std::uint64_t offset,
                               std::uint64_t handle) {
    auto& written = control_handles_[handle].written;
    // Behind a line that is whole, or behind what a predecessor was given, a new value begins.
    if (offset == 0 || written.ends_with('\n')) {
        written.clear();
    }
    if (bytes.size() > written_limit - std::min(written_limit, written.size())) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    written += bytes;
    with_control(
        request, node.inode, "set",
        [this, inode = node.inode, handle, text = written, count = bytes.size()](PendingId id, const Control& control) {
            auto value = parse_control_value(control, text);
            if (!control.writable) {
                value = fail(EACCES, control.name, "it can only be read");
            }
            if (!value) {
                set_control_done(id, inode, handle, count, value);
                return;
            }
            queue_.add(Priority::metadata, [=, this, name = control.name](Driver& driver) {
                Controls* controls = driver.controls();
                Result<std::string> result = fail(ENOTSUP, name);
                if (controls != nullptr) {
                    const auto set = controls->set(name, *value);
                    result = set ? value : Result<std::string>(set.error());
                }
                mailbox_.post([=, this] { set_control_done(id, inode, handle, count, result); });
            });
        });
}

void Filesystem::set_control_done(PendingId id, std::uint64_t inode, std::uint64_t handle, std::size_t count,
                                  const Result<std::string>& result) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) {
        return;
    }
    const fuse_req_t request = found->second.request;
    const auto fail_request = found->second.fail;
    finish(id);
    const auto control = controls_.find(inode);
    if (!result) {
        control_handles_[handle].written.clear();
        Error error = result.error();
        // What the device itself refused, the log explains, too.
        if (error.code == EINVAL && control != controls_.end() &&
            error.detail.find(allowed_values(control->second)) == std::string::npos) {
            error.detail += "; allowed is " + allowed_values(control->second);
        }
        fail_request(error);
        return;
    }
    if (Node* node = tree_.find(inode)) {
        node->modified = std::time(nullptr);
        ++node->version;
        node->size = result->size() + 1;
        notifier_->inode_changed(inode, true);
        wake_pollers();
    }
    fuse_reply_write(request, count);
}

unsigned Filesystem::control_ready(const Node& node, std::uint64_t handle) const {
    const auto reader = control_handles_.find(handle);
    const bool seen =
        reader != control_handles_.end() && reader->second.value && reader->second.version == node.version;
    return (seen ? 0U : unsigned{POLLIN | POLLPRI}) | POLLOUT;
}

void Filesystem::device_control_changed(const std::string& name) {
    const Node* folder = Tree::child(tree_.root(), controls_name);
    Node* node = folder != nullptr ? Tree::child(*folder, name) : nullptr;
    if (node != nullptr && node->content == Content::control) {
        node->modified = std::time(nullptr);
        ++node->version;
        notifier_->inode_changed(node->inode, true);
        wake_pollers();
    }
}

void Filesystem::device_controls_changed() {
    Node* folder = Tree::child(tree_.root(), controls_name);
    if (folder != nullptr && folder->content == Content::controls && folder->listed != Listed::no) {
        folder->listed = Listed::no;
        want_listing(*folder);
    }
}

}  // namespace plugfs::kit
