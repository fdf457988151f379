// A virtual stick's side of Bulk-Only Transport: what the host gets, byte for byte, right and with each fault.
#include "virtual/stick/bulk_only_target.h"

#include "temporary_folder.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::virtual_usb;

namespace {

using Bytes = std::vector<std::byte>;

struct Fixture {
    plugfs::test::TemporaryFolder folder;
    StickFaults faults;
    std::vector<std::unique_ptr<StickUnit>> units;
    std::unique_ptr<BulkOnlyTarget> target;

    Fixture() {
        folder.file("image", Bytes(64 * 512, std::byte{1}));
        units.push_back(std::make_unique<StickUnit>(StickIdentity{}, faults));
        auto medium = StickMedium::open((folder.path() / "image").string(), 512, false);
        REQUIRE(medium);
        units[0]->insert(std::move(*medium));
        DeviceDescription description;
        target = std::make_unique<BulkOnlyTarget>(description, units, faults);
        units[0]->reset();
        (void)units[0]->execute(Bytes(6), {});  // the unit attention
    }
    bool command(std::uint32_t length, bool in, std::initializer_list<int> cdb, std::uint8_t unit = 0) {
        ByteWriter out;
        out.u32le(0x43425355);
        out.u32le(77);
        out.u32le(length);
        out.u8(in ? 0x80 : 0);
        out.u8(unit);
        out.u8(10);
        for (const int each : cdb) {
            out.u8(static_cast<std::uint8_t>(each));
        }
        Bytes bytes = std::move(out).take();
        bytes.resize(31);
        return target->out(stick_bulk_out, bytes);
    }
    bool read(std::uint32_t length = 1024) { return command(length, true, {0x28, 0, 0, 0, 0, 0, 0, 0, 2}); }
    bool write() { return command(1024, false, {0x2a, 0, 0, 0, 0, 0, 0, 0, 2}); }
    // What is to be sent: "stall", "1024" (data), "csw S R" (status, residue), or "csw?" for one that is not right.
    std::string sent() {
        std::string all;
        auto& queue = target->in(stick_bulk_in);
        for (; !queue.empty(); queue.pop_front()) {
            all += all.empty() ? "" : ", ";
            auto& transfer = queue.front();
            const auto bytes = transfer.bytes.take(10000);
            ByteReader reader(bytes);
            if (transfer.stall) {
                all += "stall";
            } else if (reader.u32le() == 0x53425355 && bytes.size() == 13 && reader.u32le() == 77) {
                const auto residue = reader.u32le();
                all += "csw " + std::to_string(reader.u8()) + " " + std::to_string(residue);
            } else {
                all += bytes.size() == 13 || bytes.size() == 12 ? "csw?" : std::to_string(bytes.size());
            }
        }
        return all;
    }
    std::string with(const std::string& fault) {
        faults.clear();
        REQUIRE(faults.set(fault));
        CHECK(read());
        return sent();
    }
};

}  // namespace

TEST_CASE("data in, data out, nothing; fewer than the host expects") {
    Fixture it;
    CHECK(it.read());
    CHECK(it.sent() == "1024, csw 0 0");
    CHECK(it.command(0, false, {0x00}));
    CHECK(it.sent() == "csw 0 0");
    CHECK(it.read(2048));
    CHECK(it.sent() == "1024, stall, csw 0 1024");
    CHECK(it.command(255, true, {0x12, 0, 0, 0, 36}));
    CHECK(it.sent() == "36, csw 0 219");
    CHECK(it.write());
    CHECK(it.sent().empty());
    CHECK(it.target->out(stick_bulk_out, Bytes(512)));  // in pieces
    CHECK(it.sent().empty());
    CHECK(it.target->out(stick_bulk_out, Bytes(512)));
    CHECK(it.sent() == "csw 0 0");
    CHECK(it.command(512, true, {0xff}));
    CHECK(it.sent() == "stall, csw 1 512");
}

TEST_CASE("more than the host expects, or the other direction: phase error") {
    Fixture it;
    CHECK(it.read(512));
    CHECK(it.sent() == "stall, csw 2 0");
    CHECK(it.command(0, false, {0x28, 0, 0, 0, 0, 0, 0, 0, 2}));
    CHECK(it.sent() == "csw 2 0");
    CHECK(it.command(1024, true, {0x2a, 0, 0, 0, 0, 0, 0, 0, 2}));
    CHECK(it.sent() == "stall, csw 2 0");
    CHECK(it.command(0, false, {0x2a, 0, 0, 0, 0, 0, 0, 0, 2}));
    CHECK(it.sent() == "csw 2 0");
    CHECK(it.command(512, false, {0x2a, 0, 0, 0, 0, 0, 0, 0, 2}));
    CHECK(it.target->out(stick_bulk_out, Bytes(512)));
    CHECK(it.sent() == "csw 2 0");
}

TEST_CASE("what is no CBW halts both endpoints until the reset") {
    for (const std::size_t length : {std::size_t{0}, std::size_t{30}, std::size_t{31}, std::size_t{512}}) {
        Fixture it;
        CHECK_FALSE(it.target->out(stick_bulk_out, Bytes(length)));
        CHECK(it.sent() == "stall");
        it.target->halt_cleared(stick_bulk_in);
        CHECK(it.sent() == "stall");
        it.target->halt_cleared(stick_bulk_out);
        CHECK_FALSE(it.read());
        CHECK(it.target->control({.request_type = 0x21, .request = 0xff}, false, {}, 0));
        CHECK(it.read());
        CHECK(it.sent() == "1024, csw 0 0");
    }
    Fixture it;
    CHECK_FALSE(it.command(0, false, {0x00}, 16));
}

TEST_CASE("units: how many there are, and one that there is not") {
    Fixture it;
    CHECK(it.target->control({.request_type = 0x21, .request = 0xfe}, true, {}, 1) == Bytes{std::byte{0}});
    CHECK(it.command(36, true, {0x12, 0, 0, 0, 36}, 3));
    CHECK(it.sent() == "stall, csw 1 36");
    CHECK(it.faults.set("no-max-lun"));
    CHECK(it.faults.set("no-reset"));
    CHECK_FALSE(it.target->control({.request_type = 0x21, .request = 0xfe}, true, {}, 1));
    CHECK_FALSE(it.target->control({.request_type = 0x21, .request = 0xff}, false, {}, 0));
}

TEST_CASE("each fault is on the wire") {
    Fixture it;
    CHECK(it.with("stall-data-in") == "stall, csw 0 1024");
    CHECK(it.with("stall-status") == "1024, stall, csw 0 0");
    CHECK(it.with("stall-status-twice") == "1024, stall, stall, csw 0 0");
    CHECK(it.with("wrong-tag") == "1024, csw?");
    CHECK(it.with("wrong-signature") == "1024, csw?");
    CHECK(it.with("short-status") == "1024, csw?");
    CHECK(it.with("empty-status") == "1024, 0, csw 0 0");
    CHECK(it.with("phase-error") == "stall, csw 2 0");
    CHECK(it.with("wrong-residue") == "1024, csw 0 512");
    CHECK(it.with("huge-residue") == "1024, csw 0 1025");
    CHECK(it.with("short-data") == "512, 0, csw 0 0");
    CHECK(it.with("long-data") == "1536, csw 0 0");
    CHECK(it.with("status-for-data") == "csw 0 1024");
    CHECK(it.with("hang").empty());
    it.faults.clear();
    CHECK(it.faults.set("stall-command"));
    CHECK_FALSE(it.read());
    CHECK(it.target->control({.request_type = 0x21, .request = 0xff}, false, {}, 0));
    it.faults.clear();
    CHECK(it.faults.set("stall-data-out"));
    CHECK(it.write());
    CHECK_FALSE(it.target->out(stick_bulk_out, Bytes(1024)));
    CHECK(it.sent() == "csw 1 1024");
    it.faults.clear();
    CHECK(it.read());
    CHECK(it.sent() == "1024, csw 0 0");
}

TEST_CASE("every Nth time") {
    Fixture it;
    CHECK(it.faults.set("phase-error=3"));
    std::string all;
    for (int i = 0; i < 6; ++i) {
        CHECK(it.read());
        all += it.sent() == "1024, csw 0 0" ? "." : "x";
    }
    CHECK(all == "..x..x");
}
