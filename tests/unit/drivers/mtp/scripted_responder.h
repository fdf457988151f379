// An MTP responder whose answers a test writes down: right ones with data() and respond(), wrong ones with say().
//
// It opens and closes sessions by itself, answers Operation_Not_Supported to what the test has not written, and knows
// the class's requests. Below are what tests need beside it: a device on it, a host that notes what it is told, and
// Timing in which nothing takes long.
#pragma once

#include "drivers/mtp/container.h"
#include "drivers/mtp/session.h"
#include "in_process_device.h"
#include "kit/spool_file.h"

#include <plugfs/driver.h>

#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <map>

namespace plugfs::mtp::test {

using Bytes = std::vector<std::byte>;

// Bytes from numbers: bytes({0x12, 1}).
Bytes bytes(std::initializer_list<int> values);
// `size` bytes of an object from `offset` on: every place has its own.
Bytes pattern(std::uint64_t offset, std::size_t size);
// An array of 32-bit numbers, as datasets have it.
Bytes handle_array(std::initializer_list<std::uint32_t> handles);

struct Command {
    std::uint16_t operation = 0;
    std::uint32_t transaction = 0;
    Parameters parameters{};
};

class ScriptedResponder : public virtual_usb::VirtualDevice {
  public:
    using Answer = std::function<void(const Command&)>;

    ScriptedResponder();

    // What it does at a command, always or the next time only (several are taken in order).
    void on(std::uint16_t operation, Answer answer) { always_[operation] = std::move(answer); }
    void once(std::uint16_t operation, Answer answer) { next_[operation].push_back(std::move(answer)); }
    // The usual case: a dataset, then OK.
    void gives(std::uint16_t operation, Bytes dataset);
    void refuses(std::uint16_t operation, std::uint16_t response);

    // For answers. A data container; `length` is what its header says, if not the truth.
    void data(const Command& command, std::span<const std::byte> content, std::optional<std::uint32_t> length = {});
    // The first `size` bytes of pattern(), made as they are fetched.
    void pattern_data(const Command& command, std::uint64_t size);
    void respond(const Command& command, std::uint16_t code, std::initializer_list<std::uint32_t> parameters = {});
    // Any bytes, as one transfer.
    void say(Bytes transfer, bool zero_length_packet = true);
    void stall();

    std::vector<Command> commands;
    // Codes that Get Device Status gives, then the one that it gives from there on; the endpoints that it calls halted.
    std::deque<std::uint16_t> statuses;
    std::uint16_t last_status = response::ok;
    std::vector<std::uint32_t> halted_endpoints;
    bool knows_class_requests = true;
    // At Cancel, Device Reset and a reset of the bus.
    std::function<void(std::uint32_t transaction)> cancelled = [](std::uint32_t) {};
    std::function<void()> reset_by_class = [] {};
    std::function<void()> reset_by_bus = [] {};
    bool session_open = false;

    [[nodiscard]] std::size_t count(std::uint16_t operation) const;

    [[nodiscard]] const virtual_usb::DeviceDescription& description() const override { return description_; }
    std::optional<Bytes> control(const usb::Setup& setup, bool in, std::span<const std::byte> data,
                                 std::size_t length) override;
    bool out(std::uint8_t endpoint, std::span<const std::byte> bytes) override;
    std::deque<virtual_usb::InTransfer>& in(std::uint8_t endpoint) override;
    void reset() override;
    void halt_cleared(std::uint8_t /*endpoint*/) override {}
    // False: the next commands stall the endpoint.
    bool takes_commands = true;

  private:
    virtual_usb::DeviceDescription description_;
    std::map<std::uint16_t, Answer> always_;
    std::map<std::uint16_t, std::deque<Answer>> next_;
    std::deque<virtual_usb::InTransfer> bulk_;
    std::deque<virtual_usb::InTransfer> events_;
};

// A container as bytes; `length` as above.
Bytes container(ContainerType type, std::uint16_t code, std::uint32_t transaction, std::span<const std::byte> content,
                std::optional<std::uint32_t> length = {});

class RecordingHost : public Host {
  public:
    explicit RecordingHost(usb::Device& device) : device_(device) {}
    // The next process's: it finds what the one before has left in the spool.
    RecordingHost(usb::Device& device, const RecordingHost& before)
        : device_(device), kept_(::dup(before.kept_.get())), spool_(next_spool()) {}
    usb::Device& device() override { return device_; }
    Spool& spool() override { return *spool_; }
    std::int64_t quirk(const std::string& name) const override {
        const auto found = quirks.find(name);
        return found == quirks.end() ? 0 : found->second;
    }
    void log(LogLevel /*level*/, std::string_view line) override { lines.emplace_back(line); }
    void added(Key folder, Entry entry) override { additions.emplace_back(folder, std::move(entry)); }
    void removed(Key key) override { removals.push_back(key); }
    void changed(Entry entry) override { changes.push_back(std::move(entry)); }
    void list_again(Key folder) override { listed_again.push_back(folder); }
    void describe(std::string json) override { description = std::move(json); }
    void event(std::string_view json) override { events.emplace_back(json); }
    // Whether a line has been logged that contains `words`.
    [[nodiscard]] bool logged(std::string_view words) const;

    std::vector<std::string> lines;
    std::vector<std::pair<Key, Entry>> additions;
    std::vector<Key> removals;
    std::vector<Entry> changes;
    std::vector<Key> listed_again;
    std::string description;
    std::vector<std::string> events;
    std::map<std::string, std::int64_t> quirks;

    // What the next process finds there.
    [[nodiscard]] std::unique_ptr<kit::SpoolFile> next_spool() const {
        auto made = kit::SpoolFile::create(UniqueFd(::dup(kept_.get())));
        return made ? std::move(*made) : nullptr;
    }

  private:
    usb::Device& device_;
    UniqueFd kept_{::memfd_create("spool", MFD_CLOEXEC)};
    std::unique_ptr<kit::SpoolFile> spool_ = next_spool();
};

// Nothing waits in these tests but a look at the device's status, and what has to pass to be over.
inline constexpr Timing quick{.opening = std::chrono::milliseconds(2000),
                              .ready = std::chrono::milliseconds(20),
                              .retry = std::chrono::milliseconds(20)};
inline constexpr Endpoints endpoints{.bulk_in = 0x81,
                                     .bulk_out = 0x02,
                                     .interrupt_in = 0x83,
                                     .bulk_in_packet = 512,
                                     .bulk_out_packet = 512,
                                     .interrupt_packet = 28};

// A session on a scripted responder, open.
struct Scripted {
    ScriptedResponder responder;
    InProcessDevice device{responder};
    RecordingHost host{device};
    Session session{device, endpoints, quick};
    Scripted();
};

}  // namespace plugfs::mtp::test
