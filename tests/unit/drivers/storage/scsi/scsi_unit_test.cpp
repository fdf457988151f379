// Units on a virtual stick, over each transport.
#include "../stick_fixture.h"

using namespace plugfs;
using namespace plugfs::storage;
using namespace plugfs::storage::test;

TEST_CASE("who it is, and what is in it") {
    StickFixture it;
    const auto medium = it.open();
    CHECK(it.opened.transport == "Bulk-Only Transport");
    CHECK(it.unit().identity().vendor == "plugfs");
    CHECK(it.unit().identity().product == "Stick");
    CHECK(it.unit().identity().serial_number == "S1");
    CHECK(it.unit().identity().removable);
    CHECK(medium.block_size == 512);
    CHECK(medium.block_count == 4096);
    CHECK_FALSE(medium.write_protected);
    CHECK(medium.can_unmap);
    CHECK(it.unit().check());
    CHECK(it.unit().best_transfer() == std::size_t{120} << 10U);
}

TEST_CASE("reads and writes, long and short") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        CAPTURE(static_cast<int>(way.speed));
        StickFixture it(9000);
        set(it, way);
        it.open();
        CHECK(it.opened.transport == way.name);
        CHECK(std::ranges::count(it.bus->asked, "reset") == 0);
        CHECK(it.read_all(1));
        CHECK(it.read_all(9000));
        const auto bytes = random_bytes(7000 * 512, 7);
        CHECK(it.unit().write(1001, bytes));
        Bytes out(bytes.size());
        CHECK(it.unit().read(1001, out));
        CHECK(out == bytes);
        CHECK(it.unit().synchronize());
        const auto now = it.stored();
        CHECK(std::equal(bytes.begin(), bytes.end(), now.begin() + 1001 * 512));
        CHECK(std::equal(now.begin(), now.begin() + 1001 * 512, it.content.begin()));
        CHECK(std::equal(now.begin() + 8001 * 512, now.end(), it.content.begin() + 8001 * 512));
        CHECK(it.bus->in_flight() == 0);
    }
}

TEST_CASE("block sizes up to 4096") {
    for (const std::uint32_t size : {512U, 1024U, 2048U, 4096U}) {
        CAPTURE(size);
        StickFixture it;
        it.options.block_size = size;
        const auto medium = it.open();
        CHECK(medium.block_size == size);
        CHECK(medium.block_count == 4096 * 512 / size);
        CHECK(it.unit().best_transfer() % size == 0);
        CHECK(it.read_all(4096));
        const auto bytes = random_bytes(4096, size);
        CHECK(it.unit().write(3, bytes));
        const auto now = it.stored();
        CHECK(std::equal(bytes.begin(), bytes.end(), now.begin() + 3 * size));
    }
}

TEST_CASE("what is not within the medium, or no whole blocks, is refused before the device is asked") {
    StickFixture it;
    it.start();
    Bytes out(1024);
    CHECK(it.unit().read(0, out).error().code == ENOMEDIUM);
    CHECK(it.unit().write(0, out).error().code == ENOMEDIUM);
    CHECK(it.unit().synchronize().error().code == ENOMEDIUM);
    CHECK(it.unit().check().error().code == ENOMEDIUM);
    REQUIRE(it.unit().open());
    CHECK(it.unit().read(4094, out));
    CHECK(it.unit().read(4095, out).error().code == EINVAL);
    CHECK(it.unit().read(~std::uint64_t{0}, out).error().code == EINVAL);
    CHECK(it.unit().write(4095, out).error().code == EINVAL);
    CHECK(it.unit().read(0, std::span(out).first(1000)).error().code == EINVAL);
    CHECK(it.unit().write(0, std::span(out).first(1000)).error().code == EINVAL);
    CHECK(it.unit().unmap(4095, 2).error().code == EINVAL);
    CHECK(it.unit().read(0, {}));
    CHECK(it.unit().write(4096, {}));
}

TEST_CASE("beyond 2 TiB: the 16-byte commands") {
    StickFixture it;
    constexpr std::uint64_t blocks = 0x100000000U + 64;
    std::filesystem::resize_file(it.image("image"), blocks * 512);
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        it.opened.units.clear();
        set(it, way);
        CHECK(it.open().block_count == blocks);
        const auto bytes = random_bytes(128 * 512, 3);
        CHECK(it.unit().write(0x100000000U - 64, bytes));
        Bytes out(bytes.size());
        CHECK(it.unit().read(0x100000000U - 64, out));
        CHECK(out == bytes);
        CHECK(it.read_all());
    }
}

TEST_CASE("UNMAP: the blocks are zeroes afterwards") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        StickFixture it;
        set(it, way);
        CHECK(it.open().can_unmap);
        CHECK(it.unit().unmap(8, 16));
        Bytes out(32 * 512);
        CHECK(it.unit().read(0, out));
        CHECK(std::equal(out.begin(), out.begin() + 8 * 512, it.content.begin()));
        CHECK(
            std::all_of(out.begin() + 8 * 512, out.begin() + 24 * 512, [](std::byte b) { return b == std::byte{0}; }));
        CHECK(std::equal(out.begin() + 24 * 512, out.end(), it.content.begin() + 24 * 512));
    }
}

TEST_CASE("several units, one without a medium") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        StickFixture it;
        set(it, way);
        it.folder.file("third", random_bytes(100 * 512, 9));
        it.options.images = {it.image("image"), "", it.image("third")};
        it.start();
        REQUIRE(it.opened.units.size() == 3);
        REQUIRE(it.unit(0).open());
        CHECK(it.unit(1).open().error().code == ENOMEDIUM);
        CHECK(it.unit(2).open()->block_count == 100);
        CHECK(it.read_all());
        Bytes out(100 * 512);
        CHECK(it.unit(2).read(0, out));
        CHECK(out == random_bytes(100 * 512, 9));
    }
}

TEST_CASE("a medium is taken out, put in, and changed") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        StickFixture it;
        set(it, way);
        it.folder.file("other", random_bytes(64 * 512, 4));
        it.open();
        CHECK(it.stick->command("remove 0") == "ok");
        CHECK(it.unit().check().error().code == ENOMEDIUM);
        CHECK(it.read_all().error().code == ENOMEDIUM);
        CHECK(it.stick->command("insert 0 " + it.image("image")) == "ok");
        CHECK(it.read_all().error().code == ENOMEDIUM);  // who knows which
        CHECK(it.unit().open());
        CHECK(it.read_all());
        CHECK(it.stick->command("insert 0 " + it.image("other")) == "ok");
        CHECK(it.unit().write(0, Bytes(512)).error().code == ENOMEDIUM);
        CHECK(it.stored("other") == random_bytes(64 * 512, 4));
        CHECK(it.unit().open()->block_count == 64);
    }
}

TEST_CASE("after a reset of our own, a unit attention changes nothing; without one, the medium may be another") {
    StickFixture it;
    it.open();
    it.fault("phase-error=1");
    CHECK_FALSE(it.read_all());  // ends with a reset on the port, which every unit reports
    CHECK(it.stick->command("clear") == "ok");
    CHECK(it.stick->command("insert 0 " + it.image("image")) == "ok");  // "may have changed", with the same capacity
    CHECK(it.read_all());
    CHECK(it.stick->command("insert 0 " + it.image("image")) == "ok");
    CHECK(it.read_all().error().code == ENOMEDIUM);
}

TEST_CASE("ejected: written, out, and no medium afterwards") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        StickFixture it;
        set(it, way);
        it.options.volatile_cache = true;
        it.open();
        CHECK(it.unit().prevent_removal(true));
        const auto bytes = random_bytes(512, 6);
        CHECK(it.unit().write(9, bytes));
        CHECK(it.unit().eject());
        const auto now = it.stored();
        CHECK(std::equal(bytes.begin(), bytes.end(), now.begin() + 9 * 512));
        CHECK(it.stick->unit(0).medium() == nullptr);
        CHECK(it.read_all().error().code == ENOMEDIUM);
        CHECK(it.unit().open().error().code == ENOMEDIUM);
    }
    StickFixture fixed;
    fixed.options.removable = false;
    fixed.open();
    CHECK(fixed.unit().eject());
    CHECK(fixed.stick->unit(0).medium() != nullptr);
    CHECK(fixed.read_all().error().code == ENOMEDIUM);
}

TEST_CASE("a predecessor died in the middle of a command") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        StickFixture it;
        set(it, way);
        for (const int step : {1, 2, 3, 4, 5, 6}) {
            CAPTURE(step);
            it.open();
            // Its last call is the one at which it dies: the transfers go, the device does not know.
            it.bus->fail_call(static_cast<std::size_t>(step), ENODEV);
            Bytes out(400 * 512);
            CHECK_FALSE((step % 2 == 0 ? it.unit().read(0, out) : it.unit().write(0, it.content)));
            it.opened.units.clear();
            InProcessDevice successor(it.stick->device());
            auto opened = open_units(successor);
            REQUIRE(opened);
            CHECK(opened->units.at(0)->open());
            CHECK(opened->units.at(0)->read(0, out));
            CHECK(std::equal(out.begin(), out.end(), it.content.begin()));
            opened->units.clear();
        }
    }
}

TEST_CASE("a read that is called off: ECANCELED, and the next one works") {
    for (const auto& way : every_way) {
        CAPTURE(way.name);
        StickFixture it;
        set(it, way);
        it.open();
        if (way.transport == virtual_usb::StickTransport::bulk_only) {
            it.bus->call_off_after(0x81, 8192);  // in the middle of the data
        } else {
            it.bus->call_off_after(0x82, 0);  // waiting for the status
        }
        Bytes out(400 * 512);
        const auto read = it.unit().read(0, out);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == ECANCELED);
        CHECK(it.bus->in_flight() == 0);
        CHECK(it.read_all());
        CHECK(std::ranges::count(it.bus->asked, "reset") == 0);
    }
}

TEST_CASE("no mass storage interface, or one of another kind") {
    StickFixture it;
    it.plug_in();
    class Other : public InProcessDevice {
      public:
        explicit Other(virtual_usb::VirtualDevice& device, std::vector<usb::Interface> interfaces)
            : InProcessDevice(device), interfaces_(std::move(interfaces)) {}
        [[nodiscard]] std::span<const usb::Interface> interfaces() const override { return interfaces_; }

      private:
        std::vector<usb::Interface> interfaces_;
    };
    const auto code = [&](const std::function<void(usb::Interface&)>& change) {
        auto interface = it.bus->interfaces()[0];
        change(interface);
        Other other(it.stick->device(), {interface});
        const auto opened = open_units(other);
        return opened ? 0 : opened.error().code;
    };
    CHECK(code([](usb::Interface&) {}) == 0);
    CHECK(code([](usb::Interface& interface) { interface.interface_class = 6; }) == ENOTSUP);
    CHECK(code([](usb::Interface& interface) { interface.interface_subclass = 4; }) == ENOTSUP);
    CHECK(code([](usb::Interface& interface) { interface.interface_protocol = 0; }) == ENOTSUP);
    CHECK(code([](usb::Interface& interface) { interface.interface_protocol = 0x62; }) == ENOTSUP);
    CHECK(code([](usb::Interface& interface) { interface.endpoints.pop_back(); }) == ENOTSUP);
    CHECK(code([](usb::Interface& interface) { interface.endpoints[0].max_packet_size = 0; }) == EIO);
}
