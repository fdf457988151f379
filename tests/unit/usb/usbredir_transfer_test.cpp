// Bulk transfers over usbredir against a usb-host that keeps to the protocol.
#include "connection.h"
#include "usb/call_off.h"

#include <algorithm>
#include <deque>
#include <thread>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;
using std::chrono::milliseconds;

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

TEST_CASE("an empty packet that was refused does not fail the next transfer") {
    Connection connection(on_bulk([&](ScriptedHost& host, auto id, const auto&, auto data) {
        host.answer_bulk_out(id, 0x02, data.empty() ? usb_redir_stall : usb_redir_success, data.size());
    }));
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x02, 1024);
    REQUIRE(transfer);
    REQUIRE((*transfer)->submit(512, true));
    const auto refused = (*transfer)->wait(soon());
    REQUIRE(!refused);
    CHECK(refused.error().code == EPIPE);
    REQUIRE(connection.device->clear_halt(0x02, soon()));
    REQUIRE((*transfer)->submit(100, true));
    CHECK((*transfer)->wait(soon()));
    transfer->reset();
    connection.close();
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

TEST_CASE("a wait is called off by another thread if it says that it may be, once") {
    Connection connection([](ScriptedHost*& host) {
        ScriptedHost::Hooks hooks;
        hooks.cancel = [&host](auto id) { host->answer_bulk(id, 0x81, usb_redir_cancelled, {}); };
        return hooks;
    });
    auto call_off = CallOff::create();
    REQUIRE(call_off.ok());
    call_waits_off_by(call_off->get());
    REQUIRE(connection.device->claim(0));
    auto transfer = connection.device->create_transfer(0x81, 512);
    REQUIRE(transfer);
    const auto outcome = [&](Deadline deadline) {
        REQUIRE((*transfer)->submit(512));
        const auto result = (*transfer)->wait(deadline);
        REQUIRE(!result);
        return result.error().code;
    };
    std::thread other([&] {
        std::this_thread::sleep_for(milliseconds(20));
        (*call_off)->ask();
    });
    CHECK(outcome(soon().unless_called_off()) == ECANCELED);
    other.join();
    CHECK(outcome(Deadline::after(milliseconds(20)).unless_called_off()) == ETIMEDOUT);
    (*call_off)->ask();
    CHECK(outcome(Deadline::after(milliseconds(20))) == ETIMEDOUT);
    CHECK(outcome(soon().unless_called_off()) == ECANCELED);
    call_waits_off_by(nullptr);
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
