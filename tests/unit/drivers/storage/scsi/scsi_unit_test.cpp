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

namespace {

// The transports: Bulk-Only Transport, UAS without streams, UAS with streams.
struct Way {
    virtual_usb::StickTransport transport;
    usb::Speed speed;
    const char* name;
};
const Way ways[] = {{virtual_usb::StickTransport::bulk_only, usb::Speed::high, "Bulk-Only Transport"},
                    {virtual_usb::StickTransport::bulk_only, usb::Speed::super, "Bulk-Only Transport"},
                    {virtual_usb::StickTransport::uas, usb::Speed::high, "UAS"},
                    {virtual_usb::StickTransport::uas, usb::Speed::super, "UAS"}};

void set(StickFixture& it, const Way& way) {
    it.options.transport = way.transport;
    it.options.device.speed = way.speed;
}

}  // namespace

TEST_CASE("reads and writes, long and short") {
    for (const auto& way : ways) {
        CAPTURE(way.name);
        CAPTURE(static_cast<int>(way.speed));
        StickFixture it(9000);
        set(it, way);
        it.open();
        CHECK(it.opened.transport == way.name);
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
