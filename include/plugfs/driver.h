// The interface between a driver and plugfs: implement Driver, call Host, and end main() with run_driver().
//
// A driver is a program of its own, started once for each device in a sandbox, with the device and nothing else: no
// file can be opened, no process started, no network reached. All functions of a Driver are called on one thread, one
// at a time, and may block for as long as their transfers' deadlines allow; a driver needs no locks. Calls are short by
// contract: at most one chunk (read_size()) of data or about 20 ms of listing, so that others get their turn between
// them.
//
//   class Clock : public plugfs::Driver {
//     public:
//       explicit Clock(plugfs::Host& host) : host_(host) {}
//       plugfs::Result<void> start() override { return host_.device().claim(0); }
//       plugfs::Result<plugfs::Listing> list(plugfs::Key, std::uint64_t) override {
//           return plugfs::Listing{{{.key = 1, .name = "time", .size = 8}}, 0};
//       }
//       plugfs::Result<std::size_t> read(plugfs::Key, std::uint64_t offset, std::span<std::byte> out) override {
//           return host_.device().control_in({.request_type = 0x40, .request = 1, .value = uint16_t(offset)}, out,
//                                            plugfs::Deadline::after(std::chrono::seconds(1)));
//       }
//     private:
//       plugfs::Host& host_;
//   };
//   int main(int argc, char** argv) {
//       return plugfs::run_driver(argc, argv, {"clock", "1.0"}, [](plugfs::Host& host) { return
//       std::make_unique<Clock>(host); });
//   }
#pragma once

#include <plugfs/attributes.h>
#include <plugfs/controls.h>
#include <plugfs/player.h>
#include <plugfs/result.h>
#include <plugfs/spool.h>
#include <plugfs/tree.h>
#include <plugfs/usb.h>
#include <plugfs/writer.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plugfs {

enum class LogLevel { debug, info, warning, error };

// What plugfs offers a driver. Owned by the kit, valid as long as the driver lives; call it on the device thread only.
class Host {
  public:
    virtual ~Host() = default;

    [[nodiscard]] virtual usb::Device& device() = 0;

    // Another program of the same driver that can do more, by its name in the manifest's "alternatives" (plugfsd(8)):
    // whether it is installed, and this one may go on as it.
    [[nodiscard]] virtual bool may_go_on_as(const std::string& alternative) const {
        (void)alternative;
        return false;
    }
    // This process is replaced by that one, as after a crash, but that none is counted: what was asked for and not
    // answered is asked of the other. Nothing is asked of this one any more but stop().
    virtual void go_on_as(const std::string& alternative) { (void)alternative; }

    // What is known to be odd about this device, from the manifest's "quirks" (plugfsd(8)): the value, true is 1; 0 if
    // nothing is said.
    [[nodiscard]] virtual std::int64_t quirk(const std::string& name) const = 0;

    // What the user has asked of drivers with plugfsd's -o: `raw_write` is 1 if it was given; 0: not given.
    [[nodiscard]] virtual std::int64_t option(const std::string& name) const {
        (void)name;
        return 0;
    }

    // Where a player that is mass storage keeps its music; nothing: it is not described anywhere.
    [[nodiscard]] virtual std::optional<PlayerDescription> player() const { return std::nullopt; }

    // Files of its own that outlive the process.
    [[nodiscard]] virtual Spool& spool() = 0;
    // Memory of its own that outlives the process: zeroes at first, for a successor as the last one left it (check it:
    // that one has crashed), gone with the device's folder. At least 64 MiB, page-aligned, the same every time; it
    // takes room only where it was written to. ENOTSUP: there is none.
    [[nodiscard]] virtual Result<std::span<std::byte>> lasting_memory() {
        return fail(ENOTSUP, "lasting memory", "there is none");
    }
    // Whether a call of the driver is wanted now: what can wait, as in tick(), should make way for it.
    [[nodiscard]] virtual bool somebody_waits() { return false; }

    // One line in the log of this device (.control/<name>/log). Quote bytes that came from the device (plugfs::quoted).
    virtual void log(LogLevel level, std::string_view line) = 0;

    // The device changed by itself. The kernel's caches are told, so the next look sees it. An entry whose folder was
    // never listed, or a key that is not known, is ignored.
    virtual void added(Key folder, Entry entry) = 0;
    virtual void removed(Key key) = 0;
    virtual void changed(Entry entry) = 0;    // same key; new name, size or time; its content counts as changed too
    virtual void list_again(Key folder) = 0;  // forget what list() gave; it is asked anew at the next look

    // What a person should know of the device now, in a few words ("Stick: read-only, its FAT is damaged"); it stands
    // in .control/<name>/state. Empty: nothing any more. Quote bytes that came from the device.
    virtual void note(std::string /*text*/) {}  // NOLINT(performance-unnecessary-value-param): others keep it
    // A control has another value than it had (the device's doing), or there are others than there were.
    virtual void control_changed(const std::string& name) { (void)name; }
    virtual void controls_changed() {}
    // What Attributes::list() says of a file is something else now.
    virtual void attributes_changed(Key file) { (void)file; }
    // There is music: tracks/ is to be shown from now on, though Attributes::makes_tracks() said no at first.
    virtual void show_tracks() {}

    // The text of device.json: one JSON object. May be called again when it changes.
    virtual void describe(std::string json) = 0;
    // One line in the device's `events`: a JSON object without the time, which the kit adds: {"event":"added",...}.
    virtual void event(std::string_view json) = 0;
};

// What a driver has left in flight; see Driver::in_flight().
enum class InFlight : std::uint8_t { nothing, under_way, ended };

class Driver {
  public:
    virtual ~Driver() = default;

    // Opens the device. It may be in any state, in the middle of a transaction even: a driver process may have died at
    // any moment; get it back to a known state before giving up. Called once, first.
    [[nodiscard]] virtual Result<void> start() = 0;

    // The entries of a folder, in parts: `cursor` is 0 at first, then the last part's `next`. Give the first part as
    // soon as there is one. ESTALE: the cursor is not known any more, begin again; with cursor 0, the key is not (see
    // read()).
    [[nodiscard]] virtual Result<Listing> list(Key folder, std::uint64_t cursor) = 0;

    // Reads up to out.size() bytes at `offset`; offset + out.size() never passes the entry's size, and out.size() never
    // read_size(). Fewer bytes mean that the file ends there. ESTALE: the key belongs to an earlier session with the
    // device (the driver had to begin a new one, in which objects have other numbers): the kit lists the folders again,
    // finds the entry by its persistent identity or its path, checks that its size and time are the same, and asks
    // again. ECANCELED: the wait was called off (Deadline::unless_called_off()), nobody is interested.
    [[nodiscard]] virtual Result<std::size_t> read(Key file, std::uint64_t offset, std::span<std::byte> out) = 0;

    // Optional from here on.

    // Bytes on the device. ENOTSUP: unknown.
    [[nodiscard]] virtual Result<Space> space() { return fail(ENOTSUP, "space"); }
    // What can be written to; null: the device, or this driver, is read-only. Asked once, after start(); owned by the
    // driver.
    [[nodiscard]] virtual Writer* writer() { return nullptr; }
    // What can be set on the device (plugfs/controls.h), and what is known of its files (plugfs/attributes.h); null:
    // nothing. As for writer().
    [[nodiscard]] virtual Controls* controls() { return nullptr; }
    [[nodiscard]] virtual Attributes* attributes() { return nullptr; }
    // A packet from an endpoint given to Device::listen().
    virtual void arrived(std::uint8_t endpoint, std::span<const std::byte> packet) {
        (void)endpoint;
        (void)packet;
    }
    // Housekeeping between calls. Returns when it wants to be called next (a minute at most); 0: there is more to do,
    // at once if nobody waits, else when those who do have had their turn.
    virtual std::chrono::milliseconds tick() { return std::chrono::minutes(1); }
    // A driver may leave transfers in flight when it returns, so that the device works while the next call is served.
    // Asked between calls, after each event of the device's: whether there are any, and whether they have ended, which
    // has tick() called at once. It may post what comes next, and does not wait.
    [[nodiscard]] virtual InFlight in_flight() { return InFlight::nothing; }
    // The largest piece that read() is asked for: what the device moves best in one go. 4 KiB to 4 MiB.
    [[nodiscard]] virtual std::size_t read_size() const { return std::size_t{1} << 20U; }
    // Closes the device in good order. Not called after ENODEV.
    virtual void stop() {}
    // The user wants to unplug the device: everything is on it when this returns, and it is closed; nothing else is
    // called any more. An error: it goes on as before.
    [[nodiscard]] virtual Result<void> eject() {
        stop();
        return {};
    }
};

struct DriverInfo {
    std::string_view name;
    std::string_view version;
};

using DriverFactory = std::function<std::unique_ptr<Driver>(Host&)>;

// The rest of main(): locks the process down, takes the device over from the supervisor, serves until told to stop.
// Returns the exit status. Run by hand, without a supervisor, it prints who it is.
int run_driver(int argc, char** argv, const DriverInfo& info, const DriverFactory& create);

// `text` in double quotes, everything but printable ASCII as escapes, cut to `limit` bytes: bytes from outside, fit for
// a log.
[[nodiscard]] std::string quoted(std::string_view text, std::size_t limit = 200);

}  // namespace plugfs
