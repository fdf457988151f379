#include "kit/filesystem/waiting_requests.h"

#include "common/log.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace plugfs::kit {

WaitingRequests::Id WaitingRequests::add(fuse_req_t request, Fail fail) {
    const Id id = add_through(request, std::move(fail));
    fuse_req_interrupt_func(request, on_interrupt, this);
    return id;
}

WaitingRequests::Id WaitingRequests::add_through(fuse_req_t request, Fail fail) {
    const Id id = ++last_;
    requests_[id] = {request, std::move(fail), {}};
    return id;
}

fuse_req_t WaitingRequests::take(Id id) {
    const auto waiting = requests_.extract(id);
    return waiting.empty() ? nullptr : waiting.mapped().request;
}

void WaitingRequests::fail(Id id, const Error& error) {
    const auto waiting = requests_.extract(id);
    if (!waiting.empty()) {
        waiting.mapped().fail(error);
    }
}

void WaitingRequests::when_interrupted(Id id, std::function<void()> interrupted) {
    if (const auto found = requests_.find(id); found != requests_.end()) {
        found->second.interrupted = std::move(interrupted);
    }
}

void WaitingRequests::reads_ahead(Id id, std::uint64_t inode) {
    if (const auto found = requests_.find(id); found != requests_.end()) {
        found->second.reads_ahead_of = inode;
    }
}

void WaitingRequests::give_up_reads(std::uint64_t inode) {
    std::vector<Waiting> given_up;
    std::erase_if(requests_, [&](auto& item) {
        const bool goes = item.second.reads_ahead_of == inode;
        if (goes) {
            given_up.push_back(std::move(item.second));
        }
        return goes;
    });
    for (const auto& waiting : given_up) {
        answer_interrupted(waiting);
    }
}

void WaitingRequests::on_interrupt(fuse_req_t request, void* self) {
    static_cast<WaitingRequests*>(self)->interrupted_.push_back(request);
}

void WaitingRequests::answer_interrupted() {
    for (const auto request : std::exchange(interrupted_, {})) {
        const auto found = std::find_if(requests_.begin(), requests_.end(),
                                        [request](const auto& item) { return item.second.request == request; });
        if (found != requests_.end()) {
            const Waiting waiting = std::move(found->second);
            requests_.erase(found);
            answer_interrupted(waiting);
        }
    }
}

void WaitingRequests::answer_interrupted(const Waiting& waiting) {
    fuse_reply_err(waiting.request, EINTR);
    if (waiting.interrupted) {
        waiting.interrupted();
    }
}

void WaitingRequests::device_failed(const Error& error) {
    device_error_ = error;
    for (auto& [id, waiting] : std::exchange(requests_, {})) {
        waiting.fail(error);
    }
}

bool WaitingRequests::refuse(fuse_req_t request) const {
    if (device_error_ && !holds(*device_error_)) {
        fuse_reply_err(request, visible_code(*device_error_));
    }
    return device_error_.has_value();
}

void WaitingRequests::reply_error(fuse_req_t request, const Error& error, std::string_view what) const {
    if (holds(error)) {
        return;
    }
    // That something is there, or is not, is an answer: nothing has failed.
    constexpr std::array answers = {ENOENT, EEXIST, ENOTEMPTY, ENOTDIR, EISDIR, EINTR};
    const bool is_answer = std::find(answers.begin(), answers.end(), error.code) != answers.end();
    log::write(is_answer ? LogLevel::debug : LogLevel::error, std::string(what) + ": " + error.text());
    fuse_reply_err(request, visible_code(error));
}

int WaitingRequests::visible_code(const Error& error) {
    // What a program can make sense of; everything else is "the device failed".
    constexpr int known[] = {ENODEV, ENOENT,  EACCES, EPERM,   EROFS,  ENOSPC,       ENOTSUP,
                             EINVAL, EISDIR,  EBUSY,  ENOTDIR, ENOMEM, EFBIG,        ESTALE,
                             EINTR,  EUCLEAN, EXDEV,  ENFILE,  EEXIST, ENAMETOOLONG, ENOTEMPTY};
    const bool fits = std::find(std::begin(known), std::end(known), error.code) != std::end(known);
    return fits ? error.code : EIO;
}

}  // namespace plugfs::kit
