// Each fault does what its description says, and nothing once it is switched off.
#include "virtual/player/faults.h"

#include "drivers/mtp/datasets.h"
#include "initiator.h"

#include <set>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using namespace plugfs::virtual_usb::test;
namespace op = plugfs::mtp::operation;
namespace rc = plugfs::mtp::response;

namespace {

struct Fixture : Initiator {
    std::uint32_t file = 0;
    Fixture() {
        folder.file("file", content(2036));  // with its header: a multiple of the packet size
        open();
        file = list().at(0);
    }
    std::deque<InTransfer>& queue(std::uint16_t operation, const std::vector<std::uint32_t>& parameters) {
        CHECK(say(command(operation, 77, parameters)));
        return responder->in(player_bulk_in);
    }
    std::vector<Container> containers(std::uint16_t operation, const std::vector<std::uint32_t>& parameters) {
        CHECK(say(command(operation, 77, parameters)));
        return transfers();
    }
};

// Faults that the tests below, and those of responder_writing_test.cpp and responder_hostile_test.cpp, are about; the
// last test sees to it that there is none without.
const std::set<std::string> tested = {"stall-data",
                                      "stall-response",
                                      "short-data",
                                      "missing-zlp",
                                      "wrong-transaction-id",
                                      "long-length",
                                      "short-length",
                                      "wrong-container-type",
                                      "lying-count",
                                      "garbage",
                                      "header-apart",
                                      "no-partial-64",
                                      "no-object-prop-list",
                                      "no-partial",
                                      "slow",
                                      "throttle",
                                      "hang",
                                      "read-past-end-hang",
                                      "full-packet-end-hang",
                                      "locked",
                                      "odd-names",
                                      "unplug-after",
                                      "new-handles",
                                      "read-only",
                                      "no-edit",
                                      "no-rename",
                                      "no-move",
                                      "no-copy",
                                      "refuse-copy",
                                      "short-copy",
                                      "renamed-copy",
                                      "no-such-copy",
                                      "copy-moves",
                                      "slow-copy",
                                      "refuse-empty",
                                      "short-store",
                                      "send-stall",
                                      "drop-dates",
                                      "local-dates",
                                      "free",
                                      "own-events",
                                      "no-format-filter",
                                      "no-properties",
                                      "no-references"};

}  // namespace

TEST_CASE("faults are set by name, with or without a number") {
    Faults faults;
    CHECK_FALSE(faults.set("no-such-fault"));
    CHECK_FALSE(faults.set(""));
    CHECK_FALSE(faults.set("=5"));
    CHECK_FALSE(faults.on("slow"));
    CHECK(faults.set("slow"));
    CHECK(faults.on("slow"));
    CHECK(faults.number("slow", 100) == 100);
    CHECK(faults.set("slow=250"));
    CHECK(faults.number("slow", 100) == 250);
    CHECK(faults.set("slow=often"));
    CHECK(faults.number("slow", 100) == 100);
    CHECK(faults.set("slow=99999999999999999999999"));
    CHECK(faults.number("slow", 100) == 100);
    CHECK(faults.number("throttle", 7) == 7);
    CHECK(faults.set("hang"));
    faults.clear("hang");
    CHECK_FALSE(faults.on("hang"));
    CHECK(faults.on("slow"));
    faults.clear();
    CHECK_FALSE(faults.on("slow"));
}

TEST_CASE("stall-data, stall-response") {
    Fixture it;
    CHECK(it.faults.set("stall-data"));
    auto& queue = it.queue(op::get_object, {it.file});
    REQUIRE(queue.size() == 2);
    CHECK(queue[0].stall);
    CHECK_FALSE(queue[1].stall);
    it.faults.clear();
    CHECK(it.faults.set("stall-response"));
    auto& again = it.queue(op::get_object, {it.file});
    REQUIRE(again.size() == 2);
    CHECK_FALSE(again[0].stall);
    CHECK(again[1].stall);
}

TEST_CASE("short-data, long-length, short-length: header and data do not agree") {
    Fixture it;
    CHECK(it.faults.set("short-data"));
    auto sent = it.containers(op::get_object, {it.file});
    CHECK(sent.at(0).length == 2048);
    CHECK(sent.at(0).payload.size() == 1018);
    it.faults.clear();
    CHECK(it.faults.set("long-length"));
    sent = it.containers(op::get_object, {it.file});
    CHECK(sent.at(0).length == 3048);
    CHECK(sent.at(0).payload.size() == 2036);
    it.faults.clear();
    CHECK(it.faults.set("short-length"));
    sent = it.containers(op::get_object, {it.file});
    CHECK(sent.at(0).length == 2048 - 1018);
    CHECK(sent.at(0).payload.size() == 2036);
    CHECK(sent.at(1).length == 32);  // responses are not affected
}

TEST_CASE("missing-zlp") {
    Fixture it;
    CHECK(it.queue(op::get_object, {it.file}).front().zero_length_packet);
    CHECK(it.faults.set("missing-zlp"));
    CHECK_FALSE(it.queue(op::get_object, {it.file}).front().zero_length_packet);
}

TEST_CASE("wrong-transaction-id, wrong-container-type") {
    Fixture it;
    CHECK(it.faults.set("wrong-transaction-id"));
    for (const auto& container : it.containers(op::get_object, {it.file})) {
        CHECK(container.transaction != 77);
    }
    it.faults.clear();
    CHECK(it.faults.set("wrong-container-type"));
    for (const auto& container : it.containers(op::get_object, {it.file})) {
        CHECK(container.type == 77);
    }
}

TEST_CASE("lying-count, garbage: datasets, not data") {
    Fixture it;
    CHECK(it.faults.set("lying-count"));
    CHECK_FALSE(mtp::parse_handles("", *it.ask(op::get_storage_ids).data));
    CHECK_FALSE(mtp::parse_object_prop_list(*it.ask(op::get_object_prop_list, {0, 0, mtp::all_properties, 0, 1}).data));
    CHECK(it.ask(op::get_object, {it.file}).data == content(2036));
    it.faults.clear();
    CHECK(it.faults.set("garbage"));
    CHECK_FALSE(mtp::parse_handles("", *it.ask(op::get_storage_ids).data));
    CHECK(it.ask(op::get_object, {it.file}).data == content(2036));
    it.faults.clear();
    CHECK(mtp::parse_handles("", *it.ask(op::get_storage_ids).data));
}

TEST_CASE("header-apart") {
    Fixture it;
    CHECK(it.faults.set("header-apart"));
    auto& queue = it.queue(op::get_object, {it.file});
    REQUIRE(queue.size() == 3);
    CHECK(queue[0].bytes.size() == 12);
    CHECK(queue[1].bytes.take(5000) == content(2036));
}

TEST_CASE("no-object-prop-list, no-partial-64, no-partial") {
    Fixture it;
    CHECK(it.faults.set("no-object-prop-list"));
    CHECK(it.ask(op::get_object_prop_list, {0, 0, mtp::all_properties, 0, 1}).code == rc::operation_not_supported);
    CHECK(it.faults.set("no-partial-64"));
    CHECK(it.ask(op::get_partial_object_64, {it.file, 0, 0, 1}).code == rc::operation_not_supported);
    CHECK(it.ask(op::get_partial_object, {it.file, 0, 1}).code == rc::ok);
    CHECK(it.faults.set("no-partial"));
    CHECK(it.ask(op::get_partial_object, {it.file, 0, 1}).code == rc::operation_not_supported);
    CHECK(it.ask(op::get_object, {it.file}).code == rc::ok);
}

TEST_CASE("slow, throttle: transfers that are not to be sent yet") {
    Fixture it;
    CHECK(it.queue(op::get_object, {it.file}).front().not_before <= InTransfer::Clock::now());
    CHECK(it.faults.set("slow=3600000"));
    CHECK(it.queue(op::get_object, {it.file}).front().not_before > InTransfer::Clock::now());
    it.faults.clear();
    CHECK(it.faults.set("throttle=1"));
    CHECK(it.queue(op::get_object, {it.file}).front().not_before > InTransfer::Clock::now());
    CHECK(it.faults.set("throttle=0"));
    CHECK(it.queue(op::get_object, {it.file}).size() == 2);
}

TEST_CASE("hang, read-past-end-hang") {
    Fixture it;
    CHECK(it.faults.set("hang"));
    CHECK(it.containers(op::get_object, {it.file}).empty());
    CHECK(it.containers(op::get_device_info, {}).empty());
    it.faults.clear();
    CHECK(it.faults.set("read-past-end-hang"));
    CHECK(it.ask(op::get_partial_object, {it.file, 2000, 36}).code == rc::ok);
    CHECK(it.ask(op::get_object, {it.file}).code == rc::ok);
    CHECK(it.containers(op::get_partial_object, {it.file, 2000, 37}).empty());
    CHECK(it.containers(op::get_partial_object, {it.file, 2037, 0}).empty());
    CHECK(it.containers(op::get_partial_object_64, {it.file, 0, 1, 1}).empty());
}

TEST_CASE("full-packet-end-hang") {
    Fixture it;
    CHECK(it.faults.set("full-packet-end-hang"));
    const std::uint32_t packet = 512;
    const std::uint32_t at = 2036 - (packet - 12);
    CHECK(it.containers(op::get_partial_object, {it.file, at, packet - 12}).empty());
    CHECK(it.containers(op::get_partial_object_64, {it.file, at, 0, packet}).empty());
    CHECK(it.ask(op::get_partial_object, {it.file, at, packet - 13}).code == rc::ok);
    CHECK(it.ask(op::get_partial_object, {it.file, at + 1, packet - 13}).code == rc::ok);
    CHECK(it.ask(op::get_partial_object, {it.file, 0, packet - 12}).code == rc::ok);
}

TEST_CASE("locked: no storage") {
    Fixture it;
    CHECK(it.faults.set("locked"));
    CHECK(it.ask(op::get_storage_ids).data == Bytes(4));
    CHECK(it.ask(op::get_storage_info, {it.storage}).code == rc::invalid_storage_id);
    CHECK(it.list().empty());
    it.faults.clear("locked");
    CHECK(it.list().size() == 1);
}

TEST_CASE("odd-names") {
    Initiator it;
    for (const char* name : {"a", "b", "c"}) {
        it.folder.file(name, {});
    }
    it.open();
    CHECK(it.faults.set("odd-names"));
    int twice = 0;
    int slash = 0;
    int damaged = 0;
    for (const std::uint32_t handle : it.list()) {
        const auto info = mtp::parse_object_info(handle, *it.ask(op::get_object_info, {handle}).data);
        REQUIRE(info);
        twice += info->filename == "twice.wav";
        slash += info->filename.find('/') != std::string::npos;
        damaged += info->damaged_name;
    }
    CHECK(twice == 1);
    CHECK(slash == 1);
    CHECK(damaged == 1);
}

TEST_CASE("new-handles") {
    Fixture it;
    CHECK(it.faults.set("new-handles"));
    it.responder->reset();
    it.open();
    CHECK(it.ask(op::get_object, {it.file}).code == rc::invalid_object_handle);
    CHECK(it.list().at(0) != it.file);
}

TEST_CASE("no-properties, no-references: a player without them") {
    Fixture it;
    CHECK(it.ask(op::get_object_prop_value, {it.file, mtp::object_property::object_size}).code == rc::ok);
    CHECK(it.ask(op::get_object_references, {it.file}).code == rc::ok);
    CHECK(it.faults.set("no-properties"));
    CHECK(it.faults.set("no-references"));
    CHECK(it.ask(op::get_object_prop_value, {it.file, mtp::object_property::object_size}).code ==
          rc::operation_not_supported);
    CHECK(it.ask(op::get_object_references, {it.file}).code == rc::operation_not_supported);
}

TEST_CASE("unplug-after counts the data that was sent") {
    Fixture it;
    const auto before = it.responder->data_sent();
    CHECK(it.ask(op::get_object, {it.file}).code == rc::ok);
    CHECK(it.responder->data_sent() - before == 2036);
}

TEST_CASE("there is no fault without a test") {
    std::set<std::string> known;
    for (const auto& [name, what] : Faults::known()) {
        CHECK_FALSE(what.empty());
        known.insert(name);
    }
    CHECK(known == tested);
}
