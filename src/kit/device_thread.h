// DeviceThread: where the driver lives. One thread that opens the device, starts the driver and runs its jobs one at a
// time; between jobs it hands the driver the packets that have arrived and lets it keep house.
//
// What the driver reports goes through the mailbox to the FUSE thread, which owns everything that users see.
#pragma once

#include "kit/device_queue.h"
#include "kit/mailbox.h"
#include "usb/backend.h"

#include <plugfs/driver.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace plugfs::kit {

// What a driver says of itself when it has started.
struct DriverTraits {
    std::size_t read_size = 0;
    bool writable = false;
    bool controls = false;
    bool attributes = false;
    bool tracks = false;
};

// What the FUSE thread wants to hear; all functions are called there.
class DeviceEvents {
  public:
    virtual ~DeviceEvents() = default;
    virtual void device_started(const DriverTraits& traits) = 0;
    virtual void device_failed(const Error& error) = 0;  // it could not be opened, or the driver could not start
    virtual void device_gone() = 0;                      // ENODEV; the thread has ended
    virtual void device_added(Key folder, const Entry& entry) = 0;
    virtual void device_removed(Key key) = 0;
    virtual void device_changed(const Entry& entry) = 0;
    virtual void device_list_again(Key folder) = 0;
    virtual void device_control_changed(const std::string& name) = 0;
    virtual void device_controls_changed() = 0;
    virtual void device_attributes_changed(Key file) = 0;
    virtual void device_shows_tracks() = 0;
    virtual void device_described(std::string json) = 0;
    virtual void device_event(const std::string& json) = 0;
    virtual void device_noted(const std::string& text) = 0;
    virtual void device_goes_on_as(const std::string& alternative) = 0;  // Host::go_on_as()
    virtual void device_ejected(const Result<void>& result) = 0;         // an answer to DeviceThread::eject()
};

// See Host::quirk() and Host::option().
using NamedNumbers = std::map<std::string, std::int64_t>;
// What a driver is told about its device and by its user, and what it is given besides the device.
struct DriverSettings {
    NamedNumbers quirks;
    NamedNumbers options;
    std::optional<PlayerDescription> player;
    int lasting_memory = -1;                     // descriptor, or -1; owned by somebody else
    std::vector<std::string> alternatives = {};  // Host::may_go_on_as()
};
using OpenDevice = std::function<Result<std::unique_ptr<usb::Backend>>()>;
// Called on the device thread when the driver has started, before anybody learns of it.
using AfterStart = std::function<Result<void>(usb::Backend&)>;

class DeviceThread {
  public:
    // All must outlive this. `spool` is the driver's. `heartbeat` counts up while the thread is alive: with every turn,
    // and while it waits. `busy` is 1 while it starts the driver or runs a job.
    DeviceThread(DeviceQueue& queue, Mailbox& mailbox, DeviceEvents& events, Spool& spool,
                 std::atomic<std::uint64_t>& heartbeat, std::atomic<std::uint32_t>& busy);
    // Ends the thread after the job under way; the driver closes the device.
    ~DeviceThread();
    DeviceThread(const DeviceThread&) = delete;
    DeviceThread& operator=(const DeviceThread&) = delete;

    void start(OpenDevice open, DriverFactory create, DriverSettings settings, AfterStart after_start = {});
    // Ends the thread after the job under way, as the destructor does, but waits for it only so long: false, it goes on
    // (the driver may have much to bring to the device).
    [[nodiscard]] bool end(std::chrono::milliseconds wait);
    // Has the driver eject the device when what waits for it is done; after that the thread ends.
    void eject();

  private:
    class DriverHost;
    void run(const OpenDevice& open, const DriverFactory& create, const AfterStart& after_start);
    Result<void> serve(usb::Backend& backend, Driver& driver);
    void deliver(usb::Backend& backend, Driver& driver);
    void wait_to_be_replaced();

    DeviceQueue& queue_;
    Mailbox& mailbox_;
    DeviceEvents& events_;
    Spool& spool_;
    std::atomic<std::uint64_t>& heartbeat_;
    std::atomic<std::uint32_t>& busy_;
    std::atomic<bool> stopping_ = false;
    std::promise<void> ended_;
    std::future<void> end_ = ended_.get_future();
    bool ejected_ = false;     // the device thread's
    bool leaving_ = false;     // the device thread's: it waits to be replaced
    DriverSettings settings_;  // the device thread's, once it runs
    std::thread thread_;
};

}  // namespace plugfs::kit
