// run_driver(): a worker's life, from the first line of main() to its exit.
//
//   locked down -> told what to serve (start) -> vault mapped, session begun -> serving -> told to stop, or unmounted
//   -> device closed
//
// Two threads do the work: this one speaks FUSE, the device thread runs the driver; a third tells the kernel about
// changes.

#include "common/channel.h"
#include "common/log.h"
#include "common/player_json.h"
#include "common/worker_contract.h"
#include "kit/crash_handler.h"
#include "kit/filesystem.h"
#include "kit/lockdown.h"
#include "kit/spool_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace plugfs {

namespace {

using namespace kit;
using nlohmann::json;

constexpr std::chrono::seconds start_deadline{30};
constexpr std::chrono::seconds usbredir_deadline{10};
// The heartbeat in the vault goes up at least this often.
constexpr int heartbeat_ms = 250;
constexpr std::size_t note_limit = 500;
constexpr std::chrono::milliseconds closing_interval{500};

bool started_by_supervisor() {
    int type = 0;
    socklen_t length = sizeof type;
    return ::getsockopt(worker::control_fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

Result<json> wait_for_start(Channel& channel) {
    const auto deadline = Deadline::after(start_deadline);
    while (!deadline.expired()) {
        pollfd ready{channel.fd(), POLLIN, 0};
        if (::poll(&ready, 1, deadline.remaining_ms()) < 0 && errno != EINTR) {
            return fail(errno, "poll");
        }
        PLUGFS_ASSIGN(auto message, channel.receive());
        if (!message) {
            continue;
        }
        if ((*message)["type"] != "start" || message->value("version", 0) != worker::contract_version) {
            return fail(EPROTO, "start message", "supervisor and driver are of different versions");
        }
        return std::move(*message);
    }
    return fail(ETIMEDOUT, "start message");
}

Result<std::unique_ptr<usb::Backend>> open_device(const std::string& transport) {
    UniqueFd device(worker::device_fd);
    if (transport == "usbfs") {
        return usb::open_libusb(std::move(device));
    }
    if (transport == "usbredir") {
        return usb::open_usbredir(std::move(device), Deadline::after(usbredir_deadline));
    }
    return fail(EPROTO, "start message", "transport " + plugfs::quoted(transport));
}

// All parts of a worker, in the order in which they depend on each other.
class Worker {
  public:
    Worker(Channel channel, DriverInfo info, SandboxLayers layers)
        : channel_(std::move(channel)), info_(info), layers_(std::move(layers)) {}

    Result<void> set_up(const json& start, const DriverFactory& create);
    Result<void> serve();
    void close_device();
    void report(const Error& error, const char* type = "failed") {
        (void)channel_.send({{"type", type}, {"code", error.code}, {"stage", error.stage}, {"detail", error.detail}});
    }

  private:
    [[nodiscard]] Result<void> check_layers() const;
    void on_state(const Error* error);
    // False when told to stop.
    Result<bool> handle_messages();

    Channel channel_;
    DriverInfo info_;
    SandboxLayers layers_;  // the device thread adds to it before it says that the driver has started
    bool require_sandbox_ = false;
    bool said_failing_ = false;
    std::optional<VaultMapping> vault_;
    std::optional<NodeLog> node_log_;
    std::optional<OperationLog> operations_;
    std::unique_ptr<DeviceQueue> queue_;
    std::unique_ptr<Mailbox> mailbox_;
    std::unique_ptr<Filesystem> filesystem_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<Notifier> notifier_;
    std::unique_ptr<SpoolFile> spool_;
    std::unique_ptr<DeviceThread> device_;
};

// With -o require_sandbox nothing runs that lacks a layer.
Result<void> Worker::check_layers() const {
    for (const auto& layer : layers_) {
        if (require_sandbox_ && !layer.held()) {
            return fail(EPERM, "lockdown: " + layer.name, layer.status + ", and -o require_sandbox was given");
        }
    }
    return {};
}

Result<void> Worker::set_up(const json& start, const DriverFactory& create) {
    require_sandbox_ = start.value("require_sandbox", false);
    PLUGFS_TRY(check_layers());
    bool locked = false;
    PLUGFS_ASSIGN(vault_, VaultMapping::open(worker::vault_fd, locked));
    if (!locked) {
        log::warning("vault: could not be locked in memory (RLIMIT_MEMLOCK); a crash may cost a request");
    }
    PLUGFS_ASSIGN(queue_, DeviceQueue::create());
    PLUGFS_ASSIGN(mailbox_, Mailbox::create());
    const Ownership ownership{start.value("uid", 0U), start.value("gid", 0U), start.value("umask", 022U)};
    filesystem_ = std::make_unique<Filesystem>(*queue_, *mailbox_, ownership);
    if (start.value("hold_when_gone", false)) {
        filesystem_->hold_when_gone();
    }
    if (start.value("went_on", false)) {
        filesystem_->expect_more();
    }
    node_log_.emplace(*vault_);
    operations_.emplace(*vault_);
    PLUGFS_TRY(filesystem_->restore(*node_log_, *operations_, vault_->header()));
    filesystem_->on_state = [this](const Error* error) { on_state(error); };
    filesystem_->on_note = [this](const std::string& text) {
        (void)channel_.send({{"type", "note"}, {"text", text.substr(0, note_limit)}});
    };
    filesystem_->on_go_on_as = [this](const std::string& alternative) {
        (void)channel_.send({{"type", "go_on_as"}, {"name", alternative}});
    };
    filesystem_->on_ejected = [this](const Result<void>& result) {
        if (result) {
            (void)channel_.send({{"type", "ejected"}});
        } else {
            report(result.error(), "eject_failed");
        }
    };
    PLUGFS_ASSIGN(session_,
                  Session::create(UniqueFd(worker::fuse_fd), *vault_, Filesystem::operations(), filesystem_.get()));
    PLUGFS_ASSIGN(spool_, SpoolFile::create(UniqueFd(worker::spool_fd)));
    notifier_ = std::make_unique<Notifier>(*session_, vault_->header().notifying);
    filesystem_->connect(*session_, *notifier_);
    device_ = std::make_unique<DeviceThread>(*queue_, *mailbox_, *filesystem_, *spool_,
                                             vault_->header().device_heartbeat, vault_->header().device_busy);
    vault_->header().driver_started = 0;
    const bool lasting = ::fcntl(worker::lasting_fd, F_GETFD) >= 0;
    device_->start([transport = start.value("transport", "")] { return open_device(transport); }, create,
                   {start.value("quirks", NamedNumbers()), start.value("options", NamedNumbers()),
                    player_from_json(start.value("player", json())), lasting ? worker::lasting_fd : -1,
                    start.value("alternatives", std::vector<std::string>())},
                   [this](usb::Backend& backend) -> Result<void> {
                       PLUGFS_ASSIGN(const auto more, tighten(&backend));
                       layers_.insert(layers_.end(), more.begin(), more.end());
                       vault_->header().driver_started = 1;
                       return check_layers();
                   });
    return session_->begin(start.value("one_by_one", false), start.value("ask_again", false));
}

// As long as the driver is at work with the device, the supervisor is told to wait for it.
void Worker::close_device() {
    if (device_ == nullptr) {
        return;
    }
    std::uint64_t last = 0;
    while (!device_->end(closing_interval)) {
        const std::uint64_t now = vault_->header().device_heartbeat.load();
        if (std::exchange(last, now) != now) {
            (void)channel_.send({{"type", "closing"}});
        }
    }
    device_.reset();
}

void Worker::on_state(const Error* error) {
    if (error == nullptr) {
        json layers = json::object();
        for (const auto& layer : layers_) {
            layers[layer.name] = layer.status;
        }
        (void)channel_.send(
            {{"type", "ready"}, {"driver", info_.name}, {"version", info_.version}, {"sandbox", layers}});
    } else if (error->code == ENODEV) {
        (void)channel_.send({{"type", "gone"}});
    } else {
        report(*error);
    }
}

Result<bool> Worker::handle_messages() {
    while (true) {
        PLUGFS_ASSIGN(const auto message, channel_.receive());
        if (!message) {
            return true;
        }
        if ((*message)["type"] == "stop") {
            return false;
        }
        if ((*message)["type"] == "eject") {
            device_->eject();
            continue;
        }
        log::warning("unknown message from the supervisor: " + plugfs::quoted(message->dump()));
    }
}

Result<void> Worker::serve() {
    while (true) {
        vault_->header().heartbeat.fetch_add(1, std::memory_order_relaxed);
        session_->go_on_with_trial();
        if (session_->fails_everything() && !std::exchange(said_failing_, true)) {
            (void)channel_.send({{"type", "failing"}});
        }
        filesystem_->look_at_clock();
        std::array<pollfd, 3> ready = {{{channel_.fd(), POLLIN, 0},
                                        {mailbox_->fd(), POLLIN, 0},
                                        {session_->can_take() ? session_->fd() : -1, POLLIN, 0}}};
        if (::poll(ready.data(), ready.size(), heartbeat_ms) < 0 && errno != EINTR) {
            return fail(errno, "poll");
        }
        if (ready[0].revents != 0) {
            PLUGFS_ASSIGN(const bool go_on, handle_messages());
            if (!go_on) {
                return {};
            }
        }
        if (ready[1].revents != 0) {
            mailbox_->run_all();
        }
        if (ready[2].revents != 0) {
            const auto served = session_->serve();
            filesystem_->answer_interrupted();
            if (!served) {
                // ENODEV: unmounted, which ends a worker in good order.
                return served.error().code == ENODEV ? Result<void>() : served;
            }
        }
    }
}

int live(const DriverInfo& info, const DriverFactory& create) {
    // Started by descriptor, the process would show up under that number in ps.
    (void)::prctl(PR_SET_NAME, ("plugfs-" + std::string(info.name)).c_str(), 0, 0, 0);
    install_crash_handler();
    auto layers = lock_down();
    Channel channel{UniqueFd(worker::control_fd)};
    if (!layers) {
        log::error(layers.error().text());
        (void)channel.send({{"type", "failed"},
                            {"code", layers.error().code},
                            {"stage", layers.error().stage},
                            {"detail", layers.error().detail}});
        return 1;
    }
    auto start = wait_for_start(channel);
    if (!start) {
        log::error(start.error().text());
        return 1;
    }
    LogLevel level = LogLevel::info;
    (void)log::parse_level(start->value("log", "info"), level);
    log::set_up(info.name, level);
    Worker worker(std::move(channel), info, std::move(*layers));
    auto status = worker.set_up(*start, create);
    if (!status) {
        worker.report(status.error());
    } else {
        status = worker.serve();
    }
    if (!status) {
        log::error(status.error().text());
    }
    worker.close_device();
    std::fflush(nullptr);
    // Not through the destructors: the notifier may stand in the kernel, waiting for a request that will not be
    // answered any more.
    ::_exit(status ? 0 : 1);
}

}  // namespace

namespace {

// Devices and volumes give local times. Without TZ the C library reads the zone's file again at every use, which it
// cannot once we are locked down, and takes UTC; a zone that has a name it reads once.
void keep_time_zone() {
    (void)::setenv("TZ", ":/etc/localtime", 0);
    ::tzset();
}

}  // namespace

int run_driver(int argc, char** argv, const DriverInfo& info, const DriverFactory& create) {
    log::set_up(info.name, LogLevel::info);
    if (argc > 1 || !started_by_supervisor()) {
        (void)argv;
        std::printf("%s %s: a plugfs driver. plugfsd(8) starts it for a device; it does nothing by itself.\n",
                    std::string(info.name).c_str(), std::string(info.version).c_str());
        return argc > 1 ? 2 : 0;
    }
    keep_time_zone();
    try {
        return live(info, create);
    } catch (const std::exception& error) {
        log::error(std::string("ended by an exception: ") + error.what());
        return 1;
    }
}

}  // namespace plugfs
