#include "supervisor/pending_requests.h"

#include "common/log.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace plugfs {

namespace {

constexpr unsigned try_limit = 3;
// More than the kernel queues for a file system (max_background and one for each waiting process).
constexpr int queue_limit = 100'000;
// A request that is given out again after FUSE_NOTIFY_RESEND has this bit in its number.
constexpr std::uint64_t resend_bit = std::uint64_t{1} << 63U;

bool about_names(std::uint32_t opcode) {
    switch (opcode) {
        case FUSE_LOOKUP:
        case FUSE_READDIR:
        case FUSE_READDIRPLUS:
        case FUSE_CREATE:
        case FUSE_MKNOD:
        case FUSE_MKDIR:
        case FUSE_SYMLINK:
        case FUSE_LINK:
        case FUSE_UNLINK:
        case FUSE_RMDIR:
        case FUSE_RENAME:
        case FUSE_RENAME2:
            return true;
        default:
            return false;
    }
}

}  // namespace

const char* opcode_name(std::uint32_t opcode) {
    switch (opcode) {
        case FUSE_LOOKUP:
            return "LOOKUP";
        case FUSE_GETATTR:
            return "GETATTR";
        case FUSE_SETATTR:
            return "SETATTR";
        case FUSE_MKDIR:
            return "MKDIR";
        case FUSE_UNLINK:
            return "UNLINK";
        case FUSE_RMDIR:
            return "RMDIR";
        case FUSE_RENAME:
        case FUSE_RENAME2:
            return "RENAME";
        case FUSE_OPEN:
            return "OPEN";
        case FUSE_READ:
            return "READ";
        case FUSE_WRITE:
            return "WRITE";
        case FUSE_STATFS:
            return "STATFS";
        case FUSE_RELEASE:
            return "RELEASE";
        case FUSE_FSYNC:
            return "FSYNC";
        case FUSE_FLUSH:
            return "FLUSH";
        case FUSE_OPENDIR:
            return "OPENDIR";
        case FUSE_READDIR:
            return "READDIR";
        case FUSE_READDIRPLUS:
            return "READDIRPLUS";
        case FUSE_RELEASEDIR:
            return "RELEASEDIR";
        case FUSE_CREATE:
            return "CREATE";
        case FUSE_POLL:
            return "POLL";
        default:
            return "another request";
    }
}

std::span<std::byte> PendingRequests::slot(std::size_t index) const {
    return index < small_slot_count ? vault_.small_slot(index) : vault_.large_slot(index - small_slot_count);
}

std::vector<PendingRequests::Request> PendingRequests::list() const {
    std::vector<Request> requests;
    for (std::size_t index = 0; index < small_slot_count + large_slot_count; ++index) {
        const auto bytes = slot(index);
        fuse_in_header header{};
        std::memcpy(&header, bytes.data(), sizeof header);
        if (header.len >= sizeof header && header.len <= bytes.size() && header.unique != 0 &&
            header.opcode != FUSE_FORGET && header.opcode != FUSE_BATCH_FORGET && header.opcode != FUSE_INTERRUPT) {
            requests.push_back({header.unique, header.nodeid, header.opcode, index});
        }
    }
    std::sort(requests.begin(), requests.end(), [](const auto& a, const auto& b) { return a.unique < b.unique; });
    return requests;
}

bool PendingRequests::after_crash() {
    const std::uint64_t on_trial = vault_.header().request_on_trial.load();
    const auto requests = list();
    std::map<std::uint64_t, unsigned> tries;
    bool left = false;
    for (const auto& request : requests) {
        const std::uint64_t unique = request.unique & ~resend_bit;
        unsigned& count = tries[unique];
        count = tries_[unique];
        if (on_trial == 0 || on_trial == request.unique) {
            ++count;
        }
        if (count >= try_limit) {
            log::error(std::string("a ") + opcode_name(request.opcode) + " request has crashed the driver " +
                       std::to_string(count) + " times: answered with EIO");
            answer(request, EIO);
        } else {
            left = true;
        }
    }
    // What is not pending any more has been answered.
    tries_ = std::move(tries);
    return left;
}

void PendingRequests::answer(const Request& request, int error) {
    reply(request.unique, error);
    const std::uint32_t none = 0;
    std::memcpy(slot(request.slot).data(), &none, sizeof none);
}

void PendingRequests::reply(std::uint64_t unique, int error) const {
    fuse_out_header header{};
    header.len = sizeof header;
    header.error = -error;
    header.unique = unique;
    // ENOENT: it has been answered, or nobody waits for it any more.
    if (::write(fuse_, &header, sizeof header) < 0 && errno != ENOENT) {
        log::warning(std::string("answering a request: ") + std::strerror(errno));
    }
}

bool PendingRequests::answer_names(int error) {
    bool any = false;
    for (const auto& request : list()) {
        if (about_names(request.opcode)) {
            answer(request, error);
            any = true;
        }
    }
    return any;
}

void PendingRequests::answer_all(int error) {
    for (const auto& request : list()) {
        answer(request, error);
    }
    tries_.clear();
    // The descriptor's flags are the workers', too: one that has made it wait would have us wait.
    (void)::fcntl(fuse_, F_SETFL, O_RDWR | O_NONBLOCK);
    std::vector<std::byte> buffer(large_slot_size);
    for (int i = 0; i < queue_limit; ++i) {
        const ssize_t length = ::read(fuse_, buffer.data(), buffer.size());
        if (length < 0 && (errno == EINTR || errno == ENOENT)) {
            continue;
        }
        fuse_in_header header{};
        if (length < static_cast<ssize_t>(sizeof header)) {
            return;  // EAGAIN: there is nothing more
        }
        std::memcpy(&header, buffer.data(), sizeof header);
        if (header.opcode != FUSE_FORGET && header.opcode != FUSE_BATCH_FORGET && header.opcode != FUSE_INTERRUPT) {
            reply(header.unique, error);
        }
    }
}

}  // namespace plugfs
