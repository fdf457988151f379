#include "kit/filesystem/controls_folder.h"

#include "common/log.h"
#include "common/names.h"

#include <poll.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace plugfs::kit {

namespace {

constexpr std::size_t control_limit = 1000;                  // that a driver may have
constexpr std::size_t written_limit = 4096;                  // bytes of what is written
constexpr std::size_t value_limit = std::size_t{64} << 10U;  // bytes of a value

}  // namespace

void ControlsFolder::list(const Node& controls_folder) {
    core_.queue.add(Priority::metadata, [this, inode = controls_folder.inode](Driver& driver) {
        Controls* controls = driver.controls();
        Result<std::vector<Control>> list = fail(ENOTSUP, "controls");
        if (controls != nullptr) {
            list = controls->list();
        }
        core_.mailbox.post([this, inode, list = std::move(list)] {
            if (Node* folder = core_.tree.find(inode); folder != nullptr && folder->listed == Listed::running) {
                listed(*folder, list);
            }
        });
    });
}

void ControlsFolder::listed(Node& folder, const Result<std::vector<Control>>& list) {
    if (!list) {
        folders_.ended(folder, &list.error());
        return;
    }
    std::unordered_map<std::uint64_t, Control> known;
    for (const auto& control : *list) {
        if (control.name != safe_name(control.name) || known.size() >= control_limit) {
            log::warning("control " + quoted(control.name) + ": skipped");
            continue;
        }
        const bool appeared = Tree::child(folder, control.name) == nullptr;
        Node& node = core_.tree.add_own(folder, control.name, Kind::file, Content::control);
        if (control.value) {
            set_size(node, control.value->size() + 1);
        }
        if (node.name == control.name) {
            known[node.inode] = control;
            node.settable = control.writable;
        }
        if (appeared) {
            core_.notifier->name_changed(folder.inode, node.name);
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
        folders_.take_out(*node);
    }
    core_.notifier->inode_changed(folder.inode, true);
    folders_.ended(folder, nullptr);
}

void ControlsFolder::set_size(Node& node, std::uint64_t size) {
    if (node.size != size) {
        node.size = size;
        core_.notifier->inode_changed(node.inode, false);
    }
}

bool ControlsFolder::may_set(const Node& node) const {
    const auto control = controls_.find(node.inode);
    return control == controls_.end() || control->second.writable;
}

void ControlsFolder::with_control(fuse_req_t request, std::uint64_t inode, const char* what, Work work) {
    if (core_.waiting.refuse(request)) {
        return;
    }
    const auto id = core_.waiting.add_through(request, [this, request, what, inode](const Error& error) {
        const Node* at = core_.tree.find(inode);
        core_.waiting.reply_error(request, error, what + (" " + quoted(at != nullptr ? Tree::path(*at) : "?")));
    });
    const Node* node = core_.tree.find(inode);
    const std::uint64_t folder = node != nullptr && node->parent != nullptr ? node->parent->inode : 0;
    folders_.when_listed(folder, [this, id, inode, work = std::move(work)](const Error* error) {
        const auto control = controls_.find(inode);
        if (error != nullptr || control == controls_.end()) {
            core_.waiting.fail(
                id, error != nullptr ? *error : fail(ENOENT, "control", "the device does not have it any more"));
        } else if (core_.waiting.has(id)) {
            work(id, control->second);
        }
    });
}

void ControlsFolder::read(fuse_req_t request, Node& node, std::size_t size, std::uint64_t offset,
                          std::uint64_t handle) {
    auto& reader = handles_[handle];
    if (offset > 0 && reader.value) {
        const auto part = offset < reader.value->size() ? std::string_view(*reader.value).substr(offset, size) : "";
        fuse_reply_buf(request, part.data(), part.size());
        return;
    }
    const auto ask = [this, inode = node.inode, wanted = Read{handle, offset, size}](WaitingRequests::Id id,
                                                                                     const Control& control) {
        core_.queue.add(Priority::metadata, [=, this, name = control.name](Driver& driver) {
            Controls* controls = driver.controls();
            Result<std::string> value = fail(ENOTSUP, "controls");
            if (controls != nullptr) {
                value = controls->get(name);
            }
            core_.mailbox.post([=, this, value = std::move(value)] { got(id, inode, value, wanted); });
        });
    };
    with_control(request, node.inode, "read", ask);
}

void ControlsFolder::got(WaitingRequests::Id id, std::uint64_t inode, const Result<std::string>& value,
                         const Read& read) {
    if (!value) {
        core_.waiting.fail(id, value.error());
        return;
    }
    const fuse_req_t request = core_.waiting.take(id);
    if (request == nullptr) {
        return;
    }
    const std::string text = value->substr(0, value_limit) + "\n";
    if (Node* node = core_.tree.find(inode)) {
        set_size(*node, text.size());
        if (const auto open = handles_.find(read.handle); open != handles_.end()) {
            open->second.value = text;
            open->second.version = node->version;
        }
    }
    const auto part = read.offset < text.size() ? std::string_view(text).substr(read.offset, read.size) : "";
    fuse_reply_buf(request, part.data(), part.size());
}

void ControlsFolder::write(fuse_req_t request, Node& node, std::string_view bytes, std::uint64_t offset,
                           std::uint64_t handle) {
    auto& written = handles_[handle].written;
    // Behind a line that is whole, or behind what a predecessor was given, a new value begins.
    if (offset == 0 || written.ends_with('\n')) {
        written.clear();
    }
    if (bytes.size() > written_limit - std::min(written_limit, written.size())) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    written += bytes;
    const auto set = [this, text = written, order = Write{node.inode, handle, bytes.size()}](WaitingRequests::Id id,
                                                                                             const Control& control) {
        auto value = parse_control_value(control, text);
        if (!control.writable) {
            value = fail(EACCES, control.name, "it can only be read");
        }
        if (!value) {
            was_set(id, order, value);
            return;
        }
        core_.queue.add(Priority::metadata, [=, this, name = control.name](Driver& driver) {
            Controls* controls = driver.controls();
            Result<std::string> result = fail(ENOTSUP, name);
            if (controls != nullptr) {
                const auto done = controls->set(name, *value);
                result = done ? value : Result<std::string>(done.error());
            }
            core_.mailbox.post([=, this] { was_set(id, order, result); });
        });
    };
    with_control(request, node.inode, "set", set);
}

void ControlsFolder::was_set(WaitingRequests::Id id, const Write& write, const Result<std::string>& result) {
    if (!core_.waiting.has(id)) {
        return;
    }
    const auto control = controls_.find(write.inode);
    if (!result) {
        handles_[write.handle].written.clear();
        Error error = result.error();
        // What the device itself refused, the log explains, too.
        if (error.code == EINVAL && control != controls_.end() &&
            error.detail.find(allowed_values(control->second)) == std::string::npos) {
            error.detail += "; allowed is " + allowed_values(control->second);
        }
        core_.waiting.fail(id, error);
        return;
    }
    if (Node* node = core_.tree.find(write.inode)) {
        node->modified = std::time(nullptr);
        ++node->version;
        node->size = result->size() + 1;
        core_.notifier->inode_changed(node->inode, true);
        pollers_.wake();
    }
    fuse_reply_write(core_.waiting.take(id), write.count);
}

unsigned ControlsFolder::ready(const Node& node, std::uint64_t handle) const {
    const auto reader = handles_.find(handle);
    const bool seen = reader != handles_.end() && reader->second.value && reader->second.version == node.version;
    return (seen ? 0U : unsigned{POLLIN | POLLPRI}) | POLLOUT;
}

void ControlsFolder::changed(const std::string& name) {
    const Node* folder = Tree::child(core_.tree.root(), controls_name);
    Node* node = folder != nullptr ? Tree::child(*folder, name) : nullptr;
    if (node != nullptr && node->content == Content::control) {
        node->modified = std::time(nullptr);
        ++node->version;
        core_.notifier->inode_changed(node->inode, true);
        pollers_.wake();
    }
}

void ControlsFolder::list_again() {
    Node* folder = Tree::child(core_.tree.root(), controls_name);
    if (folder != nullptr && folder->content == Content::controls) {
        folders_.list_again(*folder);
    }
}

}  // namespace plugfs::kit
