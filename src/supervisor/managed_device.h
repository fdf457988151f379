// ManagedDevice: one device, from its folder's appearance to its end.
//
//   starting    the folder is mounted and a worker is on its way to serving it
//   running     the worker has said that it is ready
//   waiting     the worker has ended without being told to; the folder is unmounted and another start follows, later
//   each time failed      it has ended too often (5 times in 60 seconds): the folder is there and empty until the
//   device is plugged in anew stopping    unmounted; the worker has been told to close the device and to end stopped
//   nothing is left but the object
//
// The device's descriptor is opened anew for every worker, so the kernel cancels what the last one left in flight.
#pragma once

#include "common/event_log.h"
#include "common/identity.h"
#include "supervisor/endpoint.h"
#include "supervisor/log_ring.h"
#include "supervisor/manifest.h"
#include "supervisor/mount.h"
#include "supervisor/mount_root.h"
#include "supervisor/worker.h"

#include <deque>
#include <optional>
#include <string>

namespace plugfs {

// What all devices share; owned by the Supervisor, outlives them.
struct DeviceServices {
    EventLoop& loop;
    MountRoot& root;
    MountOptions mount_options;
    nlohmann::json start_message;  // the part that is the same for all
    std::string driver_directory;
    bool drop_user = false;                            // started as root: workers become users of their own
    std::function<void(const nlohmann::json&)> event;  // to .control/events
};

// Where the device is: a usbfs node under /dev, or an endpoint.
struct DeviceLocation {
    std::string device_node;  // absolute path; empty for a remote one
    std::optional<Endpoint> endpoint;
};

class ManagedDevice {
  public:
    enum class State : std::uint8_t { starting, running, waiting, failed, stopping, stopped };

    struct Description {
        unsigned number = 0;  // counts up over the supervisor's life; also gives the worker its user
        std::string name;     // folder
        std::string id;       // stable id
        DeviceIdentity identity;
        DeviceLocation location;
        std::string driver;  // the manifest's name
        std::string executable;
    };

    // `vanished` is called (from the event loop) when the worker says that the device has gone; `stopped` when stop()
    // is done.
    struct Events {
        std::function<void(ManagedDevice&)> vanished;
        std::function<void(ManagedDevice&)> stopped;
    };

    ManagedDevice(DeviceServices& services, Description description, Events events);
    ~ManagedDevice();
    ManagedDevice(const ManagedDevice&) = delete;
    ManagedDevice& operator=(const ManagedDevice&) = delete;

    // Makes the folder and the link and starts the first worker. An error: no folder could be made.
    Result<void> start();
    // Unmounts, has the worker close the device, removes the folder. Events::stopped follows.
    void stop();

    [[nodiscard]] const Description& description() const { return description_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::string state_text() const;  // the word above; for `failed` with the reason
    [[nodiscard]] pid_t pid() const { return worker_ ? worker_->pid() : 0; }
    [[nodiscard]] const std::string& driver_version() const { return driver_version_; }
    [[nodiscard]] unsigned restarts() const { return restarts_; }
    [[nodiscard]] const std::string& last_error() const { return last_error_; }
    [[nodiscard]] const LogRing& log() const { return log_; }

  private:
    void begin();
    Result<void> mount();
    void unmount_folder();
    void open_device();
    void launch_worker(UniqueFd device);
    void on_message(const nlohmann::json& message);
    void on_ended(const std::string& how);
    void restart_later(const std::string& why);
    void finish_stop();
    void set_state(State state);
    void emit(const std::string& event, const std::string& detail = {});

    DeviceServices& services_;
    Description description_;
    Events events_;
    State state_ = State::stopped;
    std::string folder_path_;
    UniqueFd fuse_;
    UniqueFd vault_fd_;
    std::optional<VaultMapping> vault_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<Worker> worker_;
    EventLoop::Timer timer_ = 0;
    std::deque<Deadline::Clock::time_point> ends_;  // of late
    unsigned restarts_ = 0;
    std::string driver_version_;
    std::string last_error_;
    LogRing log_;
};

}  // namespace plugfs
