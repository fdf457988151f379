// The usbredir device against a usb-host that keeps to the protocol.
#include "connection.h"

#include <array>
#include <future>

using namespace plugfs;
using namespace plugfs::usb;
using namespace plugfs::usb::test;
using std::chrono::milliseconds;

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

TEST_CASE("where nobody answers after a reset the connection is lost") {
    std::promise<void> over;
    Connection connection([&](ScriptedHost*&) {
        ScriptedHost::Hooks hooks;
        hooks.reset = [&] { over.get_future().wait(); };
        return hooks;
    });
    Backend& device = *connection.device;
    REQUIRE(device.claim(0));
    CHECK(device.reset(Deadline::after(milliseconds(50))).error().code == ENODEV);
    std::array<std::byte, 2> status{};
    CHECK(device.control_in({}, status, soon()).error().code == ENODEV);
    over.set_value();
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
