// Worker: one worker process, from its launch to its end, with its messages and its log lines.
//
//   launched -> (ready | failed | gone | identity, by messages) -> ended
//
// It is asked to stop with a message; if it has not ended after a grace time it is killed. Destroying it kills it at
// once.
#pragma once

#include "common/channel.h"
#include "supervisor/event_loop.h"
#include "supervisor/launch.h"
#include "supervisor/sandbox.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace plugfs {

struct WorkerPlan {
    std::string label;  // in front of its log lines
    std::string executable;
    int fuse = -1;  // all five owned by the caller and only passed on; -1: none
    int device = -1;
    int vault = -1;
    int spool = -1;
    int lasting = -1;
    std::optional<uid_t> user;         // when started as root
    const Sandbox* sandbox = nullptr;  // never null
    nlohmann::json start;              // the first message
};

class Worker {
  public:
    struct Events {
        std::function<void(const nlohmann::json&)>
            message;  // every message from it, checked to be an object with a "type"
        std::function<void(const std::string&)> log_line;   // a line of its standard error, without the line break
        std::function<void(const std::string& how)> ended;  // last of all; only here may the Worker be destroyed
        // It has been killed so long ago, and has not ended: the kernel holds it, in a call that does not return.
        // Called each second; may be empty.
        std::function<void(std::chrono::milliseconds)> lingers;
    };
    // `loop` must outlive it.
    static Result<std::unique_ptr<Worker>> create(EventLoop& loop, const WorkerPlan& plan, Events events);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    [[nodiscard]] pid_t pid() const { return process_.pid; }
    // What the supervisor has put around it.
    [[nodiscard]] const SandboxLayers& layers() const { return layers_; }
    // Asks it to stop; if it has not ended after `grace`, it is killed.
    void stop(std::chrono::milliseconds grace);
    // It is at it: the grace time begins anew. Not for longer than stop_limit in all.
    void stop_later(std::chrono::milliseconds grace);
    static constexpr std::chrono::seconds stop_limit{60};
    // False: it does not listen any more.
    bool tell(const nlohmann::json& message) { return channel_.send(message).ok(); }
    void kill();
    [[nodiscard]] bool killed() const { return killed_at_.has_value(); }

  private:
    Worker(EventLoop& loop, Process process, Channel channel, UniqueFd log, Events events);
    void let_keeper_go();
    void kill_late();
    void watch_lingering();
    void read_messages();
    void read_log();
    void take_log_lines(bool all);
    void on_end();

    EventLoop& loop_;
    Process process_;
    Sandbox::Around around_;
    SandboxLayers layers_;
    Channel channel_;
    UniqueFd log_;
    std::string partial_line_;
    Events events_;
    EventLoop::Timer kill_timer_ = 0;
    std::optional<Deadline::Clock::time_point> killed_at_;
    EventLoop::Timer linger_timer_ = 0;
    Deadline::Clock::time_point stopping_since_;
    bool reaped_ = false;
};

}  // namespace plugfs
