// Interrupt IN endpoints over usbredir, and waiting for what they bring.
#include "connection.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;
using std::chrono::milliseconds;

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
