// The driver on the virtual player, in the same process: what it publishes, and what it does when the device does not
// do what it should.
#include "drivers/mtp/mtp_driver.h"

#include "driver_fixture.h"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

const Bytes content = pattern(3, 5000);

}  // namespace

TEST_CASE("storages, folders, files and their bytes") {
    DriverFixture it;
    it.folder.file("Music/Artist/a.mp3", content);
    it.start();
    const auto top = it.list(root_key);
    REQUIRE(top.size() == 2);
    CHECK(top[0].name == "storage");
    CHECK(top[1].name == "playlists");
    const auto storages = it.list(top[0].key);
    REQUIRE(storages.size() == 1);
    CHECK(storages[0].name == "Internal");
    CHECK(storages[0].kind == Kind::directory);
    const auto music = it.entry(storages[0].key, "Music");
    CHECK(music.kind == Kind::directory);
    const auto track = it.entry(it.entry(music.key, "Artist").key, "a.mp3");
    CHECK(track.kind == Kind::file);
    CHECK(track.size == content.size());
    CHECK(track.modified);
    CHECK(track.persistent_identity.size() == 16);
    CHECK(it.reads(track.key, content));
    const auto space = it.driver.space();
    REQUIRE(space);
    CHECK(space->total > 0);
    CHECK(it.host.lines.empty());
    it.driver.stop();
    CHECK(it.device->asked.back() == "command 0x1003");
}

TEST_CASE("device.json") {
    DriverFixture it;
    it.start();
    const auto json = nlohmann::json::parse(it.host.description);
    CHECK(json["protocol"] == "MTP");
    CHECK(json["model"] == "Virtual player");
    CHECK(json["friendly_name"] == "Virtual player");
    CHECK(json["battery_level"] == 80);
    CHECK(json["storages"].size() == 1);
    CHECK(json["storages"][0]["name"] == "Internal");
    CHECK(json["operations"][0]["name"] == "GetDeviceInfo");
    CHECK_FALSE(json.contains("serial_number"));  // this one has none
}

TEST_CASE("keys that are not known are no entries") {
    DriverFixture it;
    it.start();
    for (const Key key : {Key{1}, Key{1} << 34U, (Key{1} << 34U) + 99, Key{UINT64_MAX}}) {
        CAPTURE(key);
        CHECK(it.error_of_read(key) == ESTALE);
        const auto listed = it.driver.list(key, 0);
        REQUIRE_FALSE(listed);
        CHECK(listed.error().code == ENOENT);
    }
}

TEST_CASE("the device's endpoints") {
    const usb::Endpoint in{0x81, 2, 512, 0};
    const usb::Endpoint out{0x02, 2, 512, 0};
    const usb::Endpoint interrupt{0x83, 3, 28, 6};
    const usb::Interface good{.number = 2,
                              .interface_class = 6,
                              .interface_subclass = 1,
                              .interface_protocol = 1,
                              .endpoints = {interrupt, in, out}};
    const auto found = find_endpoints(std::vector{usb::Interface{}, good});
    REQUIRE(found);
    CHECK(found->interface_number == 2);
    CHECK(found->bulk_in == 0x81);
    CHECK(found->bulk_out == 0x02);
    CHECK(found->interrupt_in == 0x83);
    const auto with = [&](auto change) {
        usb::Interface interface = good;
        change(interface);
        return find_endpoints(std::vector{interface}).ok();
    };
    CHECK(with([](auto& it) { it.endpoints.erase(it.endpoints.begin()); }));  // events are not needed
    CHECK(with([](auto& it) {
        it.interface_class = 255;
        it.name = "Sony MTP";
    }));
    CHECK_FALSE(with([](auto& it) { it.interface_class = 255; }));
    CHECK_FALSE(with([](auto& it) { it.interface_class = 8; }));
    CHECK_FALSE(with([](auto& it) { it.alternate_setting = 1; }));
    CHECK_FALSE(with([](auto& it) { it.endpoints.pop_back(); }));
    CHECK_FALSE(with([](auto& it) { it.endpoints.clear(); }));
    for (const int packet : {0, 8, 31, 1025, 65535}) {
        CHECK_FALSE(with([&](auto& it) { it.endpoints[1].max_packet_size = static_cast<std::uint16_t>(packet); }));
        CHECK_FALSE(with([&](auto& it) { it.endpoints[2].max_packet_size = static_cast<std::uint16_t>(packet); }));
    }
    CHECK(find_endpoints({}).error().code == ENXIO);
}

TEST_CASE("a file that has gone without an event is ESTALE, and its folder is listed again") {
    DriverFixture it;
    it.folder.file("a", content);
    it.start();
    const auto a = it.entry(it.root(), "a");
    std::filesystem::remove(it.folder.path() / "a");
    CHECK(it.error_of_read(a.key) == ESTALE);
    CHECK(it.host.removals == std::vector<Key>{a.key});
    CHECK(it.host.listed_again.back() == it.root());
}

TEST_CASE("every fault: no crash, no hang, only errors that a program may see; then all is well again") {
    for (const auto& fault : virtual_usb::Faults::known()) {
        const std::string& name = fault.first;
        CAPTURE(name);
        DriverFixture it;
        it.folder.file("Music/a", content);
        it.folder.file("Music/b", pattern(1, 1'000'000));
        it.start();
        const auto music = it.entry(it.root(), "Music");
        const auto a = it.entry(music.key, "a");
        (void)it.faults.set(name);
        for (int i = 0; i < 3; ++i) {
            const auto listed = it.driver.list(music.key, 0);
            const int read = it.error_of_read(a.key);
            const auto space = it.driver.space();
            (void)it.driver.tick();
            for (const int code : {listed ? 0 : listed.error().code, read, space ? 0 : space.error().code}) {
                CAPTURE(code);
                const bool seen = code == 0 || code == EIO || code == ESTALE || code == ENOENT;
                CHECK(seen);
            }
        }
        it.faults.clear();
        const auto deadline = Deadline::after(std::chrono::seconds(20));
        while (!it.driver.list(it.root(), 0) && !deadline.expired()) {  // it may be left alone for a while
        }
        const auto again = it.entry(it.entry(it.root(), "Music").key, "a");
        CHECK(it.reads(again.key, content));
    }
}

TEST_CASE("a device that is pulled out is ENODEV") {
    DriverFixture it;
    it.folder.file("a", content);
    it.start();
    const auto a = it.entry(it.root(), "a");
    it.device->unplug();
    CHECK(it.error_of_read(a.key) == ENODEV);
    CHECK(it.driver.list(it.root(), 0).error().code == ENODEV);
    CHECK(it.driver.space().error().code == ENODEV);
    (void)it.driver.tick();
}

TEST_CASE("each call failing once: a driver that starts serves, whatever failed") {
    for (const int code : {EIO, ENODEV}) {
        CAPTURE(code);
        bool failed = true;
        for (std::size_t number = 1; failed; ++number) {
            CAPTURE(number);
            REQUIRE(number < 500);
            DriverFixture it;
            it.folder.file("Music/a", content);
            it.device->fail_call(number, code);
            const auto started = it.driver.start();
            if (started) {
                if (const auto listed = it.driver.list(it.root(), 0); listed && !listed->entries.empty()) {
                    (void)it.driver.list(listed->entries[0].key, 0);
                }
            }
            failed = it.device->failed();
            if (code == ENODEV && failed) {
                CHECK((!started || it.driver.list(it.root(), 0).error().code == ENODEV));
                continue;
            }
            it.device->fail_call(0, 0);
            if (!started) {
                CHECK(failed);
                continue;
            }
            CHECK(it.reads(it.entry(it.entry(it.root(), "Music").key, "a").key, content));
        }
    }
}
