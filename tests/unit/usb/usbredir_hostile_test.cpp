// The usbredir transport against a usb-host that lies: nothing may crash, hang or leak.
#include "scripted_host.h"
#include "usb/backend.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;

namespace {

Deadline soon() {
    return Deadline::after(std::chrono::seconds(10));
}

Bytes bulk_body(std::uint8_t endpoint, std::uint8_t status, std::uint32_t length, const Bytes& data) {
    ByteWriter writer;
    writer.u8(endpoint);
    writer.u8(status);
    writer.u16le(static_cast<std::uint16_t>(length));
    writer.u32le(0);
    writer.u16le(static_cast<std::uint16_t>(length >> 16U));
    writer.append(data);
    return std::move(writer).take();
}

// What a bulk IN transfer of 512 bytes ends in when the host does `misdeed` in place of an answer: 0 or an errno.
using Misdeed = std::function<void(ScriptedHost&, std::uint64_t id)>;
int outcome(const Misdeed& misdeed, std::uint8_t endpoint = 0x81, std::size_t* moved = nullptr) {
    auto [ours, theirs] = socket_pair();
    ScriptedHost* self = nullptr;
    ScriptedHost::Hooks hooks;
    hooks.bulk = [&](auto id, const auto&, auto) { misdeed(*self, id); };
    ScriptedHost host(std::move(theirs), Model(), std::move(hooks));
    self = &host;
    auto device = open_usbredir(std::move(ours), soon());
    REQUIRE(device);
    REQUIRE((*device)->claim(0));
    auto transfer = (*device)->create_transfer(endpoint, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    const auto start = std::chrono::steady_clock::now();
    const auto result = (*transfer)->wait(soon());
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    if (moved != nullptr) {
        *moved = (*transfer)->moved();
    }
    return result ? 0 : result.error().code;
}

void good_answer(ScriptedHost& host, std::uint64_t id) {
    host.answer_bulk(id, 0x81, usb_redir_success, pattern(100));
}

}  // namespace

TEST_CASE("packets that break the protocol end the session, without waiting for what they announce") {
    const std::vector<Bytes> packets{
        raw_packet(usb_redir_bulk_packet, 1, {}, 0xffffffff),
        raw_packet(usb_redir_bulk_packet, 1, {}, 0x7fffffff),
        raw_packet(usb_redir_bulk_packet, 1, {}, 10 + 512 + 65537),
        raw_packet(usb_redir_bulk_packet, 1, {}, 9),  // shorter than its header
        raw_packet(usb_redir_hello, 0, Bytes(68)),
        raw_packet(usb_redir_set_configuration, 1, Bytes(1)),
        raw_packet(usb_redir_cancel_data_packet, 1, {}),
        raw_packet(usb_redir_filter_filter, 0, Bytes(1000)),
        raw_packet(usb_redir_iso_packet, 0, Bytes(4)),
        raw_packet(200, 0, {}),
        raw_packet(usb_redir_ep_info, 0, Bytes(100)),
        raw_packet(usb_redir_interface_info, 0, bytes({33, 0, 0, 0}), 132),
    };
    for (const Bytes& packet : packets) {
        CAPTURE(static_cast<int>(packet[0]));
        CHECK(outcome([&](ScriptedHost& host, std::uint64_t) {
                  host.send_raw(packet);
                  host.send_raw(Bytes(200));  // so that what has a header but too few bytes is complete
              }) == ENODEV);
    }
}

TEST_CASE("a data length that contradicts the packet's ends the session") {
    CHECK(outcome([](ScriptedHost& host, std::uint64_t id) {
              host.send_raw(raw_packet(usb_redir_bulk_packet, id, bulk_body(0x81, 0, 50, pattern(60))));
          }) == ENODEV);
    CHECK(outcome([](ScriptedHost& host, std::uint64_t id) {
              host.send_raw(raw_packet(usb_redir_bulk_packet, id, bulk_body(0x81, 0, 0xffffffff, pattern(60))));
          }) == ENODEV);
    CHECK(outcome(
              [](ScriptedHost& host, std::uint64_t id) {  // data in the wrong direction
                  host.send_raw(raw_packet(usb_redir_bulk_packet, id, bulk_body(0x02, 0, 60, pattern(60))));
              },
              0x02) == ENODEV);
}

TEST_CASE("answers to nobody are ignored") {
    std::size_t moved = 0;
    CHECK(outcome(
              [](ScriptedHost& host, std::uint64_t id) {
                  host.answer_bulk(id + 1000, 0x81, usb_redir_success, pattern(512));
                  host.answer_bulk(0, 0x81, usb_redir_success, pattern(512));
                  host.answer_bulk(id | (std::uint64_t{1} << 40U), 0x81, usb_redir_success, pattern(512));
                  host.interrupt(0x83, usb_redir_success, pattern(16));  // nobody listens
                  host.interrupt_status(0x8f, usb_redir_stall);
                  host.send_raw(raw_packet(usb_redir_interrupt_packet, id, bytes({0x04, 0, 0, 0})));  // wrong kind
                  host.send_raw(raw_packet(usb_redir_alt_setting_status, id, Bytes(3)));
                  host.send_raw(raw_packet(usb_redir_configuration_status, 77, Bytes(2)));
                  host.send_raw(raw_packet(usb_redir_device_connect, 0, Bytes(10)));
                  good_answer(host, id);
                  good_answer(host, id);  // twice
              },
              0x81, &moved) == 0);
    CHECK(moved == 100);
}

TEST_CASE("answers that do not fit their request") {
    CHECK(outcome([](ScriptedHost& host, std::uint64_t id) {
              host.answer_bulk(id, 0x84, usb_redir_success, pattern(10));  // another endpoint
          }) == EIO);
    std::size_t moved = 0;
    CHECK(outcome([](ScriptedHost& host, std::uint64_t id) { host.answer_bulk(id, 0x81, 0, pattern(513)); }, 0x81,
                  &moved) == EOVERFLOW);
    CHECK(moved == 512);
    CHECK(outcome([](ScriptedHost& host, std::uint64_t id) { host.answer_bulk_out(id, 0x02, 0, 513); }, 0x02, &moved) ==
          EOVERFLOW);
    CHECK(moved == 512);
    for (const int status : {7, 100, 255}) {
        CHECK(outcome([&](ScriptedHost& host, std::uint64_t id) {
                  host.answer_bulk(id, 0x81, static_cast<std::uint8_t>(status), {});
              }) == EIO);
    }
}

TEST_CASE("endpoint information that makes no sense only costs the endpoints") {
    auto [ours, theirs] = socket_pair();
    ScriptedHost* self = nullptr;
    ScriptedHost::Hooks hooks;
    hooks.control = [&](auto id, usb_redir_control_packet_header header, auto) {
        self->send_raw(raw_packet(usb_redir_ep_info, 0, Bytes(160, std::byte{0xff})));
        header.length = 0;
        usbredirparser_send_control_packet(self->parser(), id, &header, nullptr, 0);
    };
    ScriptedHost host(std::move(theirs), Model(), std::move(hooks));
    self = &host;
    auto device = open_usbredir(std::move(ours), soon());
    REQUIRE(device);
    REQUIRE((*device)->claim(0));
    REQUIRE((*device)->create_transfer(0x81, 512));
    REQUIRE((*device)->control_out({.request_type = 0x40}, {}, soon()));
    CHECK((*device)->create_transfer(0x81, 512).error().code == EINVAL);
}

TEST_CASE("of a flood of interrupt packets 64 are kept, the newest") {
    auto [ours, theirs] = socket_pair();
    ScriptedHost* self = nullptr;
    ScriptedHost::Hooks hooks;
    hooks.start_interrupts = [&](std::uint8_t endpoint) {
        for (int i = 0; i < 200; ++i) {
            self->interrupt(endpoint, usb_redir_success, bytes({i}));
        }
        self->interrupt(endpoint, usb_redir_success, pattern(16));  // longer than wanted: dropped
    };
    ScriptedHost host(std::move(theirs), Model(), std::move(hooks));
    self = &host;
    auto device = open_usbredir(std::move(ours), soon());
    REQUIRE(device);
    REQUIRE((*device)->claim(0));
    REQUIRE((*device)->listen(0x83, 8));
    std::array<std::byte, 18> data{};
    REQUIRE((*device)->control_in({.request = 6, .value = 0x100}, data, soon()));  // comes after the packets
    std::vector<int> values;
    while (auto arrival = (*device)->next_arrival()) {
        REQUIRE(arrival->packet.size() == 1);
        values.push_back(std::to_integer<int>(arrival->packet[0]));
    }
    REQUIRE(values.size() == 64);
    CHECK(values.front() == 136);
    CHECK(values.back() == 199);
}

TEST_CASE("a host that never stops sending does not outlast a deadline") {
    std::atomic<bool> stop{false};
    auto [ours, theirs] = socket_pair();
    ScriptedHost* self = nullptr;
    ScriptedHost::Hooks hooks;
    hooks.bulk = [&](auto, const auto&, auto) {
        const Bytes packet = raw_packet(usb_redir_bulk_packet, 999, bulk_body(0x81, 0, 400, pattern(400)));
        Bytes many;
        for (int i = 0; i < 100; ++i) {
            many.insert(many.end(), packet.begin(), packet.end());
        }
        while (!stop) {
            self->send_raw(many);
        }
    };
    ScriptedHost host(std::move(theirs), Model(), std::move(hooks));
    self = &host;
    auto device = open_usbredir(std::move(ours), soon());
    REQUIRE(device);
    REQUIRE((*device)->claim(0));
    auto transfer = (*device)->create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    const auto start = std::chrono::steady_clock::now();
    CHECK((*transfer)->wait(Deadline::after(std::chrono::milliseconds(50))).error().code == ETIMEDOUT);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(4));
    stop = true;
    transfer->reset();
    device->reset();
}

TEST_CASE("a host that does not read is not sent endless data") {
    std::atomic<bool> stop{false};
    auto [ours, theirs] = socket_pair();
    ScriptedHost* self = nullptr;
    ScriptedHost::Hooks hooks;
    hooks.bulk = [&](auto, const auto&, auto) {
        stop.wait(false);
        self->vanish();
    };
    ScriptedHost host(std::move(theirs), Model(), std::move(hooks));
    self = &host;
    auto device = open_usbredir(std::move(ours), soon());
    REQUIRE(device);
    REQUIRE((*device)->claim(0));
    std::vector<std::unique_ptr<Transfer>> transfers;
    Result<void> submitted;
    while (submitted && transfers.size() < 40) {
        auto transfer = (*device)->create_transfer(0x02, std::size_t{4} << 20U);
        REQUIRE(transfer);
        submitted = (*transfer)->submit((*transfer)->buffer().size());
        transfers.push_back(std::move(*transfer));
    }
    REQUIRE(!submitted);
    CHECK(submitted.error().code == EIO);
    CHECK(transfers.size() > 10);
    // Nobody answers the cancellations either; that costs a second once, not for each.
    const auto start = std::chrono::steady_clock::now();
    transfers.clear();
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(4));
    stop = true;
    stop.notify_all();
    device->reset();
}
