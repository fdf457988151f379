#include "supervisor/managed_device.h"

#include "common/lasting_memory.h"
#include "common/log.h"
#include "supervisor/crash_report.h"
#include "supervisor/device_holders.h"
#include "supervisor/mount_table.h"
#include "supervisor/spool_storage.h"

#include <fcntl.h>
#include <poll.h>

#include <array>
#include <cmath>

namespace plugfs {

using nlohmann::json;

namespace {

// Ends remembered; a limit beyond it is not allowed.
constexpr std::size_t end_limit = 100;
constexpr unsigned early_end_limit = 10;
// A request that nobody works on for so many hang times is lost, as is the word of a driver that it has started.
constexpr int lost_request_factor = 5;
constexpr std::array<std::chrono::milliseconds, 5> restart_delays = {
    {std::chrono::milliseconds(0), std::chrono::milliseconds(200), std::chrono::milliseconds(1000),
     std::chrono::milliseconds(3000), std::chrono::milliseconds(10000)}};
constexpr std::array state_words = {"starting",    "running",  "recovering", "away",     "waiting",
                                    "quarantined", "ejecting", "ejected",    "stopping", "stopped"};
// The kernel's end of the mount: false when somebody has unmounted or aborted it.
bool connected(int fuse) {
    pollfd ready{fuse, 0, 0};
    return ::poll(&ready, 1, 0) == 0;
}

}  // namespace

ManagedDevice::ManagedDevice(DeviceServices& services, Description description, Events events)
    : services_(services),
      description_(std::move(description)),
      events_(std::move(events)),
      life_(services.loop, services.recovery.hang_time),
      start_watch_(services.loop, {.word = lost_request_factor * services.recovery.hang_time}),
      lost_requests_(services.loop, services.connections, lost_request_factor * services.recovery.hang_time),
      root_watch_(services.loop) {}

ManagedDevice::~ManagedDevice() {
    services_.loop.cancel(timer_);
    worker_.reset();
    if (!folder_path_.empty()) {
        unmount_folder(ENODEV);
        services_.root.remove_link(description_.id);
        services_.root.remove_folder(description_.name);
    }
}

void ManagedDevice::emit(const std::string& event, const std::string& detail) {
    json line = {
        {"event", event}, {"name", description_.name}, {"id", description_.id}, {"driver", description_.driver}};
    if (!detail.empty()) {
        line["detail"] = detail;
    }
    services_.event(line);
}

// With how long the driver took from its launch, in milliseconds.
void ManagedDevice::emit_started(const std::string& event) {
    const std::chrono::duration<double, std::milli> took = Deadline::Clock::now() - launched_;
    services_.event({{"event", event},
                     {"name", description_.name},
                     {"id", description_.id},
                     {"driver", description_.driver},
                     {"pid", worker_ ? worker_->pid() : 0},
                     {"start_ms", std::round(took.count() * 100) / 100}});
}

void ManagedDevice::set_state(State state) {
    state_ = state;
    log::info(description_.name + ": " + state_text());
}

std::string ManagedDevice::state_text() const {
    std::string text = state_words[static_cast<std::size_t>(state_)];
    if ((state_ == State::quarantined || state_ == State::waiting) && !last_error_.empty()) {
        text += ": " + last_error_;
    } else if (state_ == State::ejected) {
        text += ": it is safe to unplug it";
    } else if ((state_ == State::running || state_ == State::recovering) && !note_.empty()) {
        text += ": " + note_;
    }
    return text;
}

Result<void> ManagedDevice::start() {
    PLUGFS_ASSIGN(folder_path_, services_.root.add_folder(description_.name));
    if (const auto linked = services_.root.add_link(description_.id, description_.name); !linked) {
        log::warning(linked.error().text());
    }
    emit("attach");
    begin();
    return {};
}

void ManagedDevice::begin() {
    timer_ = 0;
    if (!fuse_) {
        set_state(State::starting);
        one_by_one_ = mount_anew_ = false;
        if (const auto mounted = mount(); !mounted) {
            could_not_start(mounted.error().text());
            return;
        }
    }
    open_device();
}

Result<void> ManagedDevice::mount() {
    MountOptions options = services_.mount_options;
    options.subtype = "plugfs-" + description_.driver;
    PLUGFS_ASSIGN(fuse_, mount_fuse(folder_path_, options));
    PLUGFS_ASSIGN(vault_, VaultMapping::create(vault_fd_));
    PLUGFS_ASSIGN(spool_, create_spool(services_.state_directory));
    PLUGFS_ASSIGN(lasting_memory_, create_lasting_memory());
    requests_.emplace(fuse_.get(), *vault_);
    PLUGFS_TRY(record_init(fuse_.get(), vault_->header()));
    // The mount table, not stat(2): that would ask the mount, which nobody serves yet.
    for (const auto& entry : mounts_below(folder_path_)) {
        connection_ = entry.minor;
        widen_read_ahead(entry.major, entry.minor);
    }
    return {};
}

void ManagedDevice::unmount_folder(int error) {
    if (fuse_) {
        // With a worker it is the worker that answers, until it is told otherwise; unless the kernel holds it.
        if (requests_ && (!worker_ || worker_->killed() || vault_->header().notifying != 0)) {
            requests_->answer_all(error);
        }
        if (const auto done = unmount(folder_path_); !done) {
            log::warning(done.error().text());
        }
    }
    end_watches();
    requests_.reset();
    fuse_.reset();
    vault_.reset();
    vault_fd_.reset();
    spool_.reset();
    lasting_memory_.reset();
}

void ManagedDevice::on_ended(const std::string& how) {
    end_watches();
    worker_.reset();
    note_.clear();
    if (state_ == State::stopping) {
        finish_stop();
    } else if (std::exchange(ejected_, false)) {
        if (state_ == State::ejecting) {
            set_state(State::ejected);
            emit("ejected");
        }
    } else if (state_ == State::away || state_ == State::quarantined) {
        return;
    } else if (std::exchange(replacing_, false)) {
        // What it left is no suspect.
        one_by_one_ = false;
        if (state_ == State::starting) {
            timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] { begin(); });
        } else {
            take_over(std::chrono::milliseconds(0));
        }
    } else if (std::exchange(in_use_, false)) {
        wait_for_others();
    } else if (said_failed_) {
        crashed(last_error_);
    } else {
        crashed(killed_because_.empty() ? "the driver ended: " + how : killed_because_);
    }
}

bool ManagedDevice::can_take_over() const {
    return services_.recovery.takeover && !mount_anew_ && fuse_ && connected(fuse_.get());
}

bool ManagedDevice::too_many_ends() {
    const auto now = Deadline::Clock::now();
    ends_.push_back(now);
    while (ends_.front() + services_.recovery.crash_window < now || ends_.size() > end_limit) {
        ends_.pop_front();
    }
    return services_.recovery.crash_limit != 0 && ends_.size() >= services_.recovery.crash_limit;
}

void ManagedDevice::crashed(const std::string& why) {
    services_.loop.cancel(timer_);
    timer_ = 0;
    ++restarts_;
    last_error_ = why;
    emit("crash", why);
    report_crash(why);
    if (too_many_ends()) {
        quarantine(why);
        return;
    }
    const auto delay = next_delay();
    if (can_take_over()) {
        // One that has not come as far as to serve has tried none of them; unless they end all of them on the way
        // there.
        const bool tried =
            !said_failed_ && (vault_->header().driver_started == 1 || ++early_ends_ % early_end_limit == 0);
        one_by_one_ = tried ? requests_->after_crash() : one_by_one_;
        take_over(delay);
        return;
    }
    unmount_folder(EIO);
    emit("remount", why);
    set_state(State::waiting);
    timer_ = services_.loop.after(delay, [this] { begin(); });
}

void ManagedDevice::report_crash(const std::string& why) {
    CrashFacts facts;
    facts.device = description_.name;
    facts.id = description_.id;
    facts.driver = description_.driver + (driver_version_.empty() ? "" : " " + driver_version_);
    facts.pid = last_pid_;
    facts.how = why;
    facts.log = log_.text();
    if (requests_) {
        facts.requests = requests_->list();
    }
    const json report = crash_report(facts);
    last_crash_ = report.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
    store_crash_report(services_.state_directory, description_.name, report);
}

void ManagedDevice::take_over(std::chrono::milliseconds delay) {
    set_state(State::recovering);
    timer_ = services_.loop.after(delay, [this] { begin(); });
}

// No worker could be launched: the device cannot be opened, nobody answers, the program is not there.
void ManagedDevice::could_not_start(const std::string& why) {
    services_.loop.cancel(timer_);
    timer_ = 0;
    last_error_ = why;
    emit("crash", why);
    if (too_many_ends()) {
        quarantine(why);
        return;
    }
    // A first start has nothing to keep; a successor has requests that wait.
    if (state_ != State::recovering) {
        unmount_folder(EIO);
        set_state(State::waiting);
    }
    timer_ = services_.loop.after(next_delay(), [this] { begin(); });
}

// Nothing is wrong with the driver, so this does not count as a crash.
void ManagedDevice::wait_for_others() {
    const std::string others = holders_text(device_holders(description_.location.device_node));
    last_error_ = "another program is using the device: " +
                  (others.empty() ? "one that is not visible from here, or a kernel driver" : others) +
                  "; when it ends, or lets go of the device, it is served; to take it from it now, write \"take\" to "
                  "`restart`";
    emit("in-use", last_error_);
    unmount_folder(EIO);
    set_state(State::waiting);
    // Somebody said "take" while this start was on its way.
    const auto delay = take_ ? std::chrono::milliseconds(0) : next_delay();
    timer_ = services_.loop.after(delay, [this] { begin(); });
}

// The first restart is at once; with every start that fails the next comes later.
std::chrono::milliseconds ManagedDevice::next_delay() {
    const auto delay = restart_delays[std::min<std::size_t>(failed_starts_, restart_delays.size() - 1)];
    ++failed_starts_;
    return delay;
}

void ManagedDevice::quarantine(const std::string& why) {
    unmount_folder(EIO);
    set_state(State::quarantined);
    emit("quarantined", why);
}

}  // namespace plugfs
