// Supervisor: brings what runs in line with what is plugged in.
//
// One reconcile loop: whenever something may have changed (a uevent, an endpoint that answers, a device that vanished),
// the devices that should be served are compared with those that are, and the difference is started or stopped. It owns
// everything, runs on one thread, and parses nothing that a device said.
#pragma once

#include "supervisor/claim_policy.h"
#include "supervisor/control_fs.h"
#include "supervisor/demo.h"
#include "supervisor/device_names.h"
#include "supervisor/hotplug.h"
#include "supervisor/managed_device.h"
#include "supervisor/options.h"
#include "supervisor/remote_watch.h"

#include <map>
#include <memory>
#include <optional>
#include <set>

namespace plugfs {

class Supervisor : public ControlSource {
  public:
    // Everything mounted and listening. An error names what could not be set up.
    static Result<std::unique_ptr<Supervisor>> create(const Options& options);
    ~Supervisor() override;
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    // Serves until SIGTERM or SIGINT, then takes everything down.
    void run();

    [[nodiscard]] std::vector<Device> control_devices() const override;
    [[nodiscard]] std::string control_content(unsigned number, ControlFile file) const override;
    int control_command(unsigned number, ControlFile file, std::string_view text) override;

  private:
    explicit Supervisor(const Options& options);
    Result<void> set_up();
    Result<void> set_up_control();
    Result<void> set_up_signals();
    void set_up_hotplug();
    void set_up_endpoints();
    void on_signal();
    void reconcile();
    // Whether the claim policy lets us have it now; if perhaps later, it is looked at again.
    bool may_take(const LocalDevice& device, const Manifest& manifest);
    bool start_remote(const Endpoint& endpoint, const DeviceIdentity& identity);
    // `key` tells one plugging-in from the next: an occurrence of a local device, or an endpoint.
    bool start_device(const std::string& key, const DeviceIdentity& identity, const std::string& where,
                      DeviceLocation location);
    void device_left(ManagedDevice& device);
    void device_vanished(ManagedDevice& device);
    void look_for(const Endpoint& endpoint);
    void device_stopped(ManagedDevice& device);
    void shut_down();
    void emit(const nlohmann::json& event);
    [[nodiscard]] ManagedDevice* find(unsigned number) const;

    Options options_;
    EventLog events_;
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<MountRoot> root_;
    std::unique_ptr<ControlFs> control_;
    bool control_mounted_ = false;
    UniqueFd signals_;
    std::optional<Hotplug> hotplug_;
    std::vector<Manifest> manifests_;
    std::optional<DeviceNames> names_;
    std::optional<Sandbox> sandbox_;
    ClaimJudge claims_;
    EventLoop::Timer claim_timer_ = 0;
    FuseConnections connections_;
    std::optional<DeviceServices> services_;
    std::unique_ptr<Demo> demo_;
    std::vector<std::unique_ptr<RemoteWatch>> remotes_;
    std::map<std::string, std::unique_ptr<ManagedDevice>> devices_;
    std::set<std::string> without_driver_;  // occurrences that were logged
    unsigned last_number_ = 0;
    bool stopping_ = false;
};

}  // namespace plugfs
