// The thirteen cases of Bulk-Only Transport 1.0, 6.7: what the host expects (H: no data, in, out) against what the
// device intends (D), with each thing that the standard lets a device do, and some that it does not.
#include "scripted_target.h"

using namespace plugfs;
using namespace plugfs::storage;
using namespace plugfs::storage::test;

namespace {

constexpr std::size_t asked = 8192;

// Each case is tried with data behind their CBW, and together with it.
void at_each_speed(const std::function<void()>& test) {
    for (const auto speed : {usb::Speed::high, usb::Speed::super}) {
        CAPTURE(static_cast<int>(speed));
        speed_of_target = speed;
        test();
    }
}

struct Hosted : Scripted {
    Bytes buffer = Bytes(asked);

    Result<ScsiOutcome> nothing(const std::function<void(std::uint32_t)>& script) {
        target.on_command = script;
        return run(test_unit_ready());
    }
    Result<ScsiOutcome> in(const std::function<void(std::uint32_t)>& script) {
        target.on_command = script;
        return run(read_blocks(0, 16, buffer));
    }
    Result<ScsiOutcome> out(const std::function<void(std::uint32_t)>& script) {
        target.on_command = script;
        return run(write_blocks(0, 16, buffer));
    }
    void check_recovered(const Result<ScsiOutcome>& outcome, const std::string& because) {
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().code == EIO);
        CHECK_MESSAGE(outcome.error().text().find(because) != std::string::npos, outcome.error().text());
        CHECK(target.class_resets == 1);
        check_alive();
    }
};

}  // namespace

TEST_CASE("1: Hn = Dn") {
    at_each_speed([] {
        Hosted it;
        const auto outcome = it.nothing([&](std::uint32_t tag) { it.target.status(tag, 0, 0); });
        REQUIRE(outcome);
        CHECK(outcome->status == ScsiStatus::good);
        CHECK(it.target.class_resets == 0);
    });
}

TEST_CASE("2, 3: Hn < Di, Hn < Do: phase error") {
    at_each_speed([] {
        Hosted it;
        it.check_recovered(it.nothing([&](std::uint32_t tag) { it.target.status(tag, 2, 0); }), "phase error");
        Hosted halted;
        halted.check_recovered(halted.nothing([&](std::uint32_t tag) {
            halted.target.stall();
            halted.target.status(tag, 2, 0);
        }),
                               "phase error");
        Hosted sends;  // data where nothing was asked for
        sends.check_recovered(sends.nothing([&](std::uint32_t tag) {
            sends.target.data(2048);
            sends.target.status(tag, 2, 0);
        }),
                              "CSW");
    });
}

TEST_CASE("4: Hi > Dn") {
    at_each_speed([] {
        Hosted halts;
        auto outcome = halts.in([&](std::uint32_t tag) {
            halts.target.stall();
            halts.target.status(tag, 0, asked);
        });
        REQUIRE(outcome);
        CHECK(outcome->moved == 0);
        CHECK(halts.bus.asked == std::vector<std::string>{"clear_halt 81"});

        Hosted fills;  // with bytes that do not count
        outcome = fills.in([&](std::uint32_t tag) {
            fills.target.data(asked, false);
            fills.target.status(tag, 0, asked);
        });
        REQUIRE(outcome);
        CHECK(outcome->moved == 0);

        Hosted skips;  // the status where data should be, which the standard does not let it do
        outcome = skips.in([&](std::uint32_t tag) { skips.target.status(tag, 0, asked); });
        REQUIRE(outcome);
        CHECK(outcome->moved == 0);
        CHECK(skips.target.class_resets == 0);
    });
}

TEST_CASE("5: Hi > Di") {
    at_each_speed([] {
        for (const std::size_t sent : {std::size_t{1}, std::size_t{13}, std::size_t{511}, std::size_t{1000}}) {
            Hosted it;  // a short packet
            const auto outcome = it.in([&](std::uint32_t tag) {
                it.target.data(sent);
                it.target.status(tag, 0, static_cast<std::uint32_t>(asked - sent));
            });
            REQUIRE(outcome);
            CHECK(outcome->moved == sent);
            CHECK(it.buffer[sent - 1] == static_cast<std::byte>((sent - 1) % 251));
        }
        Hosted halts;  // whole packets, then a halt
        auto outcome = halts.in([&](std::uint32_t tag) {
            halts.target.data(1024, false);
            halts.target.stall();
            halts.target.status(tag, 0, asked - 1024);
        });
        REQUIRE(outcome);
        CHECK(outcome->moved == 1024);
        Hosted fills;  // filled up to what was asked for
        outcome = fills.in([&](std::uint32_t tag) {
            fills.target.data(asked, false);
            fills.target.status(tag, 0, asked - 100);
        });
        REQUIRE(outcome);
        CHECK(outcome->moved == 100);
    });
}

TEST_CASE("6: Hi = Di") {
    at_each_speed([] {
        Hosted it;
        const auto outcome = it.in([&](std::uint32_t tag) {
            it.target.data(asked, false);
            it.target.status(tag, 0, 0);
        });
        REQUIRE(outcome);
        CHECK(outcome->moved == asked);
        CHECK(it.bus.asked.empty());
    });
}

TEST_CASE("7, 8: Hi < Di, Hi <> Do: phase error") {
    at_each_speed([] {
        Hosted sends_all;
        sends_all.check_recovered(sends_all.in([&](std::uint32_t tag) {
            sends_all.target.data(asked, false);
            sends_all.target.status(tag, 2, 0);
        }),
                                  "phase error");
        Hosted goes_on;  // more than was asked for
        goes_on.check_recovered(goes_on.in([&](std::uint32_t tag) {
            goes_on.target.data(asked + 100);
            goes_on.target.status(tag, 2, 0);
        }),
                                "CSW");
        Hosted halts;
        halts.check_recovered(halts.in([&](std::uint32_t tag) {
            halts.target.stall();
            halts.target.status(tag, 2, 0);
        }),
                              "phase error");
    });
}

TEST_CASE("9: Ho > Dn") {
    at_each_speed([] {
        Hosted takes;
        auto outcome = takes.out([&](std::uint32_t tag) { takes.target.status(tag, 0, asked); });
        REQUIRE(outcome);
        CHECK(outcome->moved == 0);
        Hosted halts;
        halts.target.stalls_out_data = true;
        outcome = halts.out([&](std::uint32_t tag) { halts.target.status(tag, 1, asked); });
        // The unit failed the command, and its sense data are asked for; here they are a status only.
        CHECK(halts.bus.asked.front() == "clear_halt 2");
        REQUIRE(outcome);
        CHECK(outcome->status == ScsiStatus::check_condition);
        CHECK(outcome->sense.empty());
    });
}

TEST_CASE("10, 13: Ho <> Di, Ho < Do: phase error") {
    at_each_speed([] {
        Hosted takes;
        takes.check_recovered(takes.out([&](std::uint32_t tag) { takes.target.status(tag, 2, 0); }), "phase error");
        Hosted halts;
        halts.target.stalls_out_data = true;
        halts.check_recovered(halts.out([&](std::uint32_t tag) { halts.target.status(tag, 2, 0); }), "phase error");
    });
}

TEST_CASE("11: Ho > Do") {
    at_each_speed([] {
        Hosted it;
        const auto outcome = it.out([&](std::uint32_t tag) { it.target.status(tag, 0, 4096); });
        REQUIRE(outcome);
        CHECK(outcome->moved == asked - 4096);
    });
}

TEST_CASE("12: Ho = Do") {
    at_each_speed([] {
        Hosted it;
        it.buffer.assign(asked, std::byte{0x5a});
        const auto outcome = it.out([&](std::uint32_t tag) { it.target.status(tag, 0, 0); });
        REQUIRE(outcome);
        CHECK(outcome->moved == asked);
        CHECK(it.target.taken == it.buffer);
    });
}

TEST_CASE("a CSW that is not valid or not meaningful") {
    at_each_speed([] {
        const auto refused = [](const std::function<void(Hosted&, std::uint32_t)>& status, const std::string& because) {
            CAPTURE(because);
            Hosted it;
            it.check_recovered(it.nothing([&](std::uint32_t tag) { status(it, tag); }), because);
        };
        refused([](Hosted& it, std::uint32_t tag) { it.target.status(tag + 1, 0, 0); }, "dCSWTag");
        refused([](Hosted& it, std::uint32_t tag) { it.target.status(tag, 0, 0, 0x53425354); }, "dCSWSignature");
        refused([](Hosted& it, std::uint32_t tag) { it.target.status(tag, 3, 0); }, "bCSWStatus is 3");
        refused([](Hosted& it, std::uint32_t tag) { it.target.status(tag, 0, 1); }, "dCSWDataResidue is 1 of 0");
        refused([](Hosted& it, std::uint32_t tag) { it.target.status(tag, 1, 0xffffffffU); }, "dCSWDataResidue");
        refused([](Hosted& it, std::uint32_t) { it.target.send(Bytes(12)); }, "12 bytes");
        refused([](Hosted& it, std::uint32_t) { it.target.send(Bytes(14)); }, "14 bytes");
        refused([](Hosted& it, std::uint32_t) { it.target.send(Bytes(512)); }, "512 bytes");
        refused(
            [](Hosted& it, std::uint32_t) {
                it.target.send({});
                it.target.send({});
            },
            "0 bytes");
    });
}

TEST_CASE("a CSW that comes late: behind one halt, or one empty packet") {
    at_each_speed([] {
        Hosted halted;
        auto outcome = halted.nothing([&](std::uint32_t tag) {
            halted.target.stall();
            halted.target.status(tag, 0, 0);
        });
        REQUIRE(outcome);
        CHECK(halted.bus.asked == std::vector<std::string>{"clear_halt 81"});
        Hosted empty;
        outcome = empty.nothing([&](std::uint32_t tag) {
            empty.target.send({});
            empty.target.status(tag, 0, 0);
        });
        REQUIRE(outcome);
        Hosted twice;
        twice.check_recovered(twice.nothing([&](std::uint32_t tag) {
            twice.target.stall();
            twice.target.stall();
            twice.target.status(tag, 0, 0);
        }),
                              "twice");
    });
}

TEST_CASE("a CBW that is refused") {
    at_each_speed([] {
        Hosted it;
        it.target.stalls_command = true;
        REQUIRE_FALSE(it.in([](std::uint32_t) {}));
        CHECK(it.target.class_resets == 1);
        CHECK(it.bus.asked == std::vector<std::string>{"control ff", "clear_halt 81", "clear_halt 2"});
        it.check_alive();
    });
}

TEST_CASE("no answer: the command is ended, the device reset") {
    at_each_speed([] {
        Hosted it;
        const auto outcome = it.in([](std::uint32_t) {});
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().code == ETIMEDOUT);
        CHECK(it.target.class_resets == 1);
        it.check_alive();
    });
}

TEST_CASE("what fails right after a reset recovery, or has none, is reset on its port") {
    at_each_speed([] {
        Hosted again;
        CHECK_FALSE(again.nothing([&](std::uint32_t tag) { again.target.status(tag, 2, 0); }));
        CHECK(again.target.bus_resets == 0);
        CHECK_FALSE(again.nothing([&](std::uint32_t tag) { again.target.status(tag, 2, 0); }));
        CHECK(again.target.class_resets == 1);
        CHECK(again.target.bus_resets == 1);
        again.check_alive();
        CHECK_FALSE(again.nothing([&](std::uint32_t tag) { again.target.status(tag, 2, 0); }));
        CHECK(again.target.class_resets == 2);

        Hosted never;
        never.target.stalls_reset = true;
        CHECK_FALSE(never.nothing([&](std::uint32_t tag) { never.target.status(tag, 2, 0); }));
        CHECK(never.target.class_resets == 0);
        CHECK(never.target.bus_resets == 1);
        never.check_alive();
    });
}

TEST_CASE("a residue where everything came is believed, until it is seen to mean nothing") {
    at_each_speed([] {
        Hosted it;
        const auto lie = [&](std::uint32_t tag) {
            it.target.data(asked, false);
            it.target.status(tag, 0, 4096);
        };
        auto outcome = it.in(lie);
        REQUIRE(outcome);
        CHECK(outcome->moved == asked - 4096);
        Bytes capacity(capacity_10_length);
        it.target.on_command = [&](std::uint32_t tag) {
            it.target.data(8);
            it.target.status(tag, 0, 8);
        };
        CHECK(it.run(read_capacity_10(capacity))->moved == 8);
        outcome = it.in(lie);
        REQUIRE(outcome);
        CHECK(outcome->moved == asked);
    });
}

TEST_CASE("called off: the rest is taken, and the next command works without a reset") {
    at_each_speed([] {
        for (const std::size_t after : {std::size_t{0}, std::size_t{512}, std::size_t{4096}, std::size_t{7680}}) {
            CAPTURE(after);
            Hosted it;
            it.bus.call_off_after(0x81, after);
            auto outcome = it.in([&](std::uint32_t tag) {
                it.target.data(asked, false);
                it.target.status(tag, 0, 0);
            });
            REQUIRE_FALSE(outcome);
            CHECK(outcome.error().code == ECANCELED);
            CHECK(it.target.class_resets == 0);
            it.check_alive();
        }
        Hosted hangs;  // with a device that has nothing more to say, it takes one
        hangs.bus.call_off_after(0x81, 512);
        const auto outcome = hangs.in([&](std::uint32_t) { hangs.target.data(1024, false); });
        REQUIRE_FALSE(outcome);
        CHECK(hangs.target.class_resets == 1);
        hangs.check_alive();
    });
}

TEST_CASE("any call may fail: an error, no transfer left behind, and the device usable again") {
    at_each_speed([] {
        for (const int code : {EIO, EPIPE, ENODEV, EOVERFLOW, ENOMEM}) {
            for (std::size_t number = 1;; ++number) {
                CAPTURE(number);
                CAPTURE(code);
                Hosted it;
                it.bus.fail_call(number, code);
                const auto outcome = it.in([&](std::uint32_t tag) {
                    it.target.data(asked, false);
                    it.target.status(tag, 0, 0);
                });
                if (!it.bus.failed()) {
                    CHECK(outcome);
                    break;
                }
                REQUIRE(number < 50);
                if (code == ENODEV) {
                    REQUIRE_FALSE(outcome);
                    CHECK(outcome.error().code == ENODEV);
                    continue;
                }
                CHECK((outcome.ok() || outcome.error().code != 0));
                it.check_alive();
            }
        }
    });
}
