// The libusb transport, with the real libusb, on a usbfs double.
#include "mock_usbfs.h"
#include "scripted_host.h"
#include "usb/backend.h"
#include "usb/call_off.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <future>
#include <thread>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;
using std::chrono::milliseconds;

namespace {

Deadline soon() {
    return Deadline::after(std::chrono::seconds(10));
}

std::unique_ptr<Backend> open_mock(MockUsbfs& usbfs) {
    auto opened = open_libusb(usbfs.open());
    REQUIRE_MESSAGE(opened.ok(), (opened ? "" : opened.error().text()));
    return std::move(opened).value();
}

std::unique_ptr<Transfer> transfer_on(Backend& device, std::uint8_t endpoint, std::size_t capacity) {
    auto transfer = device.create_transfer(endpoint, capacity);
    REQUIRE_MESSAGE(transfer.ok(), (transfer ? "" : transfer.error().text()));
    return std::move(transfer).value();
}

}  // namespace

TEST_CASE("opening reads identity, strings and all alternate settings") {
    MockUsbfs usbfs;
    const auto device = open_mock(usbfs);
    CHECK(device->identity().vendor_id == 0x054c);
    CHECK(device->identity().product_id == 0x1234);
    CHECK(device->identity().device_release == 0x0201);
    CHECK(device->identity().speed == Speed::high);
    CHECK(device->identity().manufacturer == "Sony");
    CHECK(device->identity().product == "W\xc3\xa4");
    CHECK(device->identity().serial_number == "42");
    REQUIRE(device->interfaces().size() == 3);
    CHECK(device->interfaces()[0].name == "MTP");
    CHECK(device->interfaces()[0].endpoints.size() == 3);
    CHECK(device->interfaces()[0].endpoints[0].max_packet_size == 512);
    CHECK(device->interfaces()[2].alternate_setting == 1);
}

TEST_CASE("the descriptor is closed with the device, and not before") {
    MockUsbfs usbfs;
    UniqueFd fd = usbfs.open();
    const int number = fd.get();
    auto device = open_libusb(std::move(fd));
    REQUIRE(device);
    CHECK(::fcntl(number, F_GETFD) >= 0);
    device->reset();
    CHECK(::fcntl(number, F_GETFD) < 0);
}

TEST_CASE("what is no usbfs descriptor is refused") {
    CHECK(!open_libusb(UniqueFd(::eventfd(0, EFD_CLOEXEC))));
    CHECK(!open_libusb(UniqueFd()));
}

TEST_CASE("it works where no path can be opened") {
    MockUsbfs usbfs;
    UniqueFd fd = usbfs.open();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // What a worker's sandbox does to these calls, without the rest of it.
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        for (const int call : {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(statfs), SCMP_SYS(readlink), SCMP_SYS(socket),
                               SCMP_SYS(access), SCMP_SYS(clone3), SCMP_SYS(clone), SCMP_SYS(execve)}) {
            if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) != 0) {
                ::_exit(2);
            }
        }
        if (seccomp_load(filter) != 0) {
            ::_exit(3);
        }
        const auto device = open_libusb(std::move(fd));
        ::_exit(device && (*device)->identity().product == "W\xc3\xa4" && (*device)->interfaces().size() == 3 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("several transfers in flight end in order; exactly what is asked for is posted") {
    MockUsbfs usbfs;
    std::vector<int> lengths;
    usbfs.submitted = [&](usbdevfs_urb& urb) { lengths.push_back(urb.buffer_length); };
    for (const bool memory : {true, false}) {
        CAPTURE(memory);
        usbfs.gives_memory = memory;
        const auto device = open_mock(usbfs);
        REQUIRE(device->claim(0));
        auto first = transfer_on(*device, 0x81, 100'000);
        auto second = transfer_on(*device, 0x81, 100'000);
        CHECK(usbfs.mappings() == 2);
        REQUIRE(first->submit(1000));
        REQUIRE(second->submit(70'000));
        REQUIRE(usbfs.pending().size() == 2);
        CHECK(first->in_flight());
        usbfs.answer(*usbfs.pending()[0], pattern(1000, 1));
        usbfs.answer(*usbfs.pending()[0], pattern(13, 2));
        auto moved = first->wait(soon());
        REQUIRE(moved);
        CHECK(*moved == 1000);
        CHECK(std::ranges::equal(first->buffer().first(1000), pattern(1000, 1)));
        moved = second->wait(soon());
        REQUIRE(moved);
        CHECK(*moved == 13);
        CHECK(std::ranges::equal(second->buffer().first(13), pattern(13, 2)));
    }
    CHECK(lengths == std::vector<int>{1000, 70'000, 1000, 70'000});
}

TEST_CASE("transfers keep no more memory mapped than they may") {
    MockUsbfs usbfs;
    auto opened = open_libusb(usbfs.open(), 250'000);
    REQUIRE(opened);
    const auto device = std::move(opened).value();
    REQUIRE(device->claim(0));
    auto first = transfer_on(*device, 0x81, 100'000);
    const auto second = transfer_on(*device, 0x81, 100'000);
    CHECK(usbfs.mappings() == 2);
    auto third = transfer_on(*device, 0x81, 100'000);
    CHECK(usbfs.mappings() == 2);
    REQUIRE(third->submit(70'000));
    usbfs.answer(*usbfs.pending()[0], pattern(1000, 1));
    const auto moved = third->wait(soon());
    REQUIRE(moved);
    CHECK(*moved == 1000);
    first.reset();
    third = transfer_on(*device, 0x81, 100'000);
    CHECK(usbfs.mappings() == 3);
}

TEST_CASE("a transfer for which the kernel has no memory waits until there is some") {
    MockUsbfs usbfs;
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    const auto transfer = transfer_on(*device, 0x81, 100'000);
    SUBCASE("for a moment") {
        usbfs.without_memory = 3;
        REQUIRE(transfer->submit(70'000));
        CHECK(usbfs.without_memory == 0);
        REQUIRE(usbfs.pending().size() == 1);
        usbfs.answer(*usbfs.pending()[0], pattern(1000, 1));
        const auto moved = transfer->wait(soon());
        REQUIRE(moved);
        CHECK(*moved == 1000);
    }
    SUBCASE("for too long") {
        usbfs.without_memory = 1'000'000;
        const auto posted = transfer->submit(70'000);
        REQUIRE_FALSE(posted);
        CHECK(posted.error().code == ENOMEM);
        CHECK(posted.error().text().find("usbfs_memory_mb") != std::string::npos);
        CHECK_FALSE(transfer->in_flight());
        const auto moved = transfer->wait(soon());
        REQUIRE_FALSE(moved);
        CHECK(moved.error().code == ENOMEM);
        usbfs.without_memory = 0;
        CHECK(transfer->submit(70'000));
    }
}

TEST_CASE("OUT transfers, with and without the empty packet at the end") {
    MockUsbfs usbfs;
    std::vector<bool> flags;
    usbfs.submitted = [&](usbdevfs_urb& urb) {
        flags.push_back((urb.flags & USBDEVFS_URB_ZERO_PACKET) != 0);
        usbfs.complete(urb, 0, static_cast<std::size_t>(urb.buffer_length));
    };
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto transfer = transfer_on(*device, 0x02, 1024);
    for (const bool flag : {true, false}) {
        REQUIRE(transfer->submit(512, flag));
        const auto moved = transfer->wait(soon());
        REQUIRE(moved);
        CHECK(*moved == 512);
    }
    CHECK(flags == std::vector<bool>{true, false});
}

TEST_CASE("how the kernel says it, and how drivers hear it") {
    MockUsbfs usbfs;
    int status = 0;
    usbfs.submitted = [&](usbdevfs_urb& urb) { usbfs.complete(urb, status, 0); };
    usbfs.control = [&](usbdevfs_urb& urb) { usbfs.complete(urb, status, 0); };
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto transfer = transfer_on(*device, 0x81, 512);
    std::array<std::byte, 8> data{};
    for (const auto& [kernel, driver] :
         std::vector<std::pair<int, int>>{{-EPIPE, EPIPE}, {-EOVERFLOW, EOVERFLOW}, {-EPROTO, EIO}, {-EILSEQ, EIO}}) {
        status = kernel;
        REQUIRE(transfer->submit(512));
        CHECK(transfer->wait(soon()).error().code == driver);
        CHECK(device->control_in({.request_type = 0x40}, data, soon()).error().code == driver);
        CHECK(device->control_out({.request_type = 0x40}, data, soon()).error().code == driver);
    }
    REQUIRE(device->clear_halt(0x81, soon()));
    CHECK(usbfs.calls().back() == "clear 129");
}

TEST_CASE("control data goes both ways") {
    MockUsbfs usbfs;
    std::vector<std::byte> setup;
    usbfs.control = [&](usbdevfs_urb& urb) {
        auto* bytes = static_cast<std::byte*>(urb.buffer);
        setup.assign(bytes, bytes + urb.buffer_length);
        bytes[8] = std::byte{'x'};
        usbfs.complete(urb, 0, 1);
    };
    const auto device = open_mock(usbfs);
    std::array<std::byte, 4> data{};
    auto moved = device->control_in({.request_type = 0x21, .request = 0x67, .value = 0x102, .index = 3}, data, soon());
    REQUIRE(moved);
    CHECK(*moved == 1);
    CHECK(data[0] == std::byte{'x'});
    CHECK(std::ranges::equal(std::span(setup).first(8), bytes({0xa1, 0x67, 2, 1, 3, 0, 4, 0})));
    data[3] = std::byte{9};
    moved = device->control_out({.request_type = 0x21, .request = 0x66}, data, soon());
    REQUIRE(moved);
    CHECK(setup[0] == std::byte{0x21});
    CHECK(setup[11] == std::byte{9});
    std::vector<std::byte> long_data(65536);
    CHECK(device->control_in({}, long_data, soon()).error().code == EINVAL);
}

TEST_CASE("a deadline cancels and reaps, and says what had arrived") {
    MockUsbfs usbfs;
    usbfs.submitted = [&](usbdevfs_urb& urb) { urb.actual_length = 100; };
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto transfer = transfer_on(*device, 0x81, 512);
    REQUIRE(transfer->submit(512));
    CHECK(transfer->wait(Deadline::after(milliseconds(5))).error().code == ETIMEDOUT);
    CHECK(transfer->moved() == 100);
    CHECK(!transfer->in_flight());
    CHECK(usbfs.pending().empty());
    REQUIRE(transfer->submit(512));
    transfer->cancel();
    CHECK(transfer->wait(soon()).error().code == ECANCELED);
}

TEST_CASE("a wait is called off by another thread if it says that it may be, once") {
    MockUsbfs usbfs;
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto call_off = CallOff::create();
    REQUIRE(call_off.ok());
    call_waits_off_by(call_off->get());
    auto transfer = transfer_on(*device, 0x81, 512);
    const auto outcome = [&](Deadline deadline) {
        REQUIRE(transfer->submit(512));
        const auto result = transfer->wait(deadline);
        REQUIRE(!result);
        return result.error().code;
    };
    std::promise<void> submitted;
    usbfs.submitted = [&](usbdevfs_urb&) { submitted.set_value(); };
    std::thread other([&] {
        (void)submitted.get_future().wait_for(std::chrono::seconds(10));
        (*call_off)->ask();
    });
    CHECK(outcome(Deadline::after(std::chrono::hours(1)).unless_called_off()) == ECANCELED);
    other.join();
    usbfs.submitted = {};
    CHECK(outcome(Deadline::after(milliseconds(30)).unless_called_off()) == ETIMEDOUT);
    (*call_off)->ask();
    CHECK(outcome(Deadline::after(milliseconds(30))) == ETIMEDOUT);
    CHECK(outcome(Deadline::after(std::chrono::hours(1)).unless_called_off()) == ECANCELED);
    CHECK_FALSE((*call_off)->asked());
    call_waits_off_by(nullptr);
}

TEST_CASE("a transfer that cannot be cancelled costs a second and its memory, not more") {
    MockUsbfs usbfs;
    usbfs.cancels = false;
    auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto transfer = transfer_on(*device, 0x81, 20'000);
    REQUIRE(transfer->submit(512));
    const auto start = std::chrono::steady_clock::now();
    transfer.reset();
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= milliseconds(1000));
    CHECK(took < milliseconds(3000));
    // The kernel may still write to it: it must be there.
    REQUIRE(usbfs.pending().size() == 1);
    std::memset(usbfs.pending()[0]->buffer, 1, 512);
    static void* kept = nullptr;  // libusb's transfer, and through it all the rest: for leak checkers, which are right
    kept = usbfs.pending()[0]->usercontext;
    CHECK(kept != nullptr);
    usbfs.complete(*usbfs.pending()[0], 0, 512);
    CHECK(device->wait_activity(-1, Deadline::after(milliseconds(1))).ok());
}

TEST_CASE("destroying a transfer in flight cancels it") {
    MockUsbfs usbfs;
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto transfer = transfer_on(*device, 0x81, 512);
    REQUIRE(transfer->submit(512));
    REQUIRE(usbfs.pending().size() == 1);
    transfer.reset();
    CHECK(usbfs.pending().empty());
}

TEST_CASE("unplugged, everything is ENODEV at once") {
    MockUsbfs usbfs;
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    REQUIRE(device->listen(0x83, 16));
    auto first = transfer_on(*device, 0x81, 512);
    auto second = transfer_on(*device, 0x81, 512);
    REQUIRE(first->submit(512));
    REQUIRE(second->submit(512));
    usbfs.unplug();
    const auto start = std::chrono::steady_clock::now();
    const auto later = Deadline::after(std::chrono::seconds(30));
    CHECK(device->wait_activity(-1, later).error().code == ENODEV);
    CHECK(first->wait(later).error().code == ENODEV);
    CHECK(!second->in_flight());
    CHECK(second->wait(later).error().code == ENODEV);
    CHECK(first->submit(512).error().code == ENODEV);
    std::array<std::byte, 8> data{};
    CHECK(device->control_in({}, data, later).error().code == ENODEV);
    CHECK(device->control_out({}, data, later).error().code == ENODEV);
    CHECK(device->clear_halt(0x81, later).error().code == ENODEV);
    CHECK(device->set_alternate_setting(0, 0, later).error().code == ENODEV);
    CHECK(device->claim(1).error().code == ENODEV);
    CHECK(device->create_transfer(0x81, 512).error().code == ENODEV);
    CHECK(device->listen(0x83, 16).error().code == ENODEV);
    CHECK(device->reset(later).error().code == ENODEV);
    CHECK(!device->next_arrival());
    CHECK(std::chrono::steady_clock::now() - start < milliseconds(500));
}

TEST_CASE("the loss seen at submission still reaps what is in flight") {
    MockUsbfs usbfs;
    auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    auto first = transfer_on(*device, 0x81, 512);
    auto second = transfer_on(*device, 0x02, 512);
    REQUIRE(first->submit(512));
    usbfs.unplug();
    CHECK(second->submit(512).error().code == ENODEV);
    CHECK(first->wait(soon()).error().code == ENODEV);
    CHECK(!first->in_flight());
}

TEST_CASE("claims: EBUSY when a kernel driver has it, and for a second time") {
    MockUsbfs usbfs;
    usbfs.busy_interface = 1;
    const auto device = open_mock(usbfs);
    CHECK(device->claim(1).error().code == EBUSY);
    CHECK(device->claim(7).error().code == EINVAL);
    CHECK(device->create_transfer(0x81, 512).error().code == EINVAL);
    REQUIRE(device->claim(0));
    CHECK(device->claim(0).error().code == EBUSY);
    CHECK(device->create_transfer(0x84, 512).error().code == EINVAL);
    CHECK(device->create_transfer(0x85, 512).error().code == EINVAL);
    CHECK(device->listen(0x81, 16).error().code == EINVAL);
    CHECK(device->clear_halt(0x84, soon()).error().code == EINVAL);
    REQUIRE(device->release(0));
    CHECK(device->release(0).error().code == EINVAL);
    CHECK(usbfs.calls() == std::vector<std::string>{"claim 0", "release 0"});
}

TEST_CASE("an alternate setting brings its endpoints; a reset takes them away and cancels") {
    MockUsbfs usbfs;
    auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    REQUIRE(device->claim(1));
    REQUIRE(device->listen(0x83, 16));
    CHECK(device->set_alternate_setting(1, 2, soon()).error().code == EINVAL);
    REQUIRE(device->set_alternate_setting(1, 1, soon()));
    auto transfer = transfer_on(*device, 0x84, 512);
    REQUIRE(transfer->submit(512));
    REQUIRE(device->reset(soon()));
    CHECK(transfer->wait(soon()).error().code == ECANCELED);
    CHECK(device->create_transfer(0x84, 512).error().code == EINVAL);
    CHECK(usbfs.pending().size() == 2);  // the listener is back
    const std::vector<std::string> expected{"claim 0", "claim 1",       "setting 1 1",   "release 0",  "release 1",
                                            "reset",   "claim again 0", "claim again 1", "setting 1 0"};
    CHECK(usbfs.calls() == expected);
    usbfs.returns_from_reset = false;
    CHECK(device->reset(soon()).error().code == ENODEV);
    transfer.reset();
}

TEST_CASE("listening: packets in order, bounded, and errors retried a limited number of times") {
    MockUsbfs usbfs;
    auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    REQUIRE(device->listen(0x83, 8));
    REQUIRE(usbfs.pending().size() == 2);
    UniqueFd wake(::eventfd(1, EFD_CLOEXEC));
    CHECK(device->wait_activity(wake.get(), Deadline::after(std::chrono::hours(1))).ok());
    CHECK(!device->next_arrival());
    SUBCASE("in order") {
        for (int i = 0; i < 10; ++i) {
            usbfs.answer(*usbfs.pending().front(), bytes({i}));
            REQUIRE(device->wait_activity(-1, soon()).ok());
            const auto arrival = device->next_arrival();
            REQUIRE(arrival);
            CHECK(arrival->endpoint == 0x83);
            CHECK(arrival->packet == bytes({i}));
        }
    }
    SUBCASE("at most 64 wait; what is longer than wanted is dropped") {
        int next = 0;
        usbfs.submitted = [&](usbdevfs_urb& urb) {
            if (next < 200) {
                usbfs.answer(urb, bytes({next++}));
            }
        };
        usbfs.answer(*usbfs.pending().front(), pattern(9));
        usbfs.answer(*usbfs.pending().front(), bytes({255}));
        std::array<std::byte, 255> data{};
        while (next < 200) {
            // The request's events bring packets in, the wait takes them up and asks for more.
            REQUIRE(device->control_in({.request = 6, .value = 0x300}, data, soon()));
            REQUIRE(device->wait_activity(-1, soon()).ok());
        }
        REQUIRE(device->control_in({.request = 6, .value = 0x300}, data, soon()));
        std::vector<int> values;
        while (const auto arrival = device->next_arrival()) {
            values.push_back(std::to_integer<int>(arrival->packet[0]));
        }
        CHECK(values.size() >= 64);
        CHECK(values.size() <= 66);
        CHECK(std::ranges::is_sorted(values));
        CHECK(values.back() == 199);
    }
    SUBCASE("stalls") {
        usbfs.submitted = [&](usbdevfs_urb& urb) { usbfs.complete(urb, -EPIPE, 0); };
        usbfs.complete(*usbfs.pending().front(), -EPIPE, 0);
        usbfs.complete(*usbfs.pending().front(), -EPIPE, 0);
        CHECK(device->wait_activity(-1, Deadline::after(milliseconds(5))).ok());
        CHECK(!device->next_arrival());
        CHECK(std::ranges::count(usbfs.calls(), "clear 131") == 4);
    }
}

TEST_CASE("bulk streams: allocated, and named in the URB") {
    MockUsbfs usbfs;
    usbfs.streams = 6;
    std::vector<std::pair<unsigned, unsigned>> posted;  // type, stream
    usbfs.submitted = [&](usbdevfs_urb& urb) {
        posted.emplace_back(urb.type, urb.stream_id);
        usbfs.complete(urb, 0, 0);
    };
    const auto device = open_mock(usbfs);
    const std::array<std::uint8_t, 2> endpoints = {0x81, 0x02};
    CHECK(device->allocate_streams(endpoints, 8).error().code == EINVAL);  // not claimed
    REQUIRE(device->claim(0));
    CHECK(*device->allocate_streams(endpoints, 8) == 6);
    CHECK(*device->allocate_streams(endpoints, 4) == 4);
    CHECK(usbfs.calls().back() == "streams 4 on 2");
    const auto transfer = transfer_on(*device, 0x81, 512);
    REQUIRE(transfer->submit_to_stream(3, 512));
    CHECK(transfer->wait(soon()));
    REQUIRE(transfer->submit(512));
    CHECK(transfer->wait(soon()));
    const std::vector<std::pair<unsigned, unsigned>> expected = {{USBDEVFS_URB_TYPE_BULK, 3},
                                                                 {USBDEVFS_URB_TYPE_BULK, 0}};
    CHECK(posted == expected);
}

TEST_CASE("no bulk streams: of the controller, of an interrupt endpoint") {
    MockUsbfs usbfs;
    const auto device = open_mock(usbfs);
    REQUIRE(device->claim(0));
    const std::array<std::uint8_t, 1> bulk = {0x81};
    const std::array<std::uint8_t, 1> interrupt = {0x83};
    CHECK_FALSE(device->allocate_streams(bulk, 8));
    usbfs.streams = 8;
    CHECK(device->allocate_streams(interrupt, 8).error().code == EINVAL);
    CHECK(transfer_on(*device, 0x83, 64)->submit_to_stream(1, 64).error().code == EINVAL);
}
