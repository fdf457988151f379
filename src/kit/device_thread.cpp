#include "kit/device_thread.h"

#include "common/lasting_memory.h"
#include "common/log.h"
#include "kit/crash_handler.h"
#include "usb/wait.h"

#include <algorithm>

namespace plugfs::kit {

namespace {
using Clock = Deadline::Clock;
constexpr std::chrono::milliseconds shortest_tick{10};
constexpr std::chrono::milliseconds longest_tick{60'000};
constexpr std::chrono::milliseconds shortest_pause{1};
constexpr std::chrono::seconds replacement_patience{10};
// Between short jobs it is looked less often than after each whether anything has arrived.
constexpr std::chrono::milliseconds look_interval{5};
// Until the next tick of a driver that wants it after `wait`. One that has more to do at once leaves those who wait a
// third of the time at least.
Clock::duration pause_after(std::chrono::milliseconds wait, Clock::duration took, bool nobody_waits) {
    if (wait.count() > 0) {
        return std::clamp(wait, shortest_tick, longest_tick);
    }
    return nobody_waits ? Clock::duration(0) : std::clamp<Clock::duration>(took / 2, shortest_pause, shortest_tick);
}

}  // namespace

// What the driver sees of plugfs. Its functions run on the device thread and post to the FUSE thread.
class DeviceThread::DriverHost : public Host {
  public:
    DriverHost(usb::Backend& backend, DeviceThread& thread)
        : thread_(thread),
          backend_(backend),
          queue_(thread.queue_),
          mailbox_(thread.mailbox_),
          events_(thread.events_),
          spool_(thread.spool_),
          settings_(thread.settings_) {}

    usb::Device& device() override { return backend_; }
    Spool& spool() override { return spool_; }
    std::int64_t quirk(const std::string& name) const override { return number(settings_.quirks, name); }
    std::int64_t option(const std::string& name) const override { return number(settings_.options, name); }
    std::optional<PlayerDescription> player() const override { return settings_.player; }
    Result<std::span<std::byte>> lasting_memory() override {
        if (settings_.lasting_memory < 0) {
            return Host::lasting_memory();
        }
        if (lasting_memory_.empty()) {
            PLUGFS_ASSIGN(lasting_memory_, map_lasting_memory(settings_.lasting_memory));
        }
        return lasting_memory_;
    }
    [[nodiscard]] bool may_go_on_as(const std::string& alternative) const override {
        return std::find(settings_.alternatives.begin(), settings_.alternatives.end(), alternative) !=
               settings_.alternatives.end();
    }
    void go_on_as(const std::string& alternative) override {
        thread_.leaving_ = true;
        mailbox_.post([&events = events_, alternative] { events.device_goes_on_as(alternative); });
    }
    bool somebody_waits() override { return !queue_.empty(); }
    void log(LogLevel level, std::string_view line) override { log::write(level, line); }

    void added(Key folder, Entry entry) override {
        mailbox_.post([&events = events_, folder, entry = std::move(entry)] { events.device_added(folder, entry); });
    }
    void removed(Key key) override {
        mailbox_.post([&events = events_, key] { events.device_removed(key); });
    }
    void changed(Entry entry) override {
        mailbox_.post([&events = events_, entry = std::move(entry)] { events.device_changed(entry); });
    }
    void list_again(Key folder) override {
        mailbox_.post([&events = events_, folder] { events.device_list_again(folder); });
    }
    void control_changed(const std::string& name) override {
        mailbox_.post([&events = events_, name] { events.device_control_changed(name); });
    }
    void controls_changed() override {
        mailbox_.post([&events = events_] { events.device_controls_changed(); });
    }
    void attributes_changed(Key file) override {
        mailbox_.post([&events = events_, file] { events.device_attributes_changed(file); });
    }
    void show_tracks() override {
        mailbox_.post([&events = events_] { events.device_shows_tracks(); });
    }
    void describe(std::string json) override {
        mailbox_.post([&events = events_, json = std::move(json)] { events.device_described(json); });
    }
    void note(std::string text) override {
        mailbox_.post([&events = events_, text = std::move(text)] { events.device_noted(text); });
    }
    void event(std::string_view json) override {
        mailbox_.post([&events = events_, json = std::string(json)] { events.device_event(json); });
    }

  private:
    static std::int64_t number(const NamedNumbers& numbers, const std::string& name) {
        const auto found = numbers.find(name);
        return found == numbers.end() ? 0 : found->second;
    }
    DeviceThread& thread_;
    usb::Backend& backend_;
    DeviceQueue& queue_;
    Mailbox& mailbox_;
    DeviceEvents& events_;
    Spool& spool_;
    const DriverSettings& settings_;
    std::span<std::byte> lasting_memory_;
};

DeviceThread::DeviceThread(DeviceQueue& queue, Mailbox& mailbox, DeviceEvents& events, Spool& spool,
                           std::atomic<std::uint64_t>& heartbeat, std::atomic<std::uint32_t>& busy)
    : queue_(queue), mailbox_(mailbox), events_(events), spool_(spool), heartbeat_(heartbeat), busy_(busy) {
    busy_ = 1;
    usb::count_waits_in(&heartbeat_);
    usb::call_waits_off_by(&queue_.waits());
}

DeviceThread::~DeviceThread() {
    stopping_ = true;
    queue_.wake();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void DeviceThread::start(OpenDevice open, DriverFactory create, DriverSettings settings, AfterStart after_start) {
    settings_ = std::move(settings);
    thread_ =
        std::thread([this, open = std::move(open), create = std::move(create), after_start = std::move(after_start)] {
            run(open, create, after_start);
            ended_.set_value();
        });
}

bool DeviceThread::end(std::chrono::milliseconds wait) {
    stopping_ = true;
    queue_.wake();
    return !thread_.joinable() || end_.wait_for(wait) == std::future_status::ready;
}

void DeviceThread::run(const OpenDevice& open, const DriverFactory& create, const AfterStart& after_start) {
    prepare_thread_for_crash();
    auto backend = open();
    if (!backend) {
        mailbox_.post([&events = events_, error = backend.error()] { events.device_failed(error); });
        return;
    }
    DriverHost host(**backend, *this);
    const auto driver = create(host);
    auto started = driver->start();
    if (started && after_start) {
        started = after_start(**backend);
    }
    if (!started) {
        mailbox_.post([&events = events_, error = started.error()] { events.device_failed(error); });
        return;
    }
    wait_to_be_replaced();
    if (stopping_) {
        driver->stop();
        return;
    }
    Attributes* attributes = driver->attributes();
    const DriverTraits traits{driver->read_size(), driver->writer() != nullptr, driver->controls() != nullptr,
                              attributes != nullptr, attributes != nullptr && attributes->makes_tracks()};
    mailbox_.post([&events = events_, traits] { events.device_started(traits); });
    const auto served = serve(**backend, *driver);
    if (served) {
        if (!ejected_) {
            driver->stop();
        }
        return;
    }
    log::warning(served.error().text());
    mailbox_.post([&events = events_] { events.device_gone(); });
}

void DeviceThread::eject() {
    queue_.add(Priority::demanded, [this](Driver& driver) {
        const auto result = driver.eject();
        ejected_ = result.ok();
        mailbox_.post([&events = events_, result] { events.device_ejected(result); });
    });
}

Result<void> DeviceThread::serve(usb::Backend& backend, Driver& driver) {
    auto next_tick = Clock::now();
    auto next_look = next_tick;
    while (!stopping_ && !ejected_) {
        wait_to_be_replaced();
        heartbeat_.fetch_add(1, std::memory_order_relaxed);
        auto job = queue_.take();
        busy_.store(job ? 1 : 0, std::memory_order_relaxed);
        if (job) {
            (*job)(driver);
            if (ejected_) {
                break;
            }
        }
        deliver(backend, driver);
        auto left = driver.in_flight();
        if (const auto begun = Clock::now(); begun >= next_tick || left == InFlight::ended) {
            const auto wait = driver.tick();
            next_tick = Clock::now() + pause_after(wait, Clock::now() - begun, queue_.empty());
            left = driver.in_flight();
        }
        if (job && left == InFlight::nothing && Clock::now() < next_look) {
            continue;
        }
        // With jobs waiting this only collects what has arrived, and notices that the device has gone.
        const auto until = job ? Deadline::after(std::chrono::milliseconds(0)) : Deadline::at(next_tick);
        const auto ended = [&driver] { return driver.in_flight() == InFlight::ended; };
        PLUGFS_TRY(backend.wait_activity(queue_.wake_fd(), until, ended));
        next_look = Clock::now() + look_interval;
    }
    return {};
}

// After Host::go_on_as() the driver is asked nothing more: the other one answers. Should nobody come, it goes on.
void DeviceThread::wait_to_be_replaced() {
    const auto until = Deadline::after(replacement_patience);
    while (leaving_ && !stopping_ && !until.expired()) {
        heartbeat_.fetch_add(1, std::memory_order_relaxed);
        std::this_thread::sleep_for(shortest_tick);
    }
    leaving_ = false;
}

void DeviceThread::deliver(usb::Backend& backend, Driver& driver) {
    while (auto arrival = backend.next_arrival()) {
        driver.arrived(arrival->endpoint, arrival->packet);
    }
}

}  // namespace plugfs::kit
