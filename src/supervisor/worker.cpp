#include "supervisor/worker.h"

#include "common/log.h"
#include "common/vault.h"
#include "common/worker_contract.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace plugfs {

namespace {

constexpr std::size_t line_limit = 1000;
// Messages and log bytes taken in one turn of the loop: a worker that floods us must not keep us from others.
constexpr int messages_per_turn = 64;
constexpr int last_wait_ms = 2000;  // for a worker that was killed
constexpr int log_reads_per_turn = 4;
constexpr std::chrono::seconds closed_grace{5};  // between the channel's end and the worker's
constexpr std::chrono::seconds reap_interval{1};
constexpr std::chrono::seconds linger_interval{1};
constexpr int reap_attempts = 3600;

// Of a process that is traced (ptrace(2)) its tracer hears first, and its parent when the tracer lets go; nothing of it
// runs any more, and nothing of it is held, but its number. What is still there after the last attempt goes with us.
void reap_later(EventLoop& loop, const std::shared_ptr<Process>& process, int attempts) {
    if (attempts > 0 && reap(*process).empty()) {
        loop.after(reap_interval, [&loop, process, attempts] { reap_later(loop, process, attempts - 1); });
    }
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(EventLoop& loop, const WorkerPlan& plan, Events events) {
    PLUGFS_ASSIGN(auto ends, Channel::create_pair());
    int pipe_ends[2] = {-1, -1};
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0) {
        return fail(errno, "log pipe");
    }
    UniqueFd log_read(pipe_ends[0]);
    const UniqueFd log_write(pipe_ends[1]);
    if (::fcntl(log_read.get(), F_SETFL, O_NONBLOCK) != 0) {
        return fail(errno, "log pipe");
    }
    LaunchPlan launch_plan;
    launch_plan.executable = plan.executable;
    auto around = plan.sandbox->surround(launch_plan, plan.user);
    launch_plan.descriptors = {{log_write.get(), 1}, {log_write.get(), 2}, {ends.second.get(), worker::control_fd}};
    for (const auto& [ours, number] : {std::pair(plan.fuse, worker::fuse_fd), std::pair(plan.device, worker::device_fd),
                                       std::pair(plan.vault, worker::vault_fd), std::pair(plan.spool, worker::spool_fd),
                                       std::pair(plan.lasting, worker::lasting_fd)}) {
        if (ours >= 0) {
            launch_plan.descriptors.emplace_back(ours, number);
        }
    }
    PLUGFS_ASSIGN(auto process, launch(launch_plan));
    std::unique_ptr<Worker> self(
        new Worker(loop, std::move(process), Channel(std::move(ends.first)), std::move(log_read), std::move(events)));
    self->around_ = std::move(around);
    PLUGFS_ASSIGN(self->layers_, plan.sandbox->layers(self->around_, launch_plan, self->process_));
    auto start = plan.start;
    start["require_sandbox"] = plan.sandbox->options().required;
    PLUGFS_TRY(self->channel_.send(start));
    return self;
}

Worker::Worker(EventLoop& loop, Process process, Channel channel, UniqueFd log, Events events)
    : loop_(loop),
      process_(std::move(process)),
      channel_(std::move(channel)),
      log_(std::move(log)),
      events_(std::move(events)) {
    loop_.watch(process_.pidfd.get(), [this] { on_end(); });
    loop_.watch(channel_.fd(), [this] { read_messages(); });
    loop_.watch(log_.get(), [this] { read_log(); });
}

Worker::~Worker() {
    loop_.cancel(kill_timer_);
    loop_.unwatch(channel_.fd());
    loop_.unwatch(log_.get());
    if (!reaped_) {
        loop_.unwatch(process_.pidfd.get());
        kill();
        // One that the kernel holds on to is left to it.
        pollfd end{process_.pidfd.get(), POLLIN, 0};
        (void)::poll(&end, 1, last_wait_ms);
        siginfo_t info{};
        (void)::waitid(P_PIDFD, static_cast<id_t>(process_.pidfd.get()), &info, WEXITED | WNOHANG);
    }
    loop_.cancel(linger_timer_);
    let_keeper_go();
}

// It ends by itself now that the worker has been reaped, but taking the namespaces down with it may take some
// milliseconds, for which nobody waits. The memory group can go when it has gone.
void Worker::let_keeper_go() {
    if (!process_.keeper) {
        return;
    }
    (void)::syscall(SYS_pidfd_send_signal, process_.keeper.get(), SIGKILL, nullptr, 0);
    const int number = process_.keeper.get();
    auto keeper = std::make_shared<UniqueFd>(std::move(process_.keeper));
    loop_.watch(number, [&loop = loop_, number, keeper = std::move(keeper), memory = around_.memory]() mutable {
        siginfo_t info{};
        if (::waitid(P_PIDFD, static_cast<id_t>(number), &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0) {
            loop.unwatch(number);
            memory.reset();
            keeper.reset();
        }
    });
}

void Worker::stop(std::chrono::milliseconds grace) {
    if (!channel_.send({{"type", "stop"}})) {
        kill();
    } else if (kill_timer_ == 0) {
        stopping_since_ = Deadline::Clock::now();
        kill_timer_ = loop_.after(grace, [this] { kill_late(); });
    }
}

void Worker::stop_later(std::chrono::milliseconds grace) {
    if (kill_timer_ != 0 && Deadline::Clock::now() + grace < stopping_since_ + stop_limit) {
        loop_.cancel(kill_timer_);
        kill_timer_ = loop_.after(grace, [this] { kill_late(); });
    }
}

void Worker::kill_late() {
    log::warning("worker " + std::to_string(process_.pid) + " did not stop in time: killed");
    kill();
}

void Worker::kill() {
    (void)::syscall(SYS_pidfd_send_signal, process_.pidfd.get(), SIGKILL, nullptr, 0);
    if (!killed_at_) {
        killed_at_ = Deadline::Clock::now();
        watch_lingering();
    }
}

void Worker::watch_lingering() {
    linger_timer_ = loop_.after(linger_interval, [this] {
        watch_lingering();
        if (events_.lingers) {
            events_.lingers(std::chrono::ceil<std::chrono::milliseconds>(Deadline::Clock::now() - *killed_at_));
        }
    });
}

void Worker::read_messages() {
    for (int i = 0; i < messages_per_turn; ++i) {
        auto message = channel_.receive();
        if (!message) {
            loop_.unwatch(channel_.fd());
            // Closed, which its end follows, or nonsense, which nobody needs to listen to any longer.
            if (message.error().code != EPIPE) {
                log::error("worker " + std::to_string(process_.pid) + ": " + message.error().text() + ": killed");
                kill();
            } else if (!reaped_ && kill_timer_ == 0) {
                kill_timer_ = loop_.after(closed_grace, [this] { kill_late(); });
            }
            return;
        }
        if (!*message) {
            return;
        }
        events_.message(**message);
    }
}

void Worker::read_log() {
    for (int i = 0; i < log_reads_per_turn; ++i) {
        std::array<char, 4096> buffer{};
        const ssize_t length = ::read(log_.get(), buffer.data(), buffer.size());
        if (length <= 0) {
            if (length == 0) {
                loop_.unwatch(log_.get());
            }
            return;
        }
        partial_line_.append(buffer.data(), static_cast<std::size_t>(length));
        take_log_lines(false);
    }
}

void Worker::take_log_lines(bool all) {
    while (!partial_line_.empty()) {
        const auto end = partial_line_.find('\n');
        if (end == std::string::npos && !all && partial_line_.size() < line_limit) {
            return;
        }
        // A driver may write what it likes; who looks at the log has a terminal.
        events_.log_line(log::visible(std::string_view(partial_line_).substr(0, std::min(end, line_limit))));
        partial_line_.erase(0, end == std::string::npos ? line_limit : end + 1);
    }
}

void Worker::on_end() {
    std::string how = reap(process_);
    const bool hidden = how.empty();
    if (hidden) {
        how = "its exit status is still with a tracer";
    }
    reaped_ = true;
    // What it said last is still in the pipes.
    read_messages();
    read_log();
    take_log_lines(true);
    loop_.unwatch(process_.pidfd.get());
    if (hidden) {
        reap_later(loop_, std::make_shared<Process>(Process{process_.pid, std::move(process_.pidfd)}), reap_attempts);
    }
    const auto ended = events_.ended;
    ended(how);
}

}  // namespace plugfs
