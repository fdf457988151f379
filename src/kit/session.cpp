#include "kit/session.h"

#include "common/log.h"

#include <linux/fuse.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace plugfs::kit {

namespace {

// So that replies from the mailbox and the supervisor's messages get their turn under load.
constexpr int requests_per_turn = 32;
constexpr unsigned turns_between_bursts = 8;

constexpr unsigned failure_limit = 8;
constexpr std::chrono::seconds failure_time{10};

std::uint64_t unique_of(std::span<const std::byte> request) {
    fuse_in_header header{};
    std::memcpy(&header, request.data(), sizeof header);
    return header.unique;
}

// FUSE_NOTIFY_RESEND and FUSE_HAS_RESEND (bit 39 of the flags) of kernel 6.9, newer than our headers.
constexpr std::int32_t notify_resend = 7;
constexpr std::uint32_t has_resend = 1U << 7U;

// libfuse 3.14 does not know the flag: no file here has privileges (set-user-ID, capabilities) that a write would have
// to take away. Without it the kernel asks for the attribute security.capability before every write(2).
void promise_no_privileges(std::span<const std::byte> init, std::span<std::byte> reply) {
    constexpr std::size_t offered_offset = sizeof(fuse_in_header) + offsetof(fuse_init_in, flags);
    constexpr std::size_t wanted_offset = sizeof(fuse_out_header) + offsetof(fuse_init_out, flags);
    std::uint32_t offered = 0;
    std::uint32_t wanted = 0;
    if (init.size() < offered_offset + sizeof offered || reply.size() < wanted_offset + sizeof wanted) {
        return;
    }
    std::memcpy(&offered, init.data() + offered_offset, sizeof offered);
    std::memcpy(&wanted, reply.data() + wanted_offset, sizeof wanted);
    wanted |= offered & FUSE_HANDLE_KILLPRIV_V2;
    std::memcpy(reply.data() + wanted_offset, &wanted, sizeof wanted);
}

// The kernel never reads further ahead than what is said here, and offers 128 KiB; how far it does is for whoever may
// set that (the supervisor, as root).
void allow_read_ahead(std::span<std::byte> reply) {
    constexpr std::size_t offset = sizeof(fuse_out_header) + offsetof(fuse_init_out, max_readahead);
    constexpr std::uint32_t most = read_ahead_limit;
    if (reply.size() >= offset + sizeof most) {
        std::memcpy(reply.data() + offset, &most, sizeof most);
    }
}

bool kernel_can_resend(std::span<const std::byte> init) {
    constexpr std::size_t flags2_offset = sizeof(fuse_in_header) + (4 * sizeof(std::uint32_t));
    std::uint32_t flags2 = 0;
    if (init.size() < flags2_offset + sizeof flags2) {
        return false;
    }
    std::memcpy(&flags2, init.data() + flags2_offset, sizeof flags2);
    return (flags2 & has_resend) != 0;
}

}  // namespace

Result<std::unique_ptr<Session>> Session::create(UniqueFd fuse, const VaultMapping& vault,
                                                 const fuse_lowlevel_ops& operations, void* client) {
    std::unique_ptr<Session> self(new Session(fuse.get(), vault, client));
    char program[] = "plugfs";
    char* arguments[] = {program, nullptr};
    fuse_args args{1, arguments, 0};
    self->session_ = fuse_session_new(&args, &operations, sizeof operations, self.get());
    if (self->session_ == nullptr) {
        return fail(ENOMEM, "fuse_session_new");
    }
    fuse_custom_io io{};
    io.writev = on_writev;
    io.read = on_read;
    if (const int status = fuse_session_custom_io(self->session_, &io, fuse.get()); status != 0) {
        return fail(-status, "fuse_session_custom_io");
    }
    (void)fuse.release();  // fuse_session_destroy() closes it
    return self;
}

Session::Session(int fd, const VaultMapping& vault, void* client)
    : fd_(fd), vault_(vault), slots_(vault), client_(client) {}

Session::~Session() {
    if (session_ != nullptr) {
        fuse_session_destroy(session_);
    }
}

Result<void> Session::begin(bool one_by_one, bool ask_again) {
    auto& header = vault_.header();
    header.request_on_trial.store(0);
    const std::uint32_t length = header.init_request_length;
    if (length < sizeof(fuse_in_header) || length > init_capacity) {
        return fail(EPROTO, "vault", "init_request_length is " + std::to_string(length));
    }
    std::array<std::byte, init_capacity> init = header.init_request;
    playing_init_ = true;
    fuse_buf buffer{};
    buffer.mem = init.data();
    buffer.size = length;
    fuse_session_process_buf(session_, &buffer);
    playing_init_ = false;
    if (init_error_ != 0) {
        return fail(init_error_, "FUSE_INIT", "the reply differs from the one that the kernel was given");
    }
    if (slots_.damaged() > 0 || ask_again) {
        const std::string why = slots_.damaged() > 0 ? std::to_string(slots_.damaged()) + " request slots hold nonsense"
                                                     : "a request was lost";
        return this->ask_again(std::span<const std::byte>(init).first(length), why);
    }
    for (const auto request : slots_.unanswered()) {
        if (one_by_one) {
            trial_.push_back(unique_of(request));
        } else {
            dispatch(request);
        }
    }
    return {};
}

// The journal cannot be believed. Newer kernels give out again what was not answered.
Result<void> Session::ask_again(std::span<const std::byte> init, const std::string& why) {
    if (!kernel_can_resend(init)) {
        return fail(EPROTO, "vault", why);
    }
    log::warning("vault: " + why + "; asking the kernel for its requests again");
    slots_.give_up_unanswered();
    const fuse_out_header notice{sizeof(fuse_out_header), notify_resend, 0};
    if (::write(fd_, &notice, sizeof notice) < 0) {
        return fail(errno, "FUSE_NOTIFY_RESEND");
    }
    return {};
}

void Session::go_on_with_trial() {
    auto& on_trial = vault_.header().request_on_trial;
    // Answered while it was played, perhaps: then the next one follows at once.
    while (!trial_.empty() && on_trial.load(std::memory_order_relaxed) == 0) {
        const auto request = slots_.find(trial_.front());
        if (request.empty()) {
            trial_.pop_front();
            continue;
        }
        on_trial.store(trial_.front());
        dispatch(request);
    }
}

void Session::dispatch(std::span<std::byte> request) {
    std::uint32_t length = 0;
    std::memcpy(&length, request.data(), sizeof length);
    current_ = unique_of(request);
    fuse_poll_in poll{};
    if (length >= sizeof(fuse_in_header) + sizeof poll) {
        std::memcpy(&poll, request.data() + sizeof(fuse_in_header), sizeof poll);
    }
    current_poll_handle_ = poll.kh;
    fuse_buf buffer{};
    buffer.mem = request.data();
    buffer.size = length;
    fuse_session_process_buf(session_, &buffer);
}

void Session::wake_pollers_of_predecessor() {
    for (auto& handle : vault_.header().poll_handles) {
        struct {
            fuse_out_header header;
            fuse_notify_poll_wakeup_out wakeup;
        } notice{{sizeof notice, FUSE_NOTIFY_POLL, 0}, {handle.exchange(0)}};
        // One that is not there any more is ignored by the kernel.
        if (notice.wakeup.kh != 0 && ::write(fd_, &notice, sizeof notice) < 0) {
            log::warning("waking a poller of a predecessor: errno " + std::to_string(errno));
        }
    }
}

Result<void> Session::serve() {
    // Most come one by one, and asking for a second one in vain takes as long as asking for the first. So it is asked
    // for where the last turn had several, and now and then.
    const bool several = in_bursts_ || ++turns_ % turns_between_bursts == 0;
    const int limit = several ? requests_per_turn : 1;
    int taken = 0;
    while (taken < limit) {
        PLUGFS_ASSIGN(const bool more, take_one());
        if (!more) {
            break;
        }
        ++taken;
    }
    in_bursts_ = taken > 1;
    return {};
}

Result<bool> Session::take_one() {
    const auto slot = slots_.reading_slot();
    if (slot.empty()) {
        return false;
    }
    const ssize_t length = ::read(fd_, slot.data(), slot.size());
    if (length >= 0) {
        vault_.header().requests_taken.fetch_add(1, std::memory_order_relaxed);
    } else {
        RequestSlots::discard(slot);
        if (errno == EAGAIN) {
            return false;
        }
        if (errno == EINTR || errno == ENOENT) {  // ENOENT: the request was interrupted while it was handed over
            return true;
        }
        return fail(errno, "read request");
    }
    fuse_in_header header{};
    std::memcpy(&header, slot.data(), sizeof header);
    if (static_cast<std::size_t>(length) < sizeof header || header.len != static_cast<std::uint32_t>(length)) {
        RequestSlots::discard(slot);
        return fail(EPROTO, "read request", "length " + std::to_string(length));
    }
    if (wants_reply(header.opcode)) {
        dispatch(slots_.settle(slot, header.len));
    } else {
        dispatch(slot);
        RequestSlots::discard(slot);
    }
    return true;
}

ssize_t Session::on_read(int /*fd*/, void* /*buffer*/, size_t /*size*/, void* /*self*/) {
    // Never called: requests are read by take_one(), because they must land in slots. libfuse insists on a function.
    return -ENOSYS;
}

ssize_t Session::on_writev(int /*fd*/, iovec* parts, int count, void* self) {
    return static_cast<Session*>(self)->write_reply(parts, count);
}

ssize_t Session::write_reply(iovec* parts, int count) {
    if (playing_init_) {
        return write_init_reply(parts, count);
    }
    fuse_out_header header{};
    if (count < 1 || parts[0].iov_len < sizeof header) {
        errno = EINVAL;
        return -1;
    }
    std::memcpy(&header, parts[0].iov_base, sizeof header);
    const ssize_t written = ::writev(fd_, parts, count);
    // Notifications (unique 0) come from their own thread and have no slot. For a reply the slot is done with, even
    // if the kernel did not want it any more (ENOENT: interrupted, or answered before by a predecessor).
    if (header.unique != 0) {
        const int saved = errno;
        note_success(header.unique, header.error);
        slots_.answered(header.unique);
        auto& on_trial = vault_.header().request_on_trial;
        if (!trial_.empty() && on_trial.load(std::memory_order_relaxed) == header.unique) {
            trial_.pop_front();
            on_trial.store(0);
        }
        errno = saved;
    }
    return written;
}

// Only requests that need the device count: a driver that is broken still knows its tree.
void Session::note_success(std::uint64_t unique, int error) {
    const auto request = slots_.find(unique);
    fuse_in_header header{};
    if (request.size() < sizeof header) {
        return;
    }
    std::memcpy(&header, request.data(), sizeof header);
    const bool moves_data = header.opcode == FUSE_READ || header.opcode == FUSE_WRITE ||
                            header.opcode == FUSE_READDIR || header.opcode == FUSE_READDIRPLUS;
    // A look-up fails like that when the folder cannot be listed; if it succeeds the name may have been known.
    if (!moves_data && (header.opcode != FUSE_LOOKUP || error != -EIO)) {
        return;
    }
    if (error != -EIO) {
        failures_ = 0;
    } else if (++failures_ == 1) {
        failing_since_ = Deadline::Clock::now();
    }
}

bool Session::fails_everything() const {
    return failures_ >= failure_limit && Deadline::Clock::now() - failing_since_ >= failure_time;
}

ssize_t Session::write_init_reply(const iovec* parts, int count) {
    std::vector<std::byte> reply;
    for (int i = 0; i < count; ++i) {
        const auto* bytes = static_cast<const std::byte*>(parts[i].iov_base);
        reply.insert(reply.end(), bytes, bytes + parts[i].iov_len);
    }
    auto& vault = vault_.header();
    promise_no_privileges(vault.init_request, reply);
    allow_read_ahead(reply);
    if (reply.size() > init_capacity) {
        init_error_ = EPROTO;
    } else if (const auto recorded = vault.init_reply_length.load(std::memory_order_acquire); recorded != 0) {
        const bool equal = recorded == reply.size() && std::equal(reply.begin(), reply.end(), vault.init_reply.begin());
        init_error_ = equal ? 0 : EPROTO;
    } else {
        // The length is recorded after the kernel has the answer. A worker that dies in between leaves a successor that
        // answers once more, and is told ENOENT: the kernel has its answer.
        std::copy(reply.begin(), reply.end(), vault.init_reply.begin());
        if (::write(fd_, reply.data(), reply.size()) < 0 && errno != ENOENT) {
            init_error_ = errno;
        } else {
            vault.init_reply_length.store(static_cast<std::uint32_t>(reply.size()), std::memory_order_release);
        }
    }
    return static_cast<ssize_t>(reply.size());
}

}  // namespace plugfs::kit
