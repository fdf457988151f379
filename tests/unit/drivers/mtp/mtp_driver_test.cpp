// The driver on the virtual player, in the same process: what it publishes, and what it does when the device does not
// do what it should.
#include "drivers/mtp/mtp_driver.h"

#include "player_fixture.h"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

struct Fixture : PlayerFixture {
    RecordingHost host{*device};
    MtpDriver driver{host, quick};

    void start() {
        const auto started = driver.start();
        REQUIRE_MESSAGE(started.ok(), (started ? "" : started.error().text()));
    }
    std::vector<Entry> list(Key key) {
        std::vector<Entry> entries;
        std::uint64_t cursor = 0;
        do {
            auto part = driver.list(key, cursor);
            REQUIRE_MESSAGE(part.ok(), (part ? "" : part.error().text()));
            std::move(part->entries.begin(), part->entries.end(), std::back_inserter(entries));
            cursor = part->next;
        } while (cursor != 0);
        return entries;
    }
    Entry entry(Key parent, const std::string& name) {
        for (const auto& item : list(parent)) {
            if (item.name == name) {
                return item;
            }
        }
        FAIL("there is no " << name);
        return {};
    }
    Key root() { return storage_key(storage); }
    int error_of_read(Key key) {
        Bytes out(100);
        const auto got = driver.read(key, 0, out);
        return got ? 0 : got.error().code;
    }
    bool reads(Key key, const Bytes& content) {
        Bytes out(content.size());
        const auto got = driver.read(key, 0, out);
        return got && *got == out.size() && out == content;
    }
    // Tells the driver what the device reports.
    void events() {
        for (const auto& change : store->changes()) {
            using What = virtual_usb::ObjectStore::Change::What;
            responder->send_event(change.what == What::added     ? event::object_added
                                  : change.what == What::removed ? event::object_removed
                                                                 : event::object_info_changed,
                                  change.handle);
        }
        auto& queue = responder->in(endpoints.interrupt_in);
        while (!queue.empty()) {
            const auto packet = queue.front().bytes.take(28);
            queue.pop_front();  // first: what the driver does then may clear the queue
            driver.arrived(endpoints.interrupt_in, packet);
        }
    }
};

const Bytes content = pattern(3, 5000);

}  // namespace

TEST_CASE("storages, folders, files and their bytes") {
    Fixture it;
    it.folder.file("Music/Artist/a.mp3", content);
    it.start();
    const auto top = it.list(root_key);
    REQUIRE(top.size() == 1);
    CHECK(top[0].name == "storage");
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
    Fixture it;
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
    Fixture it;
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

TEST_CASE("what the device reports is followed") {
    Fixture it;
    it.folder.file("a", content);
    it.start();
    const auto a = it.entry(it.root(), "a");
    it.folder.file("b", content);
    it.events();
    REQUIRE(it.host.additions.size() >= 1);
    CHECK(it.host.additions[0].first == it.root());
    CHECK(it.host.additions[0].second.name == "b");
    CHECK(it.reads(it.host.additions[0].second.key, content));
    CHECK(it.host.events[0].find("\"event\":\"added\"") != std::string::npos);
    it.folder.file("a", pattern(9, 100));
    it.events();
    REQUIRE_FALSE(it.host.changes.empty());
    CHECK(it.host.changes.back().key == a.key);
    CHECK(it.host.changes.back().size == 100);
    CHECK(it.reads(a.key, pattern(9, 100)));
    std::filesystem::remove(it.folder.path() / "a");
    it.events();
    CHECK(it.host.removals == std::vector<Key>{a.key});
    CHECK(it.error_of_read(a.key) == ESTALE);
}

TEST_CASE("events in folders that nobody has looked at, and of storages") {
    Fixture it;
    it.folder.file("Music/a", content);
    it.start();
    const std::uint32_t music = it.store->list(it.storage, 0).at(0);
    (void)it.store->list(it.storage, music);
    it.folder.file("Music/b", content);
    it.events();
    CHECK(it.host.additions.empty());
    const plugfs::test::TemporaryFolder card;
    const auto second = it.store->add_storage("Card", card.path());
    REQUIRE(second);
    it.responder->send_event(event::store_added, *second);
    it.events();
    CHECK(it.list(storages_key).size() == 2);
    CHECK(std::count(it.host.listed_again.begin(), it.host.listed_again.end(), storages_key) >= 1);
    CHECK(it.store->remove_storage(*second));
    it.responder->send_event(event::store_removed, *second);
    it.events();
    CHECK(it.list(storages_key).size() == 1);
}

TEST_CASE("events in pieces, hostile ones, and ones about what is not there") {
    Fixture it;
    it.start();
    const auto event_bytes = container(ContainerType::event, event::device_prop_changed, 0, bytes({1, 0x50, 0, 0}));
    const auto give = [&](std::span<const std::byte> packet) { it.driver.arrived(endpoints.interrupt_in, packet); };
    for (std::size_t cut = 1; cut < event_bytes.size(); ++cut) {
        CAPTURE(cut);
        it.host.events.clear();
        give(std::span(event_bytes).first(cut));
        CHECK(it.host.events.empty());
        give(std::span(event_bytes).subspan(cut));
        CHECK(it.host.events.size() == 1);
    }
    // Half of one, then a whole one.
    it.host.events.clear();
    give(std::span(event_bytes).first(8));
    give(event_bytes);
    CHECK(it.host.events.size() == 1);
    CHECK(it.host.lines.empty());
    // What is none is dropped, and what comes then is an event again.
    for (const auto& hostile :
         {Bytes(28), Bytes(28, std::byte{0xff}), Bytes(1000, std::byte{4}),
          container(ContainerType::event, 0x4002, 0, {}, 33), container(ContainerType::data, 0x4002, 0, {})}) {
        it.host.events.clear();
        give(hostile);
        give(event_bytes);
        CHECK(it.host.events.size() == 1);
    }
    CHECK(it.host.lines.size() == 5);
    for (const std::uint32_t handle : {0U, 1U, 77U, 0xFFFFFFFFU}) {
        for (const std::uint16_t code :
             {event::object_added, event::object_removed, event::object_info_changed, event::store_added,
              event::store_removed, event::device_info_changed, event::storage_info_changed, std::uint16_t{0xC123}}) {
            ByteWriter parameter;
            parameter.u32le(handle);
            give(container(ContainerType::event, code, 0, parameter.bytes()));
        }
    }
    CHECK(it.host.additions.empty());
    CHECK(it.host.removals.empty());
    CHECK(it.list(storages_key).size() == 1);
}

TEST_CASE("after a new session files are found again by their names, at whatever depth") {
    Fixture it;
    it.folder.file("Music/Artist/Album/a", content);
    it.folder.file("Music/Artist/Album/b", pattern(77, 300));
    it.start();
    const auto album = it.entry(it.entry(it.entry(it.root(), "Music").key, "Artist").key, "Album");
    const auto a = it.entry(album.key, "a");
    const auto b = it.entry(album.key, "b");
    REQUIRE(it.reads(a.key, content));
    SUBCASE("the device reports a reset") {
        it.responder->send_event(event::device_reset, 0);
        it.events();
    }
    SUBCASE("the device has lost the session") {
        it.responder->reset();
    }
    std::filesystem::remove(it.folder.path() / "Music/Artist/Album/b");
    it.folder.file("Music/0 before all others", {});
    CHECK(it.reads(a.key, content));
    CHECK(it.error_of_read(b.key) == ESTALE);
    CHECK(it.host.logged("a new session was opened"));
    CHECK(std::count(it.host.listed_again.begin(), it.host.listed_again.end(), album.key) >= 1);
    CHECK(it.entry(album.key, "a").key == a.key);
}

TEST_CASE("a file that has gone without an event is ESTALE, and its folder is listed again") {
    Fixture it;
    it.folder.file("a", content);
    it.start();
    const auto a = it.entry(it.root(), "a");
    std::filesystem::remove(it.folder.path() / "a");
    CHECK(it.error_of_read(a.key) == ESTALE);
    CHECK(it.host.removals == std::vector<Key>{a.key});
    CHECK(it.host.listed_again.back() == it.root());
}

TEST_CASE("a locked device has no storage until it is unlocked") {
    Fixture it;
    it.folder.file("a", content);
    (void)it.faults.set("locked");
    it.start();
    CHECK(it.list(storages_key).empty());
    it.faults.clear();
    (void)it.driver.tick();
    CHECK(it.host.listed_again.back() == storages_key);
    CHECK(it.list(storages_key).size() == 1);
    CHECK(it.reads(it.entry(it.root(), "a").key, content));
}

TEST_CASE("every fault: no crash, no hang, only errors that a program may see; then all is well again") {
    for (const auto& [name, what] : virtual_usb::Faults::known()) {
        CAPTURE(name);
        Fixture it;
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
    Fixture it;
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
    for (const int code : {EIO, EPIPE, ETIMEDOUT, ENODEV}) {
        CAPTURE(code);
        bool failed = true;
        for (std::size_t number = 1; failed; ++number) {
            CAPTURE(number);
            REQUIRE(number < 500);
            Fixture it;
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
