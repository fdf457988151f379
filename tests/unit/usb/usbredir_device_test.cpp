// The usbredir transport against a usb-host that keeps to the protocol.
#include "scripted_host.h"
#include "usb/backend.h"

#include <doctest/doctest.h>

#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;
using std::chrono::milliseconds;

namespace {

Deadline soon() {
    return Deadline::after(std::chrono::seconds(10));
}

struct Connection {
    std::unique_ptr<ScriptedHost> host;
    std::unique_ptr<Backend> device;

    // Hooks need the host; it is theirs through this pointer, set before the first hook can run.
    explicit Connection(const std::function<ScriptedHost::Hooks(ScriptedHost*&)>& hooks = nullptr, Model model = {}) {
        auto [ours, theirs] = socket_pair();
        ScriptedHost::Hooks made = hooks ? hooks(self) : ScriptedHost::Hooks{};
        // The host may only be used by a hook once the device asks for something, which is after this constructor has
        // set `self`: opening alone triggers none.
        host = std::make_unique<ScriptedHost>(std::move(theirs), std::move(model), std::move(made));
        self = host.get();
        auto opened = open_usbredir(std::move(ours), soon());
        REQUIRE_MESSAGE(opened.ok(), (opened ? "" : opened.error().text()));
        device = std::move(opened).value();
    }
    // Closes our end and waits until the host has seen everything.
    void close() {
        device.reset();
        host->stop();
    }
    ScriptedHost* self = nullptr;
};

// Makes hooks that answer bulk packets with `answer`.
using BulkHook =
    std::function<void(ScriptedHost&, std::uint64_t, const usb_redir_bulk_packet_header&, std::span<const std::byte>)>;
std::function<ScriptedHost::Hooks(ScriptedHost*&)> on_bulk(BulkHook answer) {
    return [answer = std::move(answer)](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.bulk = [&host, answer](auto id, const auto& header, auto data) { answer(*host, id, header, data); };
        return hooks;
    };
}

std::size_t length_of(const usb_redir_bulk_packet_header& header) {
    return (std::size_t{header.length_high} << 16U) | header.length;
}

}  // namespace

TEST_CASE("opening reads identity, strings and all alternate settings") {
    Connection connection;
    const Identity& identity = connection.device->identity();
    CHECK(identity.vendor_id == 0x054c);
    CHECK(identity.product_id == 0x1234);
    CHECK(identity.device_release == 0x0201);
    CHECK(identity.speed == Speed::high);
    CHECK(identity.manufacturer == "Sony");
    CHECK(identity.product == "W\xc3\xa4");
    CHECK(identity.serial_number == "42");
    const auto interfaces = connection.device->interfaces();
    REQUIRE(interfaces.size() == 3);
    CHECK(interfaces[0].name == "MTP");
    CHECK(interfaces[0].endpoints.size() == 3);
    CHECK(interfaces[1].endpoints.empty());
    CHECK(interfaces[2].alternate_setting == 1);
    REQUIRE(interfaces[2].endpoints.size() == 1);
    CHECK(interfaces[2].endpoints[0].address == 0x84);
}

TEST_CASE("several bulk IN transfers in flight, longer than 64 KiB, arrive in order") {
    constexpr std::size_t size = 200'000;
    unsigned count = 0;
    std::deque<std::pair<std::uint64_t, std::size_t>> held;
    Connection connection(on_bulk([&](ScriptedHost& host, auto id, const auto& header, auto) {
        held.emplace_back(id, length_of(header));
        if (held.size() == 4) {  // not one answer before all four are there: they are in flight together
            for (const auto& [held_id, length] : held) {
                host.answer_bulk(held_id, 0x81, usb_redir_success, pattern(length, count++));
            }
        }
    }));
    REQUIRE(connection.device->claim(0));
    std::vector<std::unique_ptr<Transfer>> transfers;
    for (int i = 0; i < 4; ++i) {
        auto transfer = connection.device->create_transfer(0x81, size);
        REQUIRE(transfer);
        transfers.push_back(std::move(*transfer));
        REQUIRE(transfers.back()->submit(size));
        CHECK(transfers.back()->in_flight());
    }
    for (unsigned i = 0; i < 4; ++i) {
        const auto moved = transfers[i]->wait(soon());
        REQUIRE(moved);
        CHECK(*moved == size);
        CHECK(std::ranges::equal(transfers[i]->buffer(), pattern(size, i)));
    }
}

TEST_CASE("a short packet is no error, and the transfer can be used again") {
    Connection connection(on_bulk([](ScriptedHost& host, auto id, const auto&, auto) {
        host.answer_bulk(id, 0x81, usb_redir_success, pattern(7));
    }));
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 1024);
    REQUIRE(transfer);
    for (int i = 0; i < 3; ++i) {
        REQUIRE((*transfer)->submit(1024));
        const auto moved = (*transfer)->wait(soon());
        REQUIRE(moved);
        CHECK(*moved == 7);
    }
}

TEST_CASE("OUT data arrives whole; a zero-length packet follows where it is wanted") {
    std::vector<Bytes> got;
    Connection connection(on_bulk([&](ScriptedHost& host, auto id, const auto&, auto data) {
        got.emplace_back(data.begin(), data.end());
        host.answer_bulk_out(id, 0x02, usb_redir_success, data.size());
    }));
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x02, 102'400);
    REQUIRE(transfer);
    std::ranges::copy(pattern(102'400), (*transfer)->buffer().begin());
    REQUIRE((*transfer)->submit(102'400, true));
    auto moved = (*transfer)->wait(soon());
    REQUIRE(moved);
    CHECK(*moved == 102'400);
    REQUIRE((*transfer)->submit(1000, true));  // not a multiple of 512: nothing follows
    REQUIRE((*transfer)->wait(soon()));
    REQUIRE((*transfer)->submit(0));
    REQUIRE((*transfer)->wait(soon()));
    transfer->reset();
    connection.close();
    REQUIRE(got.size() == 4);
    CHECK(got[0] == pattern(102'400));
    CHECK(got[1].empty());
    CHECK(got[2].size() == 1000);
    CHECK(got[3].empty());
}

TEST_CASE("a stall is EPIPE; clearing the halt makes the endpoint work again") {
    bool halted = true;
    std::vector<int> cleared;
    Connection connection([&](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.bulk = [&](auto id, const auto&, auto) {
            host->answer_bulk(id, 0x81, halted ? usb_redir_stall : usb_redir_success, halted ? Bytes() : pattern(3));
        };
        hooks.clear_halt = [&](std::uint8_t endpoint) {
            cleared.push_back(endpoint);
            halted = false;
        };
        return hooks;
    });
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    const auto stalled = (*transfer)->wait(soon());
    REQUIRE(!stalled);
    CHECK(stalled.error().code == EPIPE);
    REQUIRE(connection.device->clear_halt(0x81, soon()));
    REQUIRE((*transfer)->submit(512));
    CHECK((*transfer)->wait(soon()).ok());
    transfer->reset();
    connection.close();
    CHECK(cleared == std::vector<int>{0x81});
}

TEST_CASE("the statuses of control requests") {
    Connection connection([](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.control = [&host](auto id, usb_redir_control_packet_header header, auto) {
            header.status = static_cast<std::uint8_t>(header.value);
            header.length = 0;
            usbredirparser_send_control_packet(host->parser(), id, &header, nullptr, 0);
        };
        return hooks;
    });
    const std::vector<std::pair<int, int>> expected{{usb_redir_cancelled, ECANCELED},
                                                    {usb_redir_inval, EIO},
                                                    {usb_redir_ioerror, EIO},
                                                    {usb_redir_stall, EPIPE},
                                                    {usb_redir_timeout, ETIMEDOUT},
                                                    {usb_redir_babble, EOVERFLOW},
                                                    {7, EIO},
                                                    {255, EIO}};
    std::array<std::byte, 8> data{};
    for (const auto& [status, code] : expected) {
        const Setup setup{.request_type = 0x40, .request = 9, .value = static_cast<std::uint16_t>(status)};
        const auto in = connection.device->control_in(setup, data, soon());
        REQUIRE(!in);
        CHECK(in.error().code == code);
        const auto out = connection.device->control_out(setup, data, soon());
        REQUIRE(!out);
        CHECK(out.error().code == code);
    }
    const auto fine = connection.device->control_out({.request_type = 0x40}, {}, soon());
    REQUIRE(fine);
    CHECK(*fine == 0);
}

TEST_CASE("a deadline cancels the transfer, and says what had arrived") {
    std::vector<std::uint64_t> asked;
    std::vector<std::uint64_t> cancelled;
    Connection connection([&](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.bulk = [&](auto id, const auto&, auto) {
            asked.push_back(id);
            if (asked.size() == 2) {
                host->answer_bulk(id, 0x81, usb_redir_success, pattern(5));
            }
        };
        hooks.cancel = [&](auto id) {
            cancelled.push_back(id);
            host->answer_bulk(id, 0x81, usb_redir_cancelled, pattern(100));
        };
        return hooks;
    });
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    const auto late = (*transfer)->wait(Deadline::after(milliseconds(20)));
    REQUIRE(!late);
    CHECK(late.error().code == ETIMEDOUT);
    CHECK((*transfer)->moved() == 100);
    CHECK(!(*transfer)->in_flight());
    REQUIRE((*transfer)->submit(512));
    const auto moved = (*transfer)->wait(soon());
    REQUIRE(moved);
    CHECK(*moved == 5);
    transfer->reset();
    connection.close();
    REQUIRE(asked.size() == 2);
    CHECK(cancelled == std::vector<std::uint64_t>{asked[0]});
}

TEST_CASE("cancel() ends in ECANCELED, or in the result if that was quicker") {
    Connection connection([](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.cancel = [&host](auto id) { host->answer_bulk(id, 0x81, usb_redir_cancelled, {}); };
        return hooks;
    });
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    (*transfer)->cancel();
    const auto result = (*transfer)->wait(soon());
    REQUIRE(!result);
    CHECK(result.error().code == ECANCELED);
}

TEST_CASE("a host that ignores a cancellation is waited for a second at most; its late answer hurts nobody") {
    std::vector<std::uint64_t> asked;
    Connection connection(on_bulk([&](ScriptedHost& host, auto id, const auto&, auto) {
        asked.push_back(id);
        if (asked.size() == 2) {
            host.answer_bulk(asked[0], 0x81, usb_redir_success, pattern(512, 1));
            host.answer_bulk(asked[1], 0x81, usb_redir_success, pattern(512, 2));
        }
    }));
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    const auto start = std::chrono::steady_clock::now();
    const auto late = (*transfer)->wait(Deadline::after(milliseconds(1)));
    const auto took = std::chrono::steady_clock::now() - start;
    REQUIRE(!late);
    CHECK(late.error().code == ETIMEDOUT);
    CHECK(took >= milliseconds(1000));
    CHECK(took < milliseconds(3000));
    REQUIRE((*transfer)->submit(512));
    REQUIRE((*transfer)->wait(soon()));
    CHECK(std::ranges::equal((*transfer)->buffer(), pattern(512, 2)));
}

TEST_CASE("destroying a transfer in flight cancels it") {
    std::vector<std::uint64_t> cancelled;
    Connection connection([&](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.cancel = [&](auto id) {
            cancelled.push_back(id);
            host->answer_bulk(id, 0x81, usb_redir_cancelled, {});
        };
        return hooks;
    });
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    transfer->reset();
    connection.close();
    CHECK(cancelled.size() == 1);
}

TEST_CASE("when the host vanishes or the device is disconnected, everything is ENODEV at once") {
    for (const bool politely : {false, true}) {
        CAPTURE(politely);
        Connection connection(on_bulk(
            [&](ScriptedHost& host, auto, const auto&, auto) { politely ? host.disconnect() : host.vanish(); }));
        REQUIRE(connection.device->claim(0));
        auto transfer = connection.device->create_transfer(0x81, 512);
        REQUIRE(transfer);
        REQUIRE((*transfer)->submit(512));
        const auto start = std::chrono::steady_clock::now();
        const auto gone = (*transfer)->wait(Deadline::after(std::chrono::seconds(30)));
        REQUIRE(!gone);
        CHECK(gone.error().code == ENODEV);
        std::array<std::byte, 8> data{};
        Backend& device = *connection.device;
        const auto later = Deadline::after(std::chrono::seconds(30));
        CHECK((*transfer)->submit(512).error().code == ENODEV);
        CHECK(device.control_in({}, data, later).error().code == ENODEV);
        CHECK(device.control_out({}, data, later).error().code == ENODEV);
        CHECK(device.clear_halt(0x81, later).error().code == ENODEV);
        CHECK(device.reset(later).error().code == ENODEV);
        CHECK(device.claim(1).error().code == ENODEV);
        CHECK(device.set_alternate_setting(0, 0, later).error().code == ENODEV);
        CHECK(device.create_transfer(0x81, 512).error().code == ENODEV);
        CHECK(device.listen(0x83, 16).error().code == ENODEV);
        CHECK(device.wait_activity(-1, later).error().code == ENODEV);
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    }
}

TEST_CASE("a driver's mistakes are EINVAL, a second claim EBUSY") {
    Connection connection;
    Backend& device = *connection.device;
    CHECK(device.create_transfer(0x81, 512).error().code == EINVAL);  // not claimed
    CHECK(device.claim(7).error().code == EINVAL);
    REQUIRE(device.claim(0));
    CHECK(device.claim(0).error().code == EBUSY);
    CHECK(device.create_transfer(0x85, 512).error().code == EINVAL);
    CHECK(device.create_transfer(0x00, 512).error().code == EINVAL);
    CHECK(device.create_transfer(0x84, 512).error().code == EINVAL);  // not in this alternate setting
    CHECK(device.listen(0x81, 512).error().code == EINVAL);
    CHECK(device.set_alternate_setting(0, 3, soon()).error().code == EINVAL);
    CHECK(device.set_alternate_setting(1, 1, soon()).error().code == EINVAL);  // not claimed
    auto transfer = device.create_transfer(0x81, 512);
    REQUIRE(transfer);
    CHECK((*transfer)->submit(513).error().code == EINVAL);
    CHECK((*transfer)->wait(soon()).error().code == EINVAL);
    REQUIRE(device.release(0));
    CHECK(device.release(0).error().code == EINVAL);
}

TEST_CASE("an alternate setting brings its endpoints") {
    Connection connection(on_bulk([](ScriptedHost& host, auto id, const auto& header, auto) {
        host.answer_bulk(id, header.endpoint, usb_redir_success, pattern(9));
    }));
    Backend& device = *connection.device;
    REQUIRE(device.claim(1));
    CHECK(!device.create_transfer(0x84, 512));
    REQUIRE(device.set_alternate_setting(1, 1, soon()));
    auto transfer = device.create_transfer(0x84, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    CHECK((*transfer)->wait(soon()).ok());
    REQUIRE(device.set_alternate_setting(1, 0, soon()));
    CHECK(!device.create_transfer(0x84, 512));
}

TEST_CASE("a reset cancels what is in flight and puts alternate settings back") {
    unsigned resets = 0;
    Connection connection([&](ScriptedHost*&) {
        ScriptedHost::Hooks hooks;
        hooks.reset = [&] { ++resets; };
        return hooks;
    });
    Backend& device = *connection.device;
    REQUIRE(device.claim(0));
    REQUIRE(device.claim(1));
    REQUIRE(device.set_alternate_setting(1, 1, soon()));
    auto transfer = device.create_transfer(0x81, 512);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512));
    REQUIRE(device.reset(soon()));
    CHECK(!(*transfer)->in_flight());
    CHECK((*transfer)->wait(soon()).error().code == ECANCELED);
    CHECK(!device.create_transfer(0x84, 512));
    transfer->reset();
    connection.close();
    CHECK(resets == 1);
}

TEST_CASE("a device that comes back from a reset as another one is gone") {
    Connection connection([](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.reset = [&host] { host->model().device_descriptor[10] = std::byte{0x99}; };
        return hooks;
    });
    CHECK(connection.device->reset(soon()).error().code == ENODEV);
}

TEST_CASE("wait_activity returns for a packet, for wake_fd, and at the deadline") {
    Connection connection([](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.start_interrupts = [&host](std::uint8_t endpoint) {
            host->interrupt_status(endpoint, usb_redir_success);
            host->interrupt(endpoint, usb_redir_success, pattern(12));
        };
        return hooks;
    });
    Backend& device = *connection.device;
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
    REQUIRE(wake.valid());
    CHECK(device.wait_activity(wake.get(), Deadline::after(milliseconds(5))).ok());
    CHECK(!device.next_arrival());
    const std::uint64_t one = 1;
    REQUIRE(::write(wake.get(), &one, sizeof one) == sizeof one);
    CHECK(device.wait_activity(wake.get(), Deadline::after(std::chrono::hours(1))).ok());
    REQUIRE(device.claim(0));
    REQUIRE(device.listen(0x83, 16));
    REQUIRE(device.wait_activity(-1, Deadline::after(std::chrono::hours(1))).ok());
    const auto arrival = device.next_arrival();
    REQUIRE(arrival);
    CHECK(arrival->endpoint == 0x83);
    CHECK(arrival->packet == pattern(12));
}

TEST_CASE("transfers on an interrupt IN endpoint end at a short packet or when full") {
    Connection connection([](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.start_interrupts = [&host](std::uint8_t endpoint) {
            host->interrupt(endpoint, usb_redir_success, pattern(16, 1));
            host->interrupt(endpoint, usb_redir_success, pattern(3, 2));
            host->interrupt(endpoint, usb_redir_success, pattern(16, 3));
        };
        return hooks;
    });
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x83, 64);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(64));
    auto moved = (*transfer)->wait(soon());
    REQUIRE(moved);
    CHECK(*moved == 19);
    CHECK(std::ranges::equal((*transfer)->buffer().subspan(16, 3), pattern(3, 2)));
    REQUIRE((*transfer)->submit(16));
    moved = (*transfer)->wait(soon());
    REQUIRE(moved);
    CHECK(*moved == 16);
    CHECK(connection.device->listen(0x83, 16).ok());
    CHECK((*transfer)->submit(16).error().code == EINVAL);  // listened to: not both
}

TEST_CASE("a stalled interrupt stream is started again, a limited number of times") {
    unsigned starts = 0;
    unsigned cleared = 0;
    std::promise<void> ended;
    Connection connection([&](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.start_interrupts = [&](std::uint8_t endpoint) {
            ++starts;
            if (starts == 3) {  // it recovers once, which gives it all its chances again
                host->interrupt(endpoint, usb_redir_success, pattern(1));
            }
            host->interrupt_status(endpoint, usb_redir_stall);
        };
        hooks.clear_halt = [&](std::uint8_t) { ++cleared; };
        return hooks;
    });
    REQUIRE(connection.device->claim(0));
    REQUIRE(connection.device->listen(0x83, 16));
    REQUIRE(connection.device->wait_activity(-1, soon()).ok());
    CHECK(connection.device->next_arrival());
    // 3 starts until the packet, then 4 more; requests are answered in order, so after as many round trips all is over.
    std::array<std::byte, 18> data{};
    for (int i = 0; i < 20; ++i) {
        REQUIRE(connection.device->control_in({.request = 6, .value = 0x100}, data, soon()));
    }
    connection.close();
    CHECK(starts == 7);
    CHECK(cleared == 6);
}

TEST_CASE("opening fails with a reason") {
    SUBCASE("nothing comes") {
        auto [ours, theirs] = socket_pair();
        const auto opened = open_usbredir(std::move(ours), Deadline::after(milliseconds(20)));
        REQUIRE(!opened);
        CHECK(opened.error().code == ETIMEDOUT);
    }
    SUBCASE("the other side has closed") {
        auto [ours, theirs] = socket_pair();
        theirs.reset();
        const auto opened = open_usbredir(std::move(ours), soon());
        REQUIRE(!opened);
        CHECK(opened.error().code == ENODEV);
    }
    const auto open_model = [](const Model& model) {
        auto [ours, theirs] = socket_pair();
        ScriptedHost host(std::move(theirs), model);
        auto opened = open_usbredir(std::move(ours), soon());
        return opened ? 0 : opened.error().code;
    };
    SUBCASE("no 32-bit lengths") {
        Model model;
        model.capabilities = {usb_redir_cap_64bits_ids};
        CHECK(open_model(model) == ENOTSUP);
    }
    SUBCASE("no such configuration") {
        Model model;
        model.active_configuration = 2;
        CHECK(open_model(model) == EPROTO);
    }
    SUBCASE("a configuration that lies about its length") {
        Model model;
        model.configuration[2] = std::byte{200};
        CHECK(open_model(model) == EPROTO);
    }
    SUBCASE("a device descriptor cut short") {
        Model model;
        model.device_descriptor.resize(9);
        CHECK(open_model(model) == EPROTO);
    }
    SUBCASE("32-bit ids, no strings: fine") {
        Model model;
        model.capabilities = {usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_32bits_bulk_length};
        model.strings.clear();
        CHECK(open_model(model) == 0);
    }
}
