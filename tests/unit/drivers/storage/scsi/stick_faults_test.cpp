// A stick that misbehaves, over each transport: what can be survived is, what cannot is an error that says what, and
// afterwards everything works.
#include "../stick_fixture.h"

using namespace plugfs;
using namespace plugfs::storage;
using namespace plugfs::storage::test;
using virtual_usb::StickTransport;

namespace {

bool uses_uas(const StickFixture& it) {
    return it.options.transport == StickTransport::uas;
}

void check_alive(StickFixture& it) {
    CHECK(it.stick->command("clear") == "ok");
    auto read = it.read_all();
    INFO((read ? "" : read.error().text()));
    CHECK(read);
    CHECK(it.bus->in_flight() == 0);
}

// Reads with a fault that strikes every third time succeed in the end, and writes do.
void check_survived(const std::string& fault) {
    CAPTURE(fault);
    each_way([&](StickFixture& it) {
        const bool uas = uses_uas(it);
        if (uas && fault == "long-data") {
            return;  // nothing in UAS tells them from the next command's
        }
        it.open();
        it.fault(fault + "=3");
        for (int i = 0; i < 12; ++i) {
            auto read = it.read_all(64);
            INFO((read ? "" : read.error().text()));
            CHECK(read);
            const auto bytes = random_bytes(16 * 512, static_cast<std::uint64_t>(i));
            auto written = it.unit().write(2000, bytes);
            INFO((written ? "" : written.error().text()));
            CHECK(written);
            const auto now = it.stored();
            CHECK(std::equal(bytes.begin(), bytes.end(), now.begin() + 2000 * 512));
        }
        check_alive(it);
    });
}

// With a fault that strikes each time, reading ends with an error in bounded time.
void check_ends(const std::string& fault, int code = EIO) {
    CAPTURE(fault);
    each_way([&](StickFixture& it) {
        it.open();
        it.fault(fault);
        const auto read = it.read_all();
        REQUIRE_FALSE(read);
        CHECK_MESSAGE(read.error().code == code, read.error().text());
        CHECK_FALSE(read.error().detail.empty());
        check_alive(it);
    });
}

}  // namespace

TEST_CASE("now and then: halts at each phase") {
    for (const char* fault :
         {"stall-command", "stall-data-in", "stall-data-out", "stall-status", "stall-status-twice"}) {
        check_survived(fault);
    }
}

TEST_CASE("now and then: a status that is none") {
    for (const char* fault : {"wrong-tag", "wrong-signature", "short-status", "empty-status", "phase-error"}) {
        check_survived(fault);
    }
}

TEST_CASE("now and then: data that do not agree with the status, or no answer") {
    for (const char* fault : {"short-data", "long-data", "status-for-data", "huge-residue", "hang", "unit-attention"}) {
        check_survived(fault);
    }
}

TEST_CASE("each time: an error in the end, and the device works once the fault is gone") {
    for (const char* fault : {"stall-command", "wrong-signature", "short-status", "phase-error", "short-data",
                              "status-for-data", "endless-sense"}) {
        check_ends(fault);
    }
    check_ends("hang", ETIMEDOUT);
}

TEST_CASE("each time, and it does not matter") {
    for (const char* fault : {"empty-status", "stall-status"}) {
        StickFixture it;  // Bulk-Only Transport
        it.open();
        it.fault(fault);
        CHECK(it.read_all());
    }
    StickFixture residue;
    residue.options.faults = {"wrong-residue"};
    residue.open();
    CHECK(residue.read_all());
}

TEST_CASE("an error of the medium names the block, and the blocks beside it can be read") {
    each_way([](StickFixture& it) {
        it.open();
        it.fault("medium-error=300");
        Bytes out(512 * 512);
        const auto read = it.unit().read(0, out);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == EIO);
        CHECK(read.error().detail == "MEDIUM ERROR, unrecovered read error (11/00), block 300");
        CHECK(it.unit().read(0, std::span(out).first(300 * 512)));
        CHECK(it.unit().read(301, std::span(out).first(100 * 512)));
        it.fault("write-error=5");
        const auto written = it.unit().write(4, std::span(out).first(4 * 512));
        REQUIRE_FALSE(written);
        CHECK(written.error().detail == "MEDIUM ERROR, write error (0c/02), block 5");
        check_alive(it);
    });
}

TEST_CASE("sense data in descriptor format, or none at all") {
    each_way([](StickFixture& it) {
        it.open();
        it.fault("descriptor-sense");
        it.fault("medium-error=3");
        Bytes out(8 * 512);
        CHECK_FALSE(it.unit().read(0, out));  // over Bulk-Only Transport, only this shows that there is more to ask for
        auto read = it.unit().read(0, out);
        REQUIRE_FALSE(read);
        CHECK_MESSAGE(read.error().detail.find("block 3") != std::string::npos, read.error().detail);
        it.fault("no-sense");
        read = it.unit().read(0, out);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == EIO);
        CHECK_FALSE(read.error().detail.empty());
        check_alive(it);
    });
}

TEST_CASE("write protection") {
    each_way([](StickFixture& it) {
        it.options.faults = {"write-protect"};
        CHECK(it.open().write_protected);
        const auto written = it.unit().write(0, Bytes(512));
        REQUIRE_FALSE(written);
        CHECK(written.error().code == EROFS);
    });
    each_way([](StickFixture& it) {
        it.options.faults = {"hidden-write-protect"};
        CHECK_FALSE(it.open().write_protected);
        const auto written = it.unit().write(0, Bytes(512));
        REQUIRE_FALSE(written);
        CHECK(written.error().code == EROFS);
        CHECK(it.unit().unmap(0, 1).error().code == EROFS);
        it.fault("no-mode-sense");
        CHECK_FALSE(it.unit().open()->write_protected);
    });
}

TEST_CASE("no room left") {
    each_way([](StickFixture& it) {
        it.open();
        it.fault("no-room");
        CHECK(it.unit().write(0, Bytes(512)).error().code == ENOSPC);
        check_alive(it);
    });
}

TEST_CASE("not ready for a while, to be started, busy") {
    each_way([](StickFixture& it) {
        const bool uas = uses_uas(it);
        it.options.faults = {"not-ready=4", "to-be-started"};
        it.open();
        CHECK(it.read_all());
        if (uas) {
            it.fault("busy=3");
            CHECK(it.read_all());
        }
    });
}

TEST_CASE("a capacity that is none, or a block size") {
    each_way([](StickFixture& it) {
        it.options.faults = {"odd-block-size=0"};
        it.start();
        CHECK(it.unit().open().error().code == EIO);
        it.fault("odd-block-size=520");
        CHECK(it.unit().open().error().detail.find("520") != std::string::npos);
        CHECK(it.stick->command("clear") == "ok");
        CHECK(it.unit().open());
        CHECK(it.read_all());
    });
}

TEST_CASE("answers of random bytes: an error or an answer, and nothing else") {
    each_way([](StickFixture& it) {
        it.start();
        for (unsigned seed = 0; seed < 300; ++seed) {
            it.fault("garbage=" + std::to_string(seed));
            if (const auto medium = it.unit().open()) {
                CHECK(medium->block_size >= 512);
                CHECK(medium->block_size <= 4096);
                CHECK(medium->block_count > 0);
            }
        }
        CHECK(it.stick->command("clear") == "ok");
        CHECK(it.unit().open());
        check_alive(it);
    });
}

TEST_CASE("without SYNCHRONIZE CACHE there is no cache") {
    each_way([](StickFixture& it) {
        it.open();
        it.fault("no-synchronize");
        CHECK(it.unit().synchronize());
        it.fault("endless-sense");
        CHECK_FALSE(it.unit().synchronize());
    });
}

TEST_CASE("without Get Max LUN or reset") {
    StickFixture it;
    it.options.faults = {"no-max-lun", "no-reset"};
    it.options.images.emplace_back();
    it.open();
    CHECK(it.opened.units.size() == 1);
    CHECK(std::ranges::count(it.bus->asked, "reset") == 1);
    CHECK(it.read_all());
    StickFixture uas;
    uas.options.transport = StickTransport::uas;
    uas.options.faults = {"no-reset"};
    uas.open();
    CHECK(std::ranges::count(uas.bus->asked, "reset") == 1);
    CHECK(uas.read_all());
}

TEST_CASE("pulled out: ENODEV, at whatever call") {
    each_way([](StickFixture& it) {
        it.open();
        it.bus->unplug();
        CHECK(it.read_all().error().code == ENODEV);
        CHECK(it.unit().synchronize().error().code == ENODEV);
        CHECK(it.unit().eject().error().code == ENODEV);
        CHECK(it.unit().open().error().code == ENODEV);
    });
}

TEST_CASE("the power is cut: what was synchronized is there, what was not is lost") {
    each_way([](StickFixture& it) {
        it.options.volatile_cache = true;
        it.open();
        const auto kept = random_bytes(64 * 512, 5);
        CHECK(it.unit().write(100, kept));
        CHECK(it.unit().synchronize());
        CHECK(it.unit().write(300, kept));
        CHECK(it.stick->command("power-cut") == "ok");
        const auto now = it.stored();
        CHECK(std::equal(kept.begin(), kept.end(), now.begin() + 100 * 512));
        CHECK(std::equal(now.begin() + 300 * 512, now.begin() + 364 * 512, it.content.begin() + 300 * 512));
    });
}
