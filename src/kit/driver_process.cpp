#include "kit/driver_process.h"

#include "common/log.h"
#include "common/player_json.h"
#include "common/worker_contract.h"

#include <fcntl.h>
#include <poll.h>

#include <nlohmann/json.hpp>

#include <array>

namespace plugfs::kit {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds usbredir_deadline{10};
// The heartbeat in the vault goes up at least this often.
constexpr int heartbeat_ms = 250;
constexpr std::size_t note_limit = 500;
constexpr std::chrono::milliseconds closing_interval{500};

Result<std::unique_ptr<usb::Backend>> open_device(const std::string& transport, std::size_t mapped_limit) {
    UniqueFd device(worker::device_fd);
    if (transport == "usbfs") {
        return usb::open_libusb(std::move(device), mapped_limit);
    }
    if (transport == "usbredir") {
        return usb::open_usbredir(std::move(device), Deadline::after(usbredir_deadline));
    }
    return fail(EPROTO, "start message", "transport " + plugfs::quoted(transport));
}

}  // namespace

// With -o require_sandbox nothing runs that lacks a layer.
Result<void> DriverProcess::check_layers() const {
    for (const auto& layer : layers_) {
        if (require_sandbox_ && !layer.held()) {
            return fail(EPERM, "lockdown: " + layer.name, layer.status + ", and -o require_sandbox was given");
        }
    }
    return {};
}

Result<void> DriverProcess::set_up(const json& start, const DriverFactory& create) {
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
    const auto open = [transport = start.value("transport", ""),
                       mapped_limit = start.value("mapped_limit", usb::usual_mapped_limit)] {
        return open_device(transport, mapped_limit);
    };
    device_->start(open, create,
                   {start.value("quirks", NamedNumbers()), start.value("options", NamedNumbers()),
                    player_from_json(start.value("player", json())), lasting ? worker::lasting_fd : -1,
                    start.value("alternatives", std::vector<std::string>())},
                   [this](usb::Backend& backend) -> Result<void> {
                       PLUGFS_ASSIGN(const auto more, tighten(&backend));
                       layers_.insert(layers_.end(), more.begin(), more.end());
                       vault_->header().driver_started = 1;
                       return check_layers();
                   });
    PLUGFS_TRY(session_->begin(start.value("one_by_one", false), start.value("ask_again", false)));
    filesystem_->have_attributes_forgotten();
    return {};
}

void DriverProcess::close_device() {
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

void DriverProcess::on_state(const Error* error) {
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

void DriverProcess::report(const Error& error, const char* type) {
    (void)channel_.send({{"type", type}, {"code", error.code}, {"stage", error.stage}, {"detail", error.detail}});
}

Result<bool> DriverProcess::handle_messages() {
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

Result<void> DriverProcess::serve() {
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
        const int count = ::poll(ready.data(), ready.size(), heartbeat_ms);
        if (count < 0 && errno != EINTR) {
            return fail(errno, "poll");
        }
        if (count > 0) {
            freed_memory_.used(FreedMemory::Clock::now());
        } else {
            (void)freed_memory_.idle(FreedMemory::Clock::now());
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

}  // namespace plugfs::kit
