#include "supervisor/supervisor.h"

#include "common/log.h"
#include "common/worker_contract.h"
#include "supervisor/player_descriptions.h"
#include "supervisor/sysfs.h"
#include "supervisor/usb_memory.h"

#include <sys/signalfd.h>

#include <algorithm>
#include <csignal>

namespace plugfs {

using nlohmann::json;

namespace {

constexpr const char* control_folder = ".control";
// Somewhat more than a worker may take to close its device.
constexpr std::chrono::milliseconds shutdown_deadline = Worker::stop_limit + std::chrono::seconds(5);
constexpr std::chrono::milliseconds look_again_delay{500};

}  // namespace

Supervisor::Supervisor(const Options& options) : options_(options), claims_(options.claims) {}

Result<std::unique_ptr<Supervisor>> Supervisor::create(const Options& options) {
    std::unique_ptr<Supervisor> self(new Supervisor(options));
    PLUGFS_TRY(self->set_up());
    return self;
}

Result<void> Supervisor::set_up() {
    PLUGFS_ASSIGN(loop_, EventLoop::create());
    PLUGFS_TRY(set_up_signals());
    PLUGFS_ASSIGN(manifests_, load_manifests(options_.manifest_directory));
    names_.emplace(options_.state_directory.empty() ? "" : options_.state_directory + "/names.json");
    PLUGFS_ASSIGN(root_, MountRoot::create(options_.mount_point));
    PLUGFS_TRY(set_up_control());
    const bool root = ::geteuid() == 0;
    sandbox_.emplace(options_.sandbox);
    services_.emplace(DeviceServices{*loop_,
                                     *root_,
                                     {},
                                     {},
                                     options_.driver_directory,
                                     root,
                                     [this](const json& event) { emit(event); },
                                     options_.recovery,
                                     options_.state_directory,
                                     *sandbox_,
                                     connections_});
    services_->mount_options.allow_other = options_.allow_other;
    services_->mount_options.read_only = options_.read_only;
    services_->start_message = {{"type", "start"},
                                {"version", worker::contract_version},
                                {"uid", options_.uid.value_or(::getuid())},
                                {"gid", options_.gid.value_or(::getgid())},
                                {"umask", options_.umask},
                                {"options", options_.driver_options},
                                {"log", options_.log_level == LogLevel::debug ? "debug" : "info"}};
    if (options_.local_devices) {
        services_->start_message["mapped_limit"] = mapped_share(raise_usb_memory_limit());
    }
    if (options_.demo_players > 0) {
        PLUGFS_ASSIGN(demo_, Demo::create(options_.demo_players));
    }
    set_up_hotplug();
    set_up_endpoints();
    return {};
}

Result<void> Supervisor::set_up_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        sigaddset(&set, signal);
    }
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
        return fail(errno, "sigprocmask");
    }
    (void)::signal(SIGPIPE, SIG_IGN);
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) {
        return fail(errno, "signalfd");
    }
    loop_->watch(signals_.get(), [this] { on_signal(); });
    return {};
}

Result<void> Supervisor::set_up_control() {
    PLUGFS_ASSIGN(const auto path, root_->add_folder(control_folder));
    MountOptions options;
    options.allow_other = options_.allow_other;
    options.read_only = false;
    options.subtype = "plugfs-control";
    auto fuse = mount_fuse(path, options);
    if (!fuse) {
        root_->remove_folder(control_folder);
        return fuse.error();
    }
    control_mounted_ = true;
    PLUGFS_ASSIGN(control_, ControlFs::create(std::move(*fuse), *loop_, *this, events_,
                                              {options_.uid.value_or(::getuid()), options_.gid.value_or(::getgid()),
                                               options_.gid.has_value(), options_.umask}));
    return {};
}

void Supervisor::set_up_hotplug() {
    if (!options_.local_devices) {
        return;
    }
    auto hotplug = Hotplug::create();
    if (hotplug) {
        hotplug_.emplace(std::move(*hotplug));
        loop_->watch(hotplug_->fd(), [this] {
            if (hotplug_->drain()) {
                reconcile();
            }
        });
    } else {
        log::warning(hotplug.error().text() + ": devices plugged in later will not be noticed");
    }
    reconcile();
}

void Supervisor::set_up_endpoints() {
    std::vector<Endpoint> endpoints = options_.endpoints;
    if (demo_) {
        endpoints.insert(endpoints.end(), demo_->endpoints().begin(), demo_->endpoints().end());
    }
    for (auto& endpoint : endpoints) {
        RemoteWatch::Settings settings;
        settings.probe = options_.driver_directory + "/plugfs-probe";
        settings.start_message = services_->start_message;
        if (services_->drop_user) {
            settings.user = worker_user(++last_number_);
        }
        settings.sandbox = &*sandbox_;
        remotes_.push_back(std::make_unique<RemoteWatch>(
            *loop_, std::move(endpoint), std::move(settings),
            [this](const Endpoint& where, const DeviceIdentity& identity) { return start_remote(where, identity); }));
    }
}

void Supervisor::run() {
    log::info("serving " + root_->path());
    emit({{"event", "start"}, {"path", root_->path()}});
    loop_->run();
}

void Supervisor::on_signal() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) {
        return;
    }
    if (info.ssi_signo == SIGHUP) {
        if (auto manifests = load_manifests(options_.manifest_directory)) {
            log::info("manifests read again");
            manifests_ = std::move(*manifests);
            without_driver_.clear();
            reconcile();
        }
        return;
    }
    shut_down();
}

void Supervisor::reconcile() {
    if (stopping_ || !options_.local_devices) {
        return;
    }
    const auto present = list_usb_devices();
    std::set<std::string> occurrences;
    for (const auto& device : present) {
        occurrences.insert(device.occurrence());
    }
    for (auto& [key, device] : devices_) {
        if (!device->description().location.endpoint && occurrences.count(key) == 0) {
            device->leave();
        }
    }
    claims_.forget_all_but(occurrences);
    std::erase_if(without_driver_, [&](const std::string& key) { return occurrences.count(key) == 0; });
    for (const auto& device : present) {
        const DeviceLocation location{"/dev/" + device.node(), std::nullopt, device.port};
        if (const auto served = devices_.find(device.occurrence()); served != devices_.end()) {
            // The worker was told that it is gone, and the kernel says that it is not.
            if (served->second->state() == ManagedDevice::State::away) {
                served->second->come_back(location);
            }
            continue;
        }
        // Without interfaces it is not configured yet; the kernel will say more.
        if (device.identity.interfaces.empty()) {
            continue;
        }
        const Manifest* manifest = choose_driver(manifests_, device.identity);
        if (manifest != nullptr && !may_take(device, *manifest)) {
            continue;
        }
        const bool known = start_device(device.occurrence(), device.identity, device.port, location);
        if (!known && without_driver_.insert(device.occurrence()).second) {
            log::info("no driver for " + stable_id(device.identity, device.port) + " " +
                      plugfs::quoted(device.identity.product));
        }
    }
}

bool Supervisor::may_take(const LocalDevice& device, const Manifest& manifest) {
    const auto answer = claims_.judge(device, manifest, Deadline::Clock::now());
    if (answer == ClaimJudge::Answer::later && claim_timer_ == 0) {
        claim_timer_ = loop_->after(ClaimJudge::look_again, [this] {
            claim_timer_ = 0;
            reconcile();
        });
    }
    return answer == ClaimJudge::Answer::yes;
}

bool Supervisor::start_remote(const Endpoint& endpoint, const DeviceIdentity& identity) {
    return !stopping_ && start_device(endpoint.text, identity, endpoint.text, {"", endpoint, ""});
}

bool Supervisor::start_device(const std::string& key, const DeviceIdentity& identity, const std::string& where,
                              DeviceLocation location) {
    const Manifest* manifest = choose_driver(manifests_, identity);
    if (manifest == nullptr) {
        return false;
    }
    std::string id = stable_id(identity, where);
    // The same device, plugged in again before its folder went? (Not if another driver is for it by now.)
    const auto away = std::find_if(devices_.begin(), devices_.end(), [&](const auto& item) {
        return item.second->state() == ManagedDevice::State::away && item.second->description().id == id &&
               item.second->description().driver == manifest->name;
    });
    if (away != devices_.end()) {
        auto node = devices_.extract(away);
        node.key() = key;
        devices_.insert(std::move(node)).position->second->come_back(std::move(location));
        return true;
    }
    if (const auto other = devices_.find(key); other != devices_.end()) {
        other->second->stop();  // in its place is another device now, which is looked at again when it has stopped
        return false;
    }
    // Two devices may lie that they are the same one: the place tells them apart.
    if (std::any_of(devices_.begin(), devices_.end(),
                    [&](const auto& item) { return item.second->description().id == id; })) {
        id = stable_id({.vendor_id = identity.vendor_id, .product_id = identity.product_id},
                       identity.serial_number + "@" + where);
    }
    ManagedDevice::Description description;
    description.number = ++last_number_;
    description.name = names_->name_for(id, identity.product);
    description.id = id;
    description.identity = identity;
    description.location = std::move(location);
    description.driver = manifest->name;
    description.executable = manifest->executable;
    description.alternatives = manifest->alternatives;
    description.quirks = quirks_for(*manifest, identity);
    description.player = find_player_description(options_.player_directory, identity);
    description.drives = [manifest = *manifest](const InterfaceIdentity& interface) {
        return is_for(manifest, interface);
    };
    auto device = std::make_unique<ManagedDevice>(
        *services_, std::move(description),
        ManagedDevice::Events{[this](ManagedDevice& left) { device_left(left); },
                              [this](ManagedDevice& gone) { device_vanished(gone); },
                              [this](ManagedDevice& stopped) { device_stopped(stopped); }});
    if (const auto started = device->start(); !started) {
        log::error(started.error().text());
        return false;
    }
    devices_[key] = std::move(device);
    return true;
}

void Supervisor::device_left(ManagedDevice& device) {
    if (device.description().location.endpoint) {
        look_for(*device.description().location.endpoint);
    } else {
        loop_->after(look_again_delay, [this] { reconcile(); });
    }
}

void Supervisor::look_for(const Endpoint& endpoint) {
    for (const auto& remote : remotes_) {
        if (remote->endpoint().text == endpoint.text) {
            remote->device_gone();
        }
    }
}

void Supervisor::device_vanished(ManagedDevice& device) {
    // Whether or not the kernel has noticed: this occurrence is over. If the device is there after all, it is found
    // anew.
    device.stop();
    loop_->after(look_again_delay, [this] { reconcile(); });
}

void Supervisor::device_stopped(ManagedDevice& device) {
    const auto found =
        std::find_if(devices_.begin(), devices_.end(), [&](const auto& item) { return item.second.get() == &device; });
    if (found == devices_.end()) {
        return;
    }
    const auto endpoint = device.description().location.endpoint;
    devices_.erase(found);
    if (stopping_) {
        if (devices_.empty()) {
            loop_->quit();
        }
        return;
    }
    if (endpoint) {
        look_for(*endpoint);
    } else {
        reconcile();
    }
}

void Supervisor::shut_down() {
    if (stopping_) {
        return;
    }
    stopping_ = true;
    log::info("stopping");
    remotes_.clear();
    for (auto& [key, device] : devices_) {
        device->stop();
    }
    if (devices_.empty()) {
        loop_->quit();
    }
    loop_->after(shutdown_deadline, [this] { loop_->quit(); });
}

Supervisor::~Supervisor() {
    remotes_.clear();
    devices_.clear();
    demo_.reset();
    control_.reset();
    if (control_mounted_) {
        if (const auto done = unmount(root_->path() + "/" + control_folder); !done) {
            log::warning(done.error().text());
        }
        root_->remove_folder(control_folder);
    }
}

void Supervisor::emit(const json& event) {
    events_.append(event.dump(-1, ' ', false, json::error_handler_t::replace));
    if (control_) {
        control_->events_grew();
    }
}

}  // namespace plugfs
