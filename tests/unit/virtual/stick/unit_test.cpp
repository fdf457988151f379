// A virtual stick's SCSI device model, command by command, and each of its faults.
#include "virtual/stick/unit.h"

#include "temporary_folder.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

#include <initializer_list>
#include <set>

using namespace plugfs;
using namespace plugfs::virtual_usb;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::initializer_list<int> values, std::size_t length = 0) {
    Bytes bytes;
    for (const int value : values) {
        bytes.push_back(static_cast<std::byte>(value));
    }
    bytes.resize(std::max(length, bytes.size()));
    return bytes;
}

struct Fixture {
    plugfs::test::TemporaryFolder folder;
    StickFaults faults;
    StickUnit unit{StickIdentity{.serial_number = "S1"}, faults};

    explicit Fixture(bool cache = false) {
        folder.file("image", Bytes(64 * 512, std::byte{1}));
        auto medium = StickMedium::open((folder.path() / "image").string(), 512, cache);
        REQUIRE(medium);
        unit.insert(std::move(*medium));
        unit.reset();
        CHECK(key(bytes_of({0x00}, 6)) == 0x062900);  // power on is reported once
    }
    StickAnswer run(const Bytes& cdb, const Bytes& out = {}) { return unit.execute(cdb, out); }
    // Sense key, code and qualifier as one number; 0: good; -1: a status without sense data.
    int key(const Bytes& cdb, const Bytes& out = {}) {
        const auto answer = run(cdb, out);
        if (answer.status == 0) {
            return 0;
        }
        if (answer.sense.size() < 14) {
            return -1;
        }
        const auto at = [&answer](std::size_t i) { return std::to_integer<int>(answer.sense[i]); };
        return ((at(2) & 15) << 16) | (at(12) << 8) | at(13);
    }
    int ready() { return key(bytes_of({0x00}, 6)); }
    StickAnswer read(std::uint8_t block, std::uint8_t count) {
        return run(bytes_of({0x28, 0, 0, 0, 0, block, 0, 0, count, 0}));
    }
    int write(std::uint8_t block, std::uint8_t count, std::size_t length) {
        return key(bytes_of({0x2a, 0, 0, 0, 0, block, 0, 0, count, 0}), Bytes(length, std::byte{7}));
    }
};

// Faults that the tests here are about, those of the transports' tests beside, and none without.
std::set<std::string> tested;

void fault(Fixture& it, const std::string& text) {
    tested.insert(text.substr(0, text.find('=')));
    REQUIRE(it.faults.set(text));
}

}  // namespace

TEST_CASE("blocks") {
    Fixture it;
    CHECK(it.read(3, 2).data == Bytes(1024, std::byte{1}));
    CHECK(it.write(3, 1, 512) == 0);
    CHECK(it.read(3, 1).data == Bytes(512, std::byte{7}));
    CHECK(it.read(63, 1).status == 0);
    CHECK(it.key(bytes_of({0x28, 0, 0, 0, 0, 63, 0, 0, 2, 0})) == 0x052100);
    CHECK(it.key(bytes_of({0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 1, 0, 0})) == 0x052100);
    CHECK(it.key(bytes_of({0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0})) == 0x052100);
    CHECK(it.write(3, 1, 511) == 0x052400);
    CHECK(it.unit.expectation(bytes_of({0x2a, 0, 0, 0, 0, 3, 0, 0, 4, 0})).out == 2048);
    CHECK(it.unit.expectation(bytes_of({0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0})).too_much);
    CHECK(it.unit.expectation(bytes_of({0x2a})).out == 0);
}

TEST_CASE("what it says about itself") {
    Fixture it;
    CHECK(it.run(bytes_of({0x12, 0, 0, 0, 36, 0})).data.size() == 36);
    CHECK(it.run(bytes_of({0x12, 0, 0, 0, 5, 0})).data.size() == 5);
    CHECK(it.run(bytes_of({0x12, 1, 0x80, 0, 64, 0})).data == bytes_of({0, 0x80, 0, 2, 'S', '1'}));
    CHECK(it.key(bytes_of({0x12, 1, 0x99, 0, 64, 0})) == 0x052400);
    CHECK(it.run(bytes_of({0x25}, 10)).data == bytes_of({0, 0, 0, 63, 0, 0, 2, 0}));
    CHECK(it.run(bytes_of({0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0})).data.size() == 32);
    CHECK(it.key(bytes_of({0x9e, 0x12}, 16)) == 0x052400);
    CHECK(it.run(bytes_of({0x1a, 0, 0x3f, 0, 192, 0})).data.at(2) == std::byte{0});
    CHECK(it.key(bytes_of({0x1a, 0, 0x01, 0, 192, 0})) == 0x052400);
    it.unit.unit_count = 2;
    CHECK(it.run(bytes_of({0xa0}, 12)).data.size() == 24);
    CHECK(it.key(bytes_of({0xff}, 10)) == 0x052000);
    CHECK(it.key({}) == 0);  // no operation at all is operation 0
}

TEST_CASE("sense data are given once, then there are none") {
    Fixture it;
    CHECK(it.key(bytes_of({0xff}, 10)) == 0x052000);
    const auto request = bytes_of({0x03, 0, 0, 0, 18, 0});
    CHECK(it.run(request).data.at(12) == std::byte{0x20});
    CHECK(it.run(request).data.at(12) == std::byte{0});
    CHECK(it.run(bytes_of({0x03, 0, 0, 0, 5, 0})).data.size() == 5);
}

TEST_CASE("media come and go") {
    Fixture it;
    CHECK(it.ready() == 0);
    it.unit.remove();
    CHECK(it.ready() == 0x023a00);
    CHECK(it.read(0, 1).status == 2);
    CHECK(it.run(bytes_of({0x12, 0, 0, 0, 36, 0})).status == 0);
    auto medium = StickMedium::open((it.folder.path() / "image").string(), 512, false);
    REQUIRE(medium);
    it.unit.insert(std::move(*medium));
    CHECK(it.ready() == 0x062800);
    CHECK(it.ready() == 0);
    const auto eject = bytes_of({0x1b, 0, 0, 0, 2, 0});
    CHECK(it.run(bytes_of({0x1e, 0, 0, 0, 1, 0})).status == 0);
    CHECK(it.key(eject) == 0x055302);
    CHECK(it.run(bytes_of({0x1e, 0, 0, 0, 0, 0})).status == 0);
    CHECK(it.key(eject) == 0);
    CHECK(it.ready() == 0x023a00);
}

TEST_CASE("SYNCHRONIZE CACHE, and a fault without it") {
    Fixture it(true);
    CHECK(it.write(3, 1, 512) == 0);
    CHECK(it.unit.medium()->unflushed() == 1);
    fault(it, "no-synchronize");
    CHECK(it.key(bytes_of({0x35}, 10)) == 0x052000);
    it.faults.clear();
    CHECK(it.key(bytes_of({0x35}, 10)) == 0);
    CHECK(it.unit.medium()->unflushed() == 0);
}

TEST_CASE("faults of readiness") {
    Fixture it;
    fault(it, "not-ready=2");
    CHECK(it.ready() == 0x020401);
    CHECK(it.read(0, 1).status == 2);
    CHECK(it.ready() == 0);
    fault(it, "never-ready");
    for (int i = 0; i < 50; ++i) {
        CHECK(it.ready() == 0x020401);
    }
    it.faults.clear();
    fault(it, "to-be-started");
    CHECK(it.ready() == 0x020402);
    CHECK(it.key(bytes_of({0x1b, 0, 0, 0, 1, 0})) == 0);
    CHECK(it.ready() == 0);
    it.faults.clear();
    fault(it, "unit-attention=3");
    CHECK(it.ready() == 0);
    CHECK(it.ready() == 0);
    CHECK(it.ready() == 0x062900);
    it.faults.clear();
    fault(it, "endless-sense");
    for (int i = 0; i < 50; ++i) {
        CHECK(it.ready() == 0x0b0000);
    }
    CHECK(it.run(bytes_of({0x03, 0, 0, 0, 18, 0})).data.at(7) == std::byte{0xff});
}

TEST_CASE("faults of the medium") {
    Fixture it;
    fault(it, "medium-error=5");
    CHECK(it.read(0, 5).status == 0);
    CHECK(it.read(0, 6).status == 2);
    CHECK(it.read(0, 6).sense.at(6) == std::byte{5});
    CHECK(it.read(6, 6).status == 0);
    fault(it, "write-error=5");
    CHECK(it.write(5, 1, 512) == 0x030c02);
    CHECK(it.write(6, 1, 512) == 0);
    it.faults.clear();
    fault(it, "write-protect");
    CHECK(it.write(6, 1, 512) == 0x072700);
    CHECK(it.run(bytes_of({0x1a, 0, 0x3f, 0, 192, 0})).data.at(2) == std::byte{0x80});
    CHECK(it.run(bytes_of({0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 192, 0})).data.at(3) == std::byte{0x80});
    it.faults.clear();
    fault(it, "hidden-write-protect");
    CHECK(it.write(6, 1, 512) == 0x072700);
    CHECK(it.run(bytes_of({0x1a, 0, 0x3f, 0, 192, 0})).data.at(2) == std::byte{0});
    it.faults.clear();
    fault(it, "no-room");
    CHECK(it.write(6, 1, 512) == 0x072707);
    it.faults.clear();
    fault(it, "lying-capacity=3");
    CHECK(it.run(bytes_of({0x25}, 10)).data.at(3) == std::byte{191});
    CHECK(it.write(64 + 2, 1, 512) == 0);  // where block 2 is
    CHECK(it.read(2, 1).data.at(0) == std::byte{7});
    CHECK(it.read(130, 1).data.at(0) == std::byte{7});
}

TEST_CASE("faults of what it says") {
    Fixture it;
    fault(it, "odd-block-size=520");
    CHECK(it.run(bytes_of({0x25}, 10)).data.at(7) == std::byte{8});
    fault(it, "no-mode-sense");
    CHECK(it.key(bytes_of({0x1a, 0, 0x3f, 0, 192, 0})) == 0x052000);
    fault(it, "descriptor-sense");
    CHECK(it.run(bytes_of({0xff}, 10)).sense.at(0) == std::byte{0x72});
    fault(it, "no-sense");
    CHECK(it.run(bytes_of({0xff}, 10)).sense.empty());
    CHECK(it.run(bytes_of({0x03, 0, 0, 0, 18, 0})).data.empty());
    it.faults.clear();
    const auto inquiry = bytes_of({0x12, 0, 0, 0, 36, 0});
    const auto true_answer = it.run(inquiry).data;
    fault(it, "garbage=1");
    CHECK(it.run(inquiry).data != true_answer);
    CHECK(it.read(0, 1).data == Bytes(512, std::byte{1}));  // data are not affected
}

TEST_CASE("slow, throttle") {
    Fixture it;
    const auto now = [] { return StickAnswer::Clock::now(); };
    const auto quick = it.read(0, 1).not_before;
    CHECK(quick <= now());
    fault(it, "slow=3600000");
    CHECK(it.read(0, 1).not_before > now());
    Fixture other;
    fault(other, "throttle=1");
    const auto first = other.read(0, 1).not_before;
    CHECK(first > now() + std::chrono::seconds(500));
    CHECK(other.read(0, 1).not_before > first + std::chrono::seconds(500));  // one after the other
    CHECK(other.faults.set("throttle=0"));
}

TEST_CASE("the power goes with the Nth write, and nothing is taken any more") {
    Fixture it;
    int cuts = 0;
    it.unit.power_fails = [&] {
        ++cuts;
        it.unit.set_power(false);
    };
    fault(it, "power-cut-after=3");
    CHECK(it.write(1, 1, 512) == 0);
    CHECK(it.write(2, 1, 512) == 0);
    CHECK(it.write(3, 1, 512) != 0);
    CHECK(it.write(4, 1, 512) != 0);
    CHECK(cuts == 1);
    it.unit.set_power(true);
    CHECK(it.read(2, 1).data.at(0) == std::byte{7});
    CHECK(it.read(3, 1).data.at(0) == std::byte{1});
    CHECK(it.read(4, 1).data.at(0) == std::byte{1});
}

TEST_CASE("no fault of the unit is without a test") {
    // Those of the transports are tried in tests/unit/drivers/storage/scsi/stick_faults_test.cpp, with the driver.
    const std::set<std::string> of_transports = {
        "stall-command", "stall-data-in",   "stall-data-out", "stall-status", "stall-status-twice",
        "wrong-tag",     "wrong-signature", "short-status",   "empty-status", "phase-error",
        "wrong-residue", "huge-residue",    "short-data",     "long-data",    "status-for-data",
        "hang",          "no-reset",        "no-max-lun",     "busy"};
    for (const auto& known : StickFaults::known()) {
        CAPTURE(known.first);
        CHECK_FALSE(known.second.empty());
        CHECK((tested.count(known.first) + of_transports.count(known.first)) == 1);
    }
}
