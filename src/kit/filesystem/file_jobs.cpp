#include "kit/filesystem/file_jobs.h"

#include <utility>

namespace plugfs::kit {

void FileJobs::add(std::uint64_t inode, Priority priority, Job job, Done done) {
    ask(std::make_shared<Order>(Order{inode, priority, std::move(job), std::move(done), 0}));
}

void FileJobs::ask(const std::shared_ptr<Order>& order) {
    const auto gone = [] { return fail(ENOENT, "file", "it is not on the device any more"); };
    Node* node = core_.tree.find(order->inode);
    if (node == nullptr || (node->parent == nullptr && node->inode != root_inode)) {
        const Error error = gone();
        order->done(&error);
        return;
    }
    folders_.when_bound(*node, [this, order, gone](const Error* error) {
        const Node* at = core_.tree.find(order->inode);
        if (error != nullptr || at == nullptr) {
            const Error failed = error != nullptr ? *error : gone();
            order->done(&failed);
            return;
        }
        core_.queue.add(order->priority, [this, order, key = at->key](Driver& driver) {
            core_.mailbox.post([this, order, key, result = order->job(driver, key)] { asked(order, key, result); });
        });
    });
}

void FileJobs::asked(const std::shared_ptr<Order>& order, Key key, const Result<void>& result) {
    if (!result && result.error().code == ESTALE && order->attempt < stale_limit) {
        ++order->attempt;
        if (const Node* stale = core_.tree.find(order->inode)) {
            folders_.keys_lost(*stale, key);
        }
        ask(order);
        return;
    }
    order->done(result ? nullptr : &result.error());
}

}  // namespace plugfs::kit
