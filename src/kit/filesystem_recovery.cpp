// Filesystem: changes of names that a predecessor had begun.
//
// The device is looked at before anything else is asked of it; the tree is put right at once, so that open files keep
// their inodes; the requests, when the journal gives them again, are answered from what was found.

#include "common/log.h"
#include "kit/crash_points.h"
#include "kit/filesystem.h"

namespace plugfs::kit {

namespace {
// Room in the notifier's queue is left for what changes meanwhile.
constexpr std::size_t forget_limit = 32768;
}  // namespace

Result<void> Filesystem::restore(NodeLog& log, OperationLog& operations, VaultHeader& header) {
    PLUGFS_ASSIGN(auto notes, log.read());
    PLUGFS_ASSIGN(auto unfinished, operations.left());
    if (!notes.empty()) {
        const std::size_t count = tree_.restore(std::move(notes));
        log::info("taking over; the kernel knows " + std::to_string(count) + " entries");
    }
    for (auto& left : unfinished) {
        const std::uint64_t unique = left.operation.unique;
        const Node* moved = tree_.find(left.operation.inode);
        if (left.operation.what == Operation::What::rename && (moved == nullptr || moved->kind == Kind::directory)) {
            alone_ = unique;
        }
        unfinished_[unique].left = std::move(left);
    }
    log.all = [this](const std::function<void(const NodeNote&)>& give) { tree_.each_note(give); };
    tree_.observe(log);
    operations_ = &operations;
    writable_note_ = &header.writable;
    writable_ = header.writable.load() == 1;
    poll_handles_ = &header.poll_handles;
    return {};
}

void Filesystem::connect(Session& session, Notifier& notifier) {
    session_ = &session;
    notifier_ = &notifier;
    session.wake_pollers_of_predecessor();
    std::erase_if(unfinished_, [this](const auto& item) {
        const bool answered = !session_->unanswered(item.first);
        if (answered) {
            operations_->release(item.second.left.record);
            if (alone_ == item.first) {
                alone_.reset();
            }
        }
        return answered;
    });
    if (!unfinished_.empty()) {
        look_for_unfinished();
    }
}

void Filesystem::have_attributes_forgotten() {
    std::size_t left = forget_limit;
    tree_.each_note([&](const NodeNote& note) {
        if (left > 0) {
            --left;
            notifier_->inode_changed(note.inode, false);
        }
    });
    if (left < forget_limit) {
        notifier_->inode_changed(root_inode, false);
    }
}

void Filesystem::look_for_unfinished() {
    // One job, so that nothing comes between; the first of all, before any request has been played.
    std::vector<OperationLog::Left> work;
    for (const auto& [unique, unfinished] : unfinished_) {
        work.push_back(unfinished.left);
    }
    queue_.add(Priority::metadata, [this, work = std::move(work)](Driver& driver) {
        for (const auto& left : work) {
            // What the device has refused did not happen.
            Result<OperationTrace> trace = OperationTrace{};
            if (left.result.value_or(0) == 0) {
                trace = search_for(driver, left.operation);
            }
            mailbox_.post(
                [this, unique = left.operation.unique, trace = std::move(trace)] { found_unfinished(unique, trace); });
        }
    });
}

void Filesystem::found_unfinished(std::uint64_t unique, Result<OperationTrace> trace) {
    auto& unfinished = unfinished_.at(unique);
    const auto& operation = unfinished.left.operation;
    if (trace && trace->took_effect) {
        Node* node = tree_.find(operation.inode);
        if (operation.what == Operation::What::remove && node != nullptr) {
            tree_.remove(*node);
        }
        Node* folder = tree_.find(operation.target_folder);
        if (operation.what == Operation::What::rename && node != nullptr && folder != nullptr && trace->entry) {
            if (Node* target = Tree::child(*folder, operation.target.back()); target != nullptr && target != node) {
                tree_.remove(*target);
            }
            if (const auto moved = tree_.move(*node, *folder, *trace->entry); !moved) {
                log::warning(moved.error().text());
            }
        }
    }
    const std::string how = !trace                   ? trace.error().text()
                            : trace->took_effect     ? "it has taken effect"
                            : unfinished.left.result ? "it was refused"
                                                     : "it has not happened";
    log::info("a change of a name was under way, " + quoted(operation.path.back()) + ": " + how);
    unfinished.trace = std::move(trace);
    if (const auto waiting = unfinished.waiting) {
        waiting();
    }
}

void Filesystem::finish_change(const NameChangeRef& change, Unfinished& unfinished) {
    const auto left = unfinished.left;
    const auto trace = *unfinished.trace;
    unfinished_.erase(change->operation.unique);
    change->record = left.record;
    change->operation = left.operation;
    const bool makes =
        left.operation.what == Operation::What::create_file || left.operation.what == Operation::What::create_folder;
    if (!trace) {
        change_failed(change, trace.error());
    } else if (left.result.value_or(0) != 0) {
        change_failed(change, fail(*left.result, "device", "as it has said before"));
    } else if (makes && (trace->took_effect || left.result)) {
        // It is in the tree when its folder has been listed; which may have another path by now than the one noted.
        when_listed(change->parent, [this, change](const Error* error) {
            if (error != nullptr) {
                change_failed(change, *error);
            } else {
                answer_change(change);
            }
        });
    } else if (trace->took_effect || left.result) {
        answer_change(change);
    } else {
        operations_->again(left.record);
        prepare_change(change);
    }
}

}  // namespace plugfs::kit
