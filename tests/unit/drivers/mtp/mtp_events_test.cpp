// What the device reports by itself, and what it does not report.
#include "driver_fixture.h"

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

const Bytes content = pattern(3, 5000);

}  // namespace

TEST_CASE("what the device reports is followed") {
    DriverFixture it;
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
    DriverFixture it;
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
    DriverFixture it;
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
    DriverFixture it;
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

TEST_CASE("a locked device has no storage until it is unlocked") {
    DriverFixture it;
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
