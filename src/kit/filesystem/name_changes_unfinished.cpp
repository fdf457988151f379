// NameChanges: what a predecessor had begun.

#include "common/log.h"
#include "kit/filesystem/name_changes.h"

#include <utility>

namespace plugfs::kit {

Result<void> NameChanges::restore(OperationLog& operations) {
    operations_ = &operations;
    PLUGFS_ASSIGN(auto unfinished, operations.left());
    for (auto& left : unfinished) {
        const std::uint64_t unique = left.operation.unique;
        const Node* moved = core_.tree.find(left.operation.inode);
        if (left.operation.what == Operation::What::rename && (moved == nullptr || moved->kind == Kind::directory)) {
            alone_ = unique;
        }
        unfinished_[unique].left = std::move(left);
    }
    return {};
}

void NameChanges::look_for_unfinished() {
    std::erase_if(unfinished_, [this](const auto& item) {
        const bool answered = !core_.session->unanswered(item.first);
        if (answered) {
            operations_->release(item.second.left.record);
            if (alone_ == item.first) {
                alone_.reset();
            }
        }
        return answered;
    });
    if (unfinished_.empty()) {
        return;
    }
    // One job, so that nothing comes between; the first of all, before any request has been played.
    std::vector<OperationLog::Left> work;
    for (const auto& [unique, unfinished] : unfinished_) {
        work.push_back(unfinished.left);
    }
    core_.queue.add(Priority::metadata, [this, work = std::move(work)](Driver& driver) {
        for (const auto& left : work) {
            // What the device has refused did not happen.
            Result<OperationTrace> trace = OperationTrace{};
            if (left.result.value_or(0) == 0) {
                trace = search_for(driver, left.operation);
            }
            core_.mailbox.post(
                [this, unique = left.operation.unique, trace = std::move(trace)] { found(unique, trace); });
        }
    });
}

void NameChanges::found(std::uint64_t unique, Result<OperationTrace> trace) {
    auto& unfinished = unfinished_.at(unique);
    const auto& operation = unfinished.left.operation;
    if (trace && trace->took_effect) {
        took_effect(operation, *trace);
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

void NameChanges::took_effect(const Operation& operation, const OperationTrace& trace) {
    Node* node = core_.tree.find(operation.inode);
    if (operation.what == Operation::What::remove && node != nullptr) {
        core_.tree.remove(*node);
    }
    Node* folder = core_.tree.find(operation.target_folder);
    if (operation.what != Operation::What::rename || node == nullptr || folder == nullptr || !trace.entry) {
        return;
    }
    if (Node* target = Tree::child(*folder, operation.target.back()); target != nullptr && target != node) {
        core_.tree.remove(*target);
    }
    if (const auto moved = core_.tree.move(*node, *folder, *trace.entry); !moved) {
        log::warning(moved.error().text());
    }
}

void NameChanges::finish(const ChangeRef& change) {
    const auto unfinished = unfinished_.extract(change->operation.unique);
    const auto& left = unfinished.mapped().left;
    const auto& trace = *unfinished.mapped().trace;
    change->record = left.record;
    change->operation = left.operation;
    if (!trace) {
        failed(change, trace.error());
    } else if (left.result.value_or(0) != 0) {
        failed(change, fail(*left.result, "device", "as it has said before"));
    } else if (change->makes() && (trace->took_effect || left.result)) {
        // It is in the tree when its folder has been listed; which may have another path by now than the one noted.
        folders_.when_listed(change->parent, [this, change](const Error* error) {
            if (error != nullptr) {
                failed(change, *error);
            } else {
                answer(change);
            }
        });
    } else if (trace->took_effect || left.result) {
        answer(change);
    } else {
        operations_->again(left.record);
        prepare(change);
    }
}

}  // namespace plugfs::kit
