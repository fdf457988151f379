#include "supervisor/managed_device.h"

#include "common/log.h"
#include "supervisor/mount_table.h"

#include <fcntl.h>

#include <array>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds stop_grace{3000};
constexpr std::size_t end_limit = 5;
constexpr std::chrono::seconds end_window{60};
constexpr std::array<std::chrono::milliseconds, 5> restart_delays = {
    {std::chrono::milliseconds(0), std::chrono::milliseconds(200), std::chrono::milliseconds(1000),
     std::chrono::milliseconds(3000), std::chrono::milliseconds(10000)}};
constexpr std::array state_words = {"starting", "running", "waiting", "failed", "stopping", "stopped"};

}  // namespace

ManagedDevice::ManagedDevice(DeviceServices& services, Description description, Events events)
    : services_(services), description_(std::move(description)), events_(std::move(events)) {}

ManagedDevice::~ManagedDevice() {
    services_.loop.cancel(timer_);
    worker_.reset();
    if (!folder_path_.empty()) {
        unmount_folder();
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

void ManagedDevice::set_state(State state) {
    state_ = state;
    log::info(description_.name + ": " + state_text());
}

std::string ManagedDevice::state_text() const {
    std::string text = state_words[static_cast<std::size_t>(state_)];
    if ((state_ == State::failed || state_ == State::waiting) && !last_error_.empty()) {
        text += ": " + last_error_;
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
    set_state(State::starting);
    if (const auto mounted = mount(); !mounted) {
        restart_later(mounted.error().text());
        return;
    }
    open_device();
}

Result<void> ManagedDevice::mount() {
    MountOptions options = services_.mount_options;
    options.subtype = "plugfs-" + description_.driver;
    PLUGFS_ASSIGN(fuse_, mount_fuse(folder_path_, options));
    PLUGFS_ASSIGN(vault_, VaultMapping::create(vault_fd_));
    PLUGFS_TRY(record_init(fuse_.get(), vault_->header()));
    // The mount table, not stat(2): that would ask the mount, which nobody serves yet.
    for (const auto& entry : mounts_below(folder_path_)) {
        widen_read_ahead(entry.major, entry.minor);
    }
    return {};
}

void ManagedDevice::unmount_folder() {
    if (fuse_) {
        if (const auto done = unmount(folder_path_); !done) {
            log::warning(done.error().text());
        }
        fuse_.reset();
    }
    vault_.reset();
    vault_fd_.reset();
}

void ManagedDevice::open_device() {
    const auto& location = description_.location;
    if (location.endpoint) {
        connector_ = std::make_unique<Connector>(services_.loop, *location.endpoint, [this](Result<UniqueFd> socket) {
            const auto keep = std::move(connector_);
            if (socket) {
                launch_worker(std::move(*socket));
            } else {
                restart_later(socket.error().text());
            }
        });
        return;
    }
    UniqueFd device(::open(location.device_node.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (device) {
        launch_worker(std::move(device));
        return;
    }
    std::string why = "open " + location.device_node + ": " + std::strerror(errno);
    if (errno == EACCES) {
        why += "; run plugfsd as root, or give your user access with a udev rule";
    }
    restart_later(why);
}

void ManagedDevice::launch_worker(UniqueFd device) {
    WorkerPlan plan;
    plan.label = description_.name;
    plan.executable = services_.driver_directory + "/" + description_.executable;
    plan.fuse = fuse_.get();
    plan.device = device.get();
    plan.vault = vault_fd_.get();
    plan.start = services_.start_message;
    plan.start["transport"] = description_.location.endpoint ? "usbredir" : "usbfs";
    if (services_.drop_user) {
        plan.user = worker_user(description_.number);
    }
    Worker::Events events;
    events.message = [this](const json& message) { on_message(message); };
    events.log_line = [this](const std::string& line) {
        log_.add(line);
        log::info(description_.name + ": " + line);
    };
    events.ended = [this](const std::string& how) { on_ended(how); };
    auto worker = Worker::create(services_.loop, plan, std::move(events));
    if (worker) {
        worker_ = std::move(*worker);
    } else {
        restart_later(worker.error().text());
    }
}

void ManagedDevice::on_message(const json& message) {
    const auto type = message["type"].get<std::string>();
    const auto text = [&message](const char* field) {
        const auto found = message.find(field);
        return found != message.end() && found->is_string() ? found->get<std::string>().substr(0, 500) : std::string();
    };
    if (type == "ready" && state_ == State::starting) {
        driver_version_ = text("version");
        set_state(State::running);
        emit("ready");
    } else if (type == "failed") {
        last_error_ = text("stage") + ": " + text("detail");
        log::error(description_.name + ": the driver could not start: " + last_error_);
        if (worker_) {
            worker_->stop(stop_grace);
        }
    } else if (type == "gone" && (state_ == State::running || state_ == State::starting)) {
        // Not from inside the worker's own callback: the answer may be to destroy it.
        services_.loop.cancel(timer_);
        timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] {
            timer_ = 0;
            events_.vanished(*this);
        });
    }
}

void ManagedDevice::on_ended(const std::string& how) {
    worker_.reset();
    if (state_ == State::stopping) {
        finish_stop();
        return;
    }
    ++restarts_;
    restart_later(last_error_.empty() || state_ == State::running ? "the driver ended: " + how : last_error_);
}

void ManagedDevice::restart_later(const std::string& why) {
    services_.loop.cancel(timer_);
    last_error_ = why;
    emit("crash", why);
    unmount_folder();
    const auto now = Deadline::Clock::now();
    ends_.push_back(now);
    while (ends_.front() + end_window < now) {
        ends_.pop_front();
    }
    if (ends_.size() >= end_limit) {
        set_state(State::failed);
        emit("failed", why);
        return;
    }
    set_state(State::waiting);
    timer_ = services_.loop.after(restart_delays[ends_.size() - 1], [this] { begin(); });
}

void ManagedDevice::stop() {
    if (state_ == State::stopping || state_ == State::stopped) {
        return;
    }
    set_state(State::stopping);
    services_.loop.cancel(timer_);
    connector_.reset();
    unmount_folder();
    if (worker_) {
        worker_->stop(stop_grace);
    } else {
        timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] { finish_stop(); });
    }
}

void ManagedDevice::finish_stop() {
    services_.root.remove_link(description_.id);
    services_.root.remove_folder(description_.name);
    folder_path_.clear();
    set_state(State::stopped);
    emit("detach");
    timer_ = services_.loop.after(std::chrono::milliseconds(0), [this] {
        timer_ = 0;
        events_.stopped(*this);
    });
}

}  // namespace plugfs
