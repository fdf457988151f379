// Session: the worker's end of its FUSE mount.
//
// The supervisor has mounted the file system and has read the kernel's FUSE_INIT itself; both outlive the worker. So a
// session does not begin with the kernel but with the vault: libfuse is fed the recorded INIT; its reply goes to the
// kernel the first time, and in every later worker must be equal to the recorded one and is dropped. Then follow the
// requests that a predecessor left unanswered, then what the kernel sends.
//
// All but notifications happen on the FUSE thread. libfuse's custom_io passes every write through us, which is where
// slots are freed.
#pragma once

#define FUSE_USE_VERSION 314

#include "common/unique_fd.h"
#include "kit/request_slots.h"

#include <plugfs/deadline.h>
#include <plugfs/result.h>

#include <fuse_lowlevel.h>

#include <deque>
#include <memory>

namespace plugfs::kit {

class Session {
  public:
    // Takes over `fuse` (mounted, non-blocking). `operations` are called with `client` as
    // fuse_req_userdata(...)->client. `vault` must outlive the session.
    static Result<std::unique_ptr<Session>> create(UniqueFd fuse, const VaultMapping& vault,
                                                   const fuse_lowlevel_ops& operations, void* client);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // The client given at create(), from inside an operation.
    template <class Client>
    static Client& client_of(fuse_req_t request) {
        return static_cast<Session*>(fuse_req_userdata(request))->client<Client>();
    }
    template <class Client>
    [[nodiscard]] Client& client() const {
        return *static_cast<Client*>(client_);
    }

    // Plays the recorded INIT and the unanswered requests. EPROTO: the reply differs from the one that the kernel was
    // given, or the journal holds nonsense and the kernel is too old to be asked again; this mount cannot be taken
    // over.
    //
    // `one_by_one`: a predecessor of ours crashed on one of these requests, perhaps. So each is played when the one
    // before has been answered, nothing new is taken meanwhile, and the vault says which one is on trial.
    // `ask_again`: the journal is not whole, a predecessor has lost a request; the kernel gives out again all that was
    // not answered.
    Result<void> begin(bool one_by_one, bool ask_again);

    // For ten seconds or more, every read, write and listing has failed with EIO, at least eight of them: perhaps the
    // driver's own memory is damaged, and a new process would do better.
    [[nodiscard]] bool fails_everything() const;

    // Readable when the kernel has requests.
    [[nodiscard]] int fd() const { return fd_; }
    // Whether another request can be taken: a slot is free. While not, do not poll fd().
    [[nodiscard]] bool can_take() { return trial_.empty() && !slots_.reading_slot().empty(); }
    // Plays the next request of those that are played one by one, if it is time for it. To be called in every turn.
    void go_on_with_trial();
    // Takes and dispatches what the kernel has, a bounded number. ENODEV: unmounted.
    Result<void> serve();

    // The number of the request that is being dispatched; only from inside an operation.
    [[nodiscard]] std::uint64_t current_request() const { return current_; }
    // The kernel's number for who waits (fuse_poll_in.kh); only from inside poll().
    [[nodiscard]] std::uint64_t current_poll_handle() const { return current_poll_handle_; }
    // Wakes those whom a predecessor has promised it.
    void wake_pollers_of_predecessor();
    // Whether a request of that number waits for its answer, also one that a predecessor was given.
    [[nodiscard]] bool unanswered(std::uint64_t unique) const { return !slots_.find(unique).empty(); }

    [[nodiscard]] fuse_session* raw() const { return session_; }

  private:
    Session(int fd, const VaultMapping& vault, void* client);
    static ssize_t on_writev(int fd, iovec* parts, int count, void* self);
    static ssize_t on_read(int fd, void* buffer, size_t size, void* self);
    ssize_t write_reply(iovec* parts, int count);
    ssize_t write_init_reply(const iovec* parts, int count);
    Result<bool> take_one();
    Result<void> ask_again(std::span<const std::byte> init, const std::string& why);
    void note_success(std::uint64_t unique, int error);
    void dispatch(std::span<std::byte> request);

    int fd_;  // owned by session_ once that exists
    const VaultMapping& vault_;
    RequestSlots slots_;
    void* client_;
    fuse_session* session_ = nullptr;
    std::deque<std::uint64_t> trial_;  // the first is being played, if request_on_trial says so
    std::uint64_t current_ = 0;
    std::uint64_t current_poll_handle_ = 0;
    bool playing_init_ = false;
    int init_error_ = 0;
    unsigned turns_ = 0;
    bool in_bursts_ = false;  // the last turn had more than one request
    unsigned failures_ = 0;   // in a row
    Deadline::Clock::time_point failing_since_;
};

}  // namespace plugfs::kit
