#include "kit/mailbox.h"

#include <sys/eventfd.h>

#include <memory>
#include <utility>

namespace plugfs::kit {

Result<std::unique_ptr<Mailbox>> Mailbox::create() {
    UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) {
        return fail(errno, "eventfd");
    }
    return std::unique_ptr<Mailbox>(new Mailbox(std::move(event)));
}

void Mailbox::post(std::function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        work_.push_back(std::move(work));
        if (std::exchange(announced_, true)) {
            return;
        }
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void Mailbox::run_all() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(event_.get(), &count, sizeof count);
    std::vector<std::function<void()>> work;
    {
        const std::lock_guard lock(mutex_);
        work.swap(work_);
        announced_ = false;
    }
    for (auto& function : work) {
        function();
    }
}

}  // namespace plugfs::kit
