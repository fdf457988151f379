// ManagedDevice: one device, from its folder's appearance to its end.
//
//   starting     the folder is mounted and the first worker is on its way to serving it
//   running      the worker has said that it is ready
//   recovering   the worker has crashed, was killed because it hung, or is being replaced: the mount stays, and a
//                successor is on its way to taking it over; requests wait
//   away         the device is unplugged: the mount stays for a grace time, requests wait, in case it comes back
//   waiting      the folder is not mounted; another start follows, later each time
//   quarantined  the worker has crashed too often: the folder is there and empty until somebody says restart(), or the
//                device is plugged in anew
//   ejecting     the worker has been told to get the device ready to be unplugged; it still serves
//   ejected      that is done: not mounted, no worker; until it is unplugged, or somebody says restart()
//   stopping     unmounted; the worker has been told to close the device and to end
//   stopped      nothing is left but the object
//
// After a crash in running or recovering the way down is: takeover by a successor; where that cannot be, the folder is
// mounted anew (what was open fails, the next open works); quarantine. Requests never wait for longer than that takes:
// whatever ends the takeover answers them.
//
// The device's descriptor is opened anew for every worker, so the kernel cancels what the last one left in flight. The
// interfaces that the driver is for are taken from the kernel's drivers then (the claim policy has allowed it), and
// given back when the device is let go.
#pragma once

#include "common/event_log.h"
#include "common/identity.h"
#include "supervisor/endpoint.h"
#include "supervisor/life_watch.h"
#include "supervisor/log_limit.h"
#include "supervisor/log_ring.h"
#include "supervisor/manifest.h"
#include "supervisor/mount.h"
#include "supervisor/mount_root.h"
#include "supervisor/pending_requests.h"
#include "supervisor/recovery_options.h"
#include "supervisor/request_watch.h"
#include "supervisor/root_watch.h"
#include "supervisor/start_watch.h"
#include "supervisor/worker.h"

#include <plugfs/player.h>

#include <deque>
#include <optional>
#include <set>
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
    RecoveryOptions recovery;
    std::string state_directory;  // for crash reports
    const Sandbox& sandbox;
    const FuseConnections& connections;
};

// Where the device is: a usbfs node under /dev, or an endpoint.
struct DeviceLocation {
    std::string device_node;  // absolute path; empty for a remote one
    std::optional<Endpoint> endpoint;
    std::string port;  // sysfs: "1-1.2"; empty for a remote one
};

class ManagedDevice {
  public:
    enum class State : std::uint8_t {
        starting,
        running,
        recovering,
        away,
        waiting,
        quarantined,
        ejecting,
        ejected,
        stopping,
        stopped
    };

    struct Description {
        unsigned number = 0;  // counts up over the supervisor's life; also gives the worker its user
        std::string name;     // folder
        std::string id;       // stable id
        DeviceIdentity identity;
        DeviceLocation location;
        std::string driver;  // the manifest's name
        std::string executable;
        std::map<std::string, std::string> alternatives;  // the manifest's
        bool went_on = false;                             // the executable is one of these
        std::map<std::string, std::int64_t> quirks;
        std::optional<PlayerDescription> player;
        std::function<bool(const InterfaceIdentity&)> drives;  // whether the driver is for this interface
    };

    // All are called from the event loop. `left`: the worker says that the device has gone, and it is waited for;
    // `vanished`: it has not come back in time; `stopped`: stop() is done.
    struct Events {
        std::function<void(ManagedDevice&)> left;
        std::function<void(ManagedDevice&)> vanished;
        std::function<void(ManagedDevice&)> stopped;
    };

    ManagedDevice(DeviceServices& services, Description description, Events events);
    ~ManagedDevice();
    ManagedDevice(const ManagedDevice&) = delete;
    ManagedDevice& operator=(const ManagedDevice&) = delete;

    // Makes the folder and the link and starts the first worker. An error: no folder could be made.
    Result<void> start();
    // The device is unplugged: waits for come_back() for the grace time.
    void leave();
    // It is there again, perhaps under another node: a successor takes over. Only while away.
    void come_back(DeviceLocation location);
    // Replaces the worker, with open files and requests going on; or begins again when quarantined, waiting or ejected.
    // False: not now, the device is on its way from one state to another.
    bool restart();
    // The same while another program has the device: it is taken from it. A start that is on its way and finds another
    // program there is followed by one that takes it.
    bool take();
    // Gets the device ready to be unplugged. False: not now.
    bool eject();
    // Unmounts, has the worker close the device, removes the folder. Events::stopped follows.
    void stop();

    [[nodiscard]] const Description& description() const { return description_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::string state_text() const;  // the word above, and why, or the driver's note
    [[nodiscard]] pid_t pid() const { return worker_ ? worker_->pid() : 0; }
    [[nodiscard]] const std::string& driver_version() const { return driver_version_; }
    [[nodiscard]] unsigned restarts() const { return restarts_; }
    [[nodiscard]] const std::string& last_error() const { return last_error_; }
    // The last crash as JSON; empty: there was none.
    [[nodiscard]] const std::string& last_crash() const { return last_crash_; }
    [[nodiscard]] const LogRing& log() const { return log_; }
    // The layers that hold for its worker, and those that do not.
    [[nodiscard]] const SandboxLayers& sandbox() const { return sandbox_; }

  private:
    void begin();
    Result<void> mount();
    // Whoever waits gets `error`.
    void unmount_folder(int error);
    void open_device();
    Result<void> take_from_kernel(int device);
    void take_from_programs(int device);
    void give_back_to_kernel();
    void launch_worker(UniqueFd device);
    void on_message(const nlohmann::json& message);
    void note_sandbox(const nlohmann::json& message);
    void on_ready(const nlohmann::json& message);
    void ask_to_eject();
    void on_ejected();
    void eject_failed(const std::string& why);
    void on_ended(const std::string& how);
    void crashed(const std::string& why);
    void report_crash(const std::string& why);
    void take_over(std::chrono::milliseconds delay);
    [[nodiscard]] bool can_take_over() const;
    void could_not_start(const std::string& why);
    void wait_for_others();
    std::chrono::milliseconds next_delay();
    void quarantine(const std::string& why);
    [[nodiscard]] bool too_many_ends();
    void on_hang(const std::string& how);
    void end_watches();
    void watch_requests();
    void on_lost_request(RequestWatch::Lost lost);
    void mount_anew(const std::string& why);
    void on_lingering(std::chrono::milliseconds since_kill);
    void watch_worker();
    void replace_damaged(const std::string& why);
    [[nodiscard]] bool may_go_on_as(const std::string& alternative) const;
    void go_on_as(const std::string& alternative);
    void finish_stop();
    void set_state(State state);
    void emit(const std::string& event, const std::string& detail = {});
    void emit_started(const std::string& event);

    DeviceServices& services_;
    Description description_;
    Events events_;
    State state_ = State::stopped;
    std::string folder_path_;
    UniqueFd fuse_;
    UniqueFd vault_fd_;
    UniqueFd spool_;
    UniqueFd lasting_memory_;
    std::optional<VaultMapping> vault_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<Worker> worker_;
    std::optional<PendingRequests> requests_;
    EventLoop::Timer timer_ = 0;
    LifeWatch life_;
    StartWatch start_watch_;
    RequestWatch lost_requests_;
    RootWatch root_watch_;
    unsigned connection_ = 0;   // of the mount, in fusectl
    bool ask_again_ = false;    // the next worker is to have the kernel give its requests out again
    bool said_failed_ = false;  // the worker could not start, and said why
    bool in_use_ = false;       // because another program has the device
    std::deque<Deadline::Clock::time_point> damaged_;  // workers that were replaced without a crash, of late
    Deadline::Clock::time_point launched_;             // the worker
    unsigned failed_starts_ = 0;                       // in a row
    unsigned lost_in_a_row_ = 0;                       // requests, by one worker after the other
    bool take_ = false;                                // the next worker's device is taken from who has it
    bool one_by_one_ = false;                          // the next worker is to try what is pending one by one
    bool mount_anew_ = false;                          // this mount cannot be gone on with
    bool replacing_ = false;                           // the worker's end was asked for by restart()
    bool ejected_ = false;                             // the worker has said so, and is to end
    unsigned eject_tries_ = 0;                         // workers that have been asked to eject it; 0: not wanted
    unsigned early_ends_ = 0;                          // successors that ended before their driver had started
    unsigned restarts_ = 0;
    std::set<unsigned> taken_;  // interfaces, from the kernel's drivers
    std::string note_;          // of the worker, or about it
    std::string killed_because_;
    std::deque<Deadline::Clock::time_point> ends_;  // of late
    std::string driver_version_;
    std::string last_error_;
    std::string last_crash_;
    pid_t last_pid_ = 0;
    LogRing log_;
    LogLimit log_limit_;
    SandboxLayers sandbox_;
};

}  // namespace plugfs
