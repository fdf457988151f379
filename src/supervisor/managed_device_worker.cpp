// ManagedDevice: its worker: the device opened for it, its launch, what it says, and ejecting.

#include "common/log.h"
#include "common/player_json.h"
#include "supervisor/device_holders.h"
#include "supervisor/kernel_drivers.h"
#include "supervisor/managed_device.h"

#include <fcntl.h>

#include <algorithm>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds stop_grace{3000};
// Everything that was written goes to the device meanwhile.
constexpr std::chrono::seconds eject_deadline{120};
// Should a worker die of it, the next one is to do it.
constexpr unsigned eject_limit = 3;

std::string text_of(const json& message, const char* field) {
    const auto found = message.find(field);
    return found != message.end() && found->is_string() ? log::visible(found->get<std::string>().substr(0, 500))
                                                        : std::string();
}

// One line, whatever the worker said.
std::string line_of(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return text;
}

}  // namespace

void ManagedDevice::open_device() {
    const auto& location = description_.location;
    if (location.endpoint) {
        connector_ = std::make_unique<Connector>(services_.loop, *location.endpoint, [this](Result<UniqueFd> socket) {
            const auto keep = std::move(connector_);
            if (socket) {
                launch_worker(std::move(*socket));
            } else {
                could_not_start(socket.error().text());
            }
        });
        return;
    }
    UniqueFd device(::open(location.device_node.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (device) {
        if (std::exchange(take_, false)) {
            take_from_programs(device.get());
        }
        if (const auto taken = take_from_kernel(device.get()); taken) {
            launch_worker(std::move(device));
        } else {
            could_not_start(taken.error().text());
        }
        return;
    }
    std::string why = "open " + location.device_node + ": " + std::strerror(errno);
    if (errno == EACCES) {
        why += "; run plugfsd as root, or give your user access with a udev rule";
    }
    could_not_start(why);
}

Result<void> ManagedDevice::take_from_kernel(int device) {
    const SystemPaths paths;
    const auto bound = bound_interfaces(paths, description_.location.port);
    const auto wanted = [this](const BoundInterface& interface) { return description_.drives(interface.identity); };
    if (std::none_of(bound.begin(), bound.end(), wanted)) {
        return {};
    }
    // Held until it is ours: nobody can begin to use it in between.
    PLUGFS_ASSIGN(const auto hold, DiskHold::create(paths, description_.location.port));
    for (const auto& interface : bound) {
        if (wanted(interface)) {
            PLUGFS_TRY(detach_driver(device, interface.number));
            log::info(description_.name + ": interface " + std::to_string(interface.number) + " taken from " +
                      interface.driver);
            taken_.insert(interface.number);
        }
    }
    return {};
}

// Somebody has said that it is to be.
void ManagedDevice::take_from_programs(int device) {
    const std::string others = holders_text(device_holders(description_.location.device_node));
    for (const auto& interface : claimed_interfaces(SystemPaths(), description_.location.port)) {
        if (!description_.drives(interface.identity)) {
            continue;
        }
        const auto taken = detach_driver(device, interface.number);
        log::info(description_.name + ": interface " + std::to_string(interface.number) +
                  (taken ? " taken from " + others : ": " + taken.error().text()));
    }
}

void ManagedDevice::give_back_to_kernel() {
    const auto interfaces = std::exchange(taken_, {});
    const std::string& node = description_.location.device_node;
    const UniqueFd device(interfaces.empty() ? -1 : ::open(node.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!device) {
        return;  // it is gone, most likely
    }
    for (const unsigned interface : interfaces) {
        if (const auto given = attach_kernel_driver(device.get(), interface); !given) {
            log::warning(description_.name + ": " + given.error().text());
        }
    }
}

void ManagedDevice::launch_worker(UniqueFd device) {
    WorkerPlan plan;
    plan.label = description_.name;
    plan.executable = services_.driver_directory + "/" + description_.executable;
    plan.fuse = fuse_.get();
    plan.device = device.get();
    plan.vault = vault_fd_.get();
    plan.spool = spool_.get();
    plan.lasting = lasting_memory_.get();
    plan.start = services_.start_message;
    plan.start["transport"] = description_.location.endpoint ? "usbredir" : "usbfs";
    plan.start["one_by_one"] = one_by_one_;
    plan.start["ask_again"] = std::exchange(ask_again_, false);
    plan.start["quirks"] = description_.quirks;
    if (description_.player) {
        plan.start["player"] = player_to_json(*description_.player);
    }
    plan.start["went_on"] = description_.went_on;
    for (const auto& [name, executable] : description_.alternatives) {
        if (may_go_on_as(name)) {
            plan.start["alternatives"].push_back(name);
        }
    }
    plan.start["hold_when_gone"] = services_.recovery.grace.count() > 0;
    if (services_.drop_user) {
        plan.user = worker_user(description_.number);
    }
    plan.sandbox = &services_.sandbox;
    Worker::Events events;
    events.message = [this](const json& message) { on_message(message); };
    events.log_line = [this](const std::string& line) {
        log_.add(line);
        if (log_limit_.admits()) {
            log::info(description_.name + ": " + line);
        } else if (log_limit_.first_refused()) {
            log::warning(description_.name + ": its driver writes too much; the rest is in .control/" +
                         description_.name + "/log only");
        }
    };
    events.ended = [this](const std::string& how) { on_ended(how); };
    events.lingers = [this](std::chrono::milliseconds since_kill) { on_lingering(since_kill); };
    vault_->header().driver_started = 0;
    auto worker = Worker::create(services_.loop, plan, std::move(events));
    if (worker) {
        worker_ = std::move(*worker);
        killed_because_.clear();
        said_failed_ = false;
        launched_ = Deadline::Clock::now();
        last_pid_ = worker_->pid();
        sandbox_ = worker_->layers();
        watch_worker();
    } else {
        could_not_start(worker.error().text());
    }
}

void ManagedDevice::on_message(const json& message) {
    const auto type = message["type"].get<std::string>();
    const auto text = [&message](const char* field) { return text_of(message, field); };
    if (type == "ready" && !replacing_ && (state_ == State::starting || state_ == State::recovering)) {
        on_ready(message);
    } else if (type == "closing") {
        worker_->stop_later(stop_grace);
    } else if (type == "note") {
        note_ = line_of(text("text"));
        log::info(description_.name + ": " + state_text());
    } else if (type == "ejected" && state_ == State::ejecting) {
        on_ejected();
    } else if (type == "eject_failed" && state_ == State::ejecting) {
        eject_failed(text("stage") + ": " + text("detail"));
    } else if (type == "failed") {
        said_failed_ = true;
        last_error_ = text("stage") + ": " + text("detail");
        in_use_ = message.value("code", 0) == EBUSY && !description_.location.device_node.empty();
        // The driver is well, but this mount cannot go on.
        mount_anew_ = text("stage") == "vault" || text("stage") == "FUSE_INIT";
        log::error(description_.name + ": the driver could not start: " + last_error_);
        if (worker_) {
            worker_->stop(stop_grace);
        }
    } else if (type == "go_on_as") {
        go_on_as(text("name"));
    } else if (type == "failing") {
        replace_damaged("the driver fails everything that it is asked for");
    } else if (type == "gone" && (state_ == State::starting || state_ == State::running ||
                                  state_ == State::recovering || state_ == State::ejecting)) {
        // (In the other states it is known already, and timer_ is another's: the grace time's.)
        // Not from inside the worker's own callback: the answer may be to destroy it.
        services_.loop.cancel(timer_);
        timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] {
            timer_ = 0;
            leave();
        });
    }
}

void ManagedDevice::on_ready(const json& message) {
    driver_version_ = text_of(message, "version");
    failed_starts_ = early_ends_ = 0;
    take_ = false;
    start_watch_.end();
    note_sandbox(message);
    const bool recovered = state_ == State::recovering;
    set_state(State::running);
    emit_started(recovered ? "recovered" : "ready");
    if (eject_tries_ >= eject_limit) {
        eject_failed("eject: the driver died of it");
    } else if (eject_tries_ > 0) {
        ask_to_eject();
    }
}

bool ManagedDevice::eject() {
    if (state_ != State::running || !worker_ || replacing_) {
        return false;
    }
    eject_tries_ = 0;
    ask_to_eject();
    return true;
}

void ManagedDevice::ask_to_eject() {
    set_state(State::ejecting);
    emit("eject");
    ++eject_tries_;
    services_.loop.cancel(timer_);
    timer_ = services_.loop.after(eject_deadline, [this] {
        timer_ = 0;
        eject_failed("eject: no answer in time");
    });
    if (!worker_->tell({{"type", "eject"}})) {
        worker_->kill();
    }
}

void ManagedDevice::on_ejected() {
    services_.loop.cancel(timer_);
    timer_ = 0;
    eject_tries_ = 0;
    unmount_folder(ENODEV);
    // It is safe to unplug it when nobody holds it any more: see on_ended().
    ejected_ = true;
    worker_->stop(stop_grace);
}

void ManagedDevice::eject_failed(const std::string& why) {
    services_.loop.cancel(timer_);
    timer_ = 0;
    eject_tries_ = 0;
    last_error_ = why;
    emit("eject_failed", why);
    set_state(State::running);
}

}  // namespace plugfs
