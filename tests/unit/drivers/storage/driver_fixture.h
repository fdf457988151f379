// The whole storage driver on a virtual stick in the same process; a process may end, and the next one begin.
#pragma once

#include "common/lasting_memory.h"
#include "drivers/in_process_device.h"
#include "drivers/storage/storage_driver.h"
#include "kit/spool_file.h"
#include "temporary_folder.h"
#include "tools.h"
#include "virtual/stick/stick.h"

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <set>

namespace plugfs::storage::test {

using plugfs::test::InProcessDevice;

class StickHost : public Host {
  public:
    // `spool` and `memory`: descriptors of what outlives processes.
    StickHost(usb::Device& device, int spool, int memory) : device_(device), memory_(memory) {
        auto made = kit::SpoolFile::create(UniqueFd(::dup(spool)));
        REQUIRE(made);
        spool_ = std::move(*made);
    }
    usb::Device& device() override { return device_; }
    Spool& spool() override { return *spool_; }
    std::int64_t quirk(const std::string&) const override { return 0; }
    std::int64_t option(const std::string& name) const override { return options.count(name) != 0 ? 1 : 0; }
    std::optional<PlayerDescription> player() const override { return description_of_player; }
    Result<std::span<std::byte>> lasting_memory() override { return map_lasting_memory(memory_); }
    bool may_go_on_as(const std::string& alternative) const override { return alternatives.count(alternative) != 0; }
    void go_on_as(const std::string& alternative) override { went_on_as.push_back(alternative); }
    void log(LogLevel, std::string_view line) override { lines.emplace_back(line); }
    void added(Key folder, Entry entry) override { additions.emplace_back(folder, std::move(entry)); }
    void removed(Key key) override { removals.push_back(key); }
    void changed(Entry entry) override { changes.push_back(std::move(entry)); }
    void list_again(Key folder) override { listed_again.insert(folder); }
    void note(std::string text) override { noted = std::move(text); }
    void show_tracks() override { ++tracks_shown; }
    void describe(std::string json) override { description = std::move(json); }
    void event(std::string_view) override {}

    std::set<std::string> options;
    std::set<std::string> alternatives;
    std::vector<std::string> went_on_as;
    std::optional<PlayerDescription> description_of_player;
    std::vector<std::string> lines;
    std::vector<std::pair<Key, Entry>> additions;
    std::vector<Key> removals;
    std::vector<Entry> changes;
    std::set<Key> listed_again;
    std::string noted;
    std::string description;
    int tracks_shown = 0;

  private:
    usb::Device& device_;
    int memory_;
    std::unique_ptr<kit::SpoolFile> spool_;
};

struct DriverFixture {
    plugfs::test::TemporaryFolder folder;
    virtual_usb::StickOptions options;
    UniqueFd spool{::memfd_create("spool", MFD_CLOEXEC)};
    UniqueFd memory = [] {
        auto made = create_lasting_memory();
        REQUIRE(made);
        return std::move(*made);
    }();
    std::set<std::string> driver_options;
    std::set<std::string> alternatives;  // that are installed
    std::optional<PlayerDescription> player;
    std::unique_ptr<virtual_usb::Stick> stick;
    std::unique_ptr<InProcessDevice> bus;
    std::unique_ptr<StickHost> host;
    std::unique_ptr<StorageDriver> driver;

    DriverFixture() {
        options.device.product = "Stick";
        options.device.serial_number = "S1";
    }
    // A volume of 16 MiB, labelled; on the next unit.
    std::string volume(const std::string& label, const std::string& type = "fat") {
        const auto path = plugfs::test::make_image(folder.path() / label, std::uint64_t{16} << 20U).string();
        plugfs::test::must_run(type == "fat" ? "mkfs.fat -n " + label + " " + path
                                             : "mkfs.exfat -L " + label + " " + path);
        options.images.push_back(path);
        return path;
    }
    void plug_in() {
        auto made = virtual_usb::Stick::create(options);
        REQUIRE(made);
        stick = std::move(*made);
        next_process();
    }
    // Whatever the one before was doing. It has the same descriptors.
    void next_process() {
        driver.reset();
        bus = std::make_unique<InProcessDevice>(stick->device());
        host = std::make_unique<StickHost>(*bus, spool.get(), memory.get());
        host->options = driver_options;
        host->alternatives = alternatives;
        host->description_of_player = player;
        driver = std::make_unique<StorageDriver>(*host);
        const auto started = driver->start();
        INFO((started ? "" : started.error().text()));
        REQUIRE(started);
    }
    Writer& writer() { return *driver->writer(); }
    // All of a folder; entries must come to an end.
    std::vector<Entry> list(Key at) {
        std::vector<Entry> all;
        std::uint64_t cursor = 0;
        do {
            auto part = driver->list(at, cursor);
            INFO((part ? "" : part.error().text()));
            REQUIRE(part);
            all.insert(all.end(), part->entries.begin(), part->entries.end());
            cursor = part->next;
        } while (cursor != 0);
        return all;
    }
    std::optional<Entry> find(const std::string& path) {
        Entry at{.key = root_key, .name = "", .kind = Kind::directory};
        for (std::size_t begin = 0; begin < path.size();) {
            const auto end = std::min(path.find('/', begin), path.size());
            const auto name = path.substr(begin, end - begin);
            begin = end + 1;
            const auto all = list(at.key);
            const auto there =
                std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
            if (there == all.end()) {
                return std::nullopt;
            }
            at = *there;
        }
        return at;
    }
    Entry get(const std::string& path) {
        INFO(path);
        const auto found = find(path);
        REQUIRE(found);
        return *found;
    }
    std::string content(const Entry& entry) {
        std::string text(entry.size, '\0');
        const auto got = driver->read(entry.key, 0, std::as_writable_bytes(std::span(text)));
        INFO((got ? "" : got.error().text()));
        REQUIRE(got);
        text.resize(*got);
        return text;
    }
    std::string content(const std::string& path) { return content(get(path)); }
    Entry make(const std::string& folder_path, const std::string& name, const std::string& text) {
        const auto made = writer().create(get(folder_path).key, name, Kind::file);
        INFO((made ? "" : made.error().text()));
        REQUIRE(made);
        REQUIRE(writer().write(made->key, 0, std::as_bytes(std::span(text))));
        const auto flushed = writer().flush(made->key);
        INFO((flushed ? "" : flushed.error().text()));
        REQUIRE(flushed);
        return *flushed;
    }
    Entry make_folder(const std::string& folder_path, const std::string& name) {
        const auto made = writer().create(get(folder_path).key, name, Kind::directory);
        REQUIRE(made);
        return *made;
    }
    std::vector<std::string> names(const std::string& path) {
        std::vector<std::string> all;
        for (const auto& entry : list(path.empty() ? root_key : get(path).key)) {
            all.push_back(entry.name);
        }
        std::sort(all.begin(), all.end());
        return all;
    }
    // Until everything that the driver wants to do by itself is done.
    void idle() {
        for (int i = 0; i < 2000; ++i) {
            if (driver->tick() > std::chrono::milliseconds(0)) {
                return;
            }
        }
        FAIL("the driver does not come to rest");
    }
    std::string tell(const std::string& command) { return stick->command(command); }
    ~DriverFixture() { driver.reset(); }
    DriverFixture(const DriverFixture&) = delete;
    DriverFixture& operator=(const DriverFixture&) = delete;
};

using Names = std::vector<std::string>;

}  // namespace plugfs::storage::test
