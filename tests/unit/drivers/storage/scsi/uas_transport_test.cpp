// UAS against a device that says what the test wants, at high speed (no streams) and at SuperSpeed.
#include "drivers/storage/scsi/uas_transport.h"

#include "drivers/in_process_device.h"
#include "drivers/storage/scsi/commands.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace plugfs;
using namespace plugfs::storage;
using plugfs::test::InProcessDevice;

namespace {

using Bytes = std::vector<std::byte>;

class ScriptedUas : public virtual_usb::VirtualDevice {
  public:
    explicit ScriptedUas(bool streams) : streams_(streams) {
        description_.speed = streams ? usb::Speed::super : usb::Speed::high;
        const auto packet = static_cast<std::uint16_t>(streams ? 1024 : 512);
        const std::uint16_t limit = streams ? 16 : 0;
        description_.interfaces = {{.number = 0,
                                    .alternate_setting = 0,
                                    .interface_class = 8,
                                    .interface_subclass = 6,
                                    .interface_protocol = 0x62,
                                    .name = {},
                                    .endpoints = {{0x01, 2, packet, 0, 1, 0},
                                                  {0x82, 2, packet, 0, 2, limit},
                                                  {0x83, 2, packet, 0, 3, limit},
                                                  {0x04, 2, packet, 0, 4, limit}}}};
    }
    std::function<void(std::uint16_t tag)> on_command = [](std::uint16_t) {};
    std::function<void(std::uint16_t tag)> on_task = [this](std::uint16_t tag) { response(tag, 8); };
    bool stalls_command = false;
    unsigned resets = 0;
    std::vector<std::uint16_t> tags;
    Bytes taken;

    void send(std::uint8_t endpoint, std::uint16_t tag, Bytes bytes) {
        const std::size_t packet = description_.interfaces[0].endpoints[0].max_packet_size;
        virtual_usb::InTransfer transfer;
        transfer.zero_length_packet = bytes.empty() || bytes.size() % packet != 0;
        transfer.bytes = virtual_usb::ByteSource(std::move(bytes));
        transfer.stream = streams_ ? tag : std::uint16_t{0};
        in_[endpoint].push_back(std::move(transfer));
    }
    void sense(std::uint16_t tag, std::uint8_t status, const Bytes& data = {}, std::uint16_t length_offset = 0) {
        ByteWriter out;
        out.u8(3);
        out.u8(0);
        out.u16be(tag);
        out.u16be(0);
        out.u8(status);
        out.u8(0);
        out.u32be(0);
        out.u16be(0);
        out.u16be(static_cast<std::uint16_t>(data.size() + length_offset));
        out.append(data);
        send(0x82, tag, std::move(out).take());
    }
    void response(std::uint16_t tag, std::uint8_t code) {
        ByteWriter out;
        out.u8(4);
        out.u8(0);
        out.u16be(tag);
        out.u32be(code);
        send(0x82, tag, std::move(out).take());
    }
    void ready(std::uint16_t tag, bool read) {
        ByteWriter out;
        out.u8(read ? 6 : 7);
        out.u8(0);
        out.u16be(tag);
        send(0x82, tag, std::move(out).take());
    }
    void stall(std::uint8_t endpoint) {
        virtual_usb::InTransfer transfer;
        transfer.stall = true;
        in_[endpoint].push_back(std::move(transfer));
    }

    [[nodiscard]] const virtual_usb::DeviceDescription& description() const override { return description_; }
    std::optional<Bytes> control(const usb::Setup&, bool, std::span<const std::byte>, std::size_t) override {
        return std::nullopt;
    }
    bool out(std::uint8_t endpoint, std::span<const std::byte> bytes) override {
        if (endpoint == 0x04) {
            taken.insert(taken.end(), bytes.begin(), bytes.end());
            return true;
        }
        if (stalls_command) {
            return false;
        }
        ByteReader reader(bytes);
        const std::uint8_t id = reader.u8();
        reader.skip(1);
        const std::uint16_t tag = reader.u16be();
        if (id == 5) {
            REQUIRE(bytes.size() == 16);
            on_task(tag);
        } else {
            REQUIRE(id == 1);
            REQUIRE(bytes.size() == 32);
            tags.push_back(tag);
            on_command(tag);
        }
        return true;
    }
    std::deque<virtual_usb::InTransfer>& in(std::uint8_t endpoint) override { return in_[endpoint]; }
    void reset() override {
        ++resets;
        in_.clear();
        stalls_command = false;
    }
    void halt_cleared(std::uint8_t) override {}
    [[nodiscard]] bool streams() const { return streams_; }

  private:
    bool streams_;
    virtual_usb::DeviceDescription description_;
    std::map<std::uint8_t, std::deque<virtual_usb::InTransfer>> in_;
};

struct Hosted {
    ScriptedUas target;
    InProcessDevice bus{target};
    std::unique_ptr<UasTransport> transport;
    Bytes buffer = Bytes(8192);

    explicit Hosted(bool streams) : target(streams) {
        const auto& e = target.description().interfaces[0].endpoints;
        auto created = UasTransport::create(bus, {0, 0, e[0], e[1], e[2], e[3]});
        REQUIRE(created);
        transport = std::move(*created);
        CHECK(transport->has_streams() == streams);
    }
    Result<ScsiOutcome> run(const ScsiCommand& command) {
        auto batch = transport->run(0, std::span(&command, 1));
        CHECK(bus.in_flight() == 0);
        return std::move(batch.stopped);
    }
    Result<ScsiOutcome> read(const std::function<void(std::uint16_t)>& script) {
        target.on_command = script;
        return run(read_blocks(0, 16, buffer));
    }
    void data(std::uint16_t tag, std::size_t length) {
        if (!target.streams()) {
            target.ready(tag, true);
        }
        target.send(0x83, tag, Bytes(length, std::byte{0x5a}));
    }
    void check_alive() {
        target.on_command = [this](std::uint16_t tag) { target.sense(tag, 0); };
        const auto outcome = run(test_unit_ready());
        REQUIRE(outcome);
        CHECK(outcome->status == ScsiStatus::good);
    }
    void check_recovered(const Result<ScsiOutcome>& outcome, const std::string& because, int code = EIO) {
        CAPTURE(because);
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().code == code);
        CHECK_MESSAGE(outcome.error().text().find(because) != std::string::npos, outcome.error().text());
        CHECK(target.resets == 1);
        check_alive();
    }
};

void each_way(const std::function<void(bool streams)>& test) {
    for (const bool streams : {false, true}) {
        CAPTURE(streams);
        test(streams);
    }
}

}  // namespace

TEST_CASE("data in, data out, nothing") {
    each_way([](bool streams) {
        Hosted it(streams);
        auto outcome = it.read([&](std::uint16_t tag) {
            it.data(tag, 8192);
            it.target.sense(tag, 0);
        });
        REQUIRE(outcome);
        CHECK(outcome->moved == 8192);
        CHECK(it.buffer == Bytes(8192, std::byte{0x5a}));
        it.target.on_command = [&](std::uint16_t tag) {
            if (!streams) {
                it.target.ready(tag, false);
            }
            it.target.sense(tag, 0);
        };
        outcome = it.run(write_blocks(0, 16, it.buffer));
        REQUIRE(outcome);
        CHECK(outcome->moved == 8192);
        CHECK(it.target.taken == it.buffer);
        it.check_alive();
        CHECK(it.target.resets == 0);
    });
}

TEST_CASE("several commands under way end in any order") {
    each_way([](bool streams) {
        Hosted it(streams);
        std::vector<Bytes> out(6, Bytes(1024));
        std::vector<ScsiCommand> commands;
        for (auto& each : out) {
            commands.push_back(read_blocks(0, 2, each));
        }
        // The first answer comes when four have been asked for, and the answers are in reverse.
        std::vector<std::uint16_t> waiting;
        unsigned answered = 0;
        it.target.on_command = [&](std::uint16_t tag) {
            waiting.push_back(tag);
            if (waiting.size() < 4 && answered < 4) {
                return;
            }
            while (!waiting.empty()) {
                const std::uint16_t last = waiting.back();
                waiting.pop_back();
                it.data(last, 1024);
                it.target.sense(last, 0);
                ++answered;
            }
        };
        const auto batch = it.transport->run(0, commands);
        CHECK(batch.good == 6);
        for (const auto& each : out) {
            CHECK(each == Bytes(1024, std::byte{0x5a}));
        }
        CHECK(std::vector(it.target.tags.begin(), it.target.tags.begin() + 4) ==
              std::vector<std::uint16_t>{1, 2, 3, 4});
        CHECK(it.bus.in_flight() == 0);
    });
}

TEST_CASE("the first that does not end well stops the row, and those behind it are waited for") {
    each_way([](bool streams) {
        Hosted it(streams);
        std::vector<Bytes> out(4, Bytes(1024));
        std::vector<ScsiCommand> commands;
        for (auto& each : out) {
            commands.push_back(read_blocks(0, 2, each));
        }
        it.target.on_command = [&](std::uint16_t tag) {
            if (tag == 2) {
                it.target.sense(tag, 2, {std::byte{0x70}, std::byte{0}, std::byte{3}, std::byte{0}});
            } else {
                it.data(tag, 1024);
                it.target.sense(tag, 0);
            }
        };
        const auto batch = it.transport->run(0, commands);
        CHECK(batch.good == 1);
        REQUIRE(batch.stopped);
        CHECK(batch.stopped->status == ScsiStatus::check_condition);
        CHECK(batch.stopped->sense.size() == 4);
        CHECK(it.target.resets == 0);
        CHECK(it.bus.in_flight() == 0);
        it.check_alive();
    });
}

TEST_CASE("sense data: their length is not believed") {
    each_way([](bool streams) {
        Hosted it(streams);
        const auto outcome = it.read([&](std::uint16_t tag) {
            it.target.sense(tag, 2, {std::byte{0x70}, std::byte{0}, std::byte{3}, std::byte{0}}, 1000);
        });
        REQUIRE(outcome);
        CHECK(outcome->sense.size() == 4);
        const auto longest = it.read([&](std::uint16_t tag) { it.target.sense(tag, 2, Bytes(400)); });
        REQUIRE(longest);
        CHECK(longest->sense.size() == sense_limit);
    });
}

TEST_CASE("status units that are none, or not to be expected") {
    each_way([](bool streams) {
        const auto refused = [streams](const std::function<void(Hosted&, std::uint16_t)>& script,
                                       const std::string& because) {
            Hosted it(streams);
            it.check_recovered(it.read([&](std::uint16_t tag) { script(it, tag); }), because);
        };
        refused([](Hosted& it, std::uint16_t tag) { it.target.send(0x82, tag, Bytes(3)); }, "3 of 4");
        refused([](Hosted& it, std::uint16_t tag) { it.target.send(0x82, tag, {}); }, "0 of 4");
        refused([](Hosted& it, std::uint16_t tag) { it.target.send(0x82, tag, Bytes(16, std::byte{9})); },
                "IU ID is 9");
        refused([](Hosted& it, std::uint16_t tag) { it.target.stall(0x82), (void)tag; }, "UAS status");
        refused([](Hosted& it, std::uint16_t tag) { it.target.ready(tag, false); }, "unexpected WRITE READY");
        for (const std::uint8_t code : {0x02, 0x05, 0x09, 0x0a, 0xff}) {
            refused([code](Hosted& it, std::uint16_t tag) { it.target.response(tag, code); }, "RESPONSE CODE");
        }
        if (streams) {
            refused([](Hosted& it, std::uint16_t tag) { it.target.ready(tag, true); }, "unexpected READ READY");
        } else {
            refused(
                [](Hosted& it, std::uint16_t tag) {
                    it.target.ready(tag, true);
                    it.target.ready(tag, true);
                },
                "unexpected READ READY");
            refused(
                [](Hosted& it, std::uint16_t) {
                    for (int i = 0; i < 100; ++i) {
                        it.target.sense(77, 0);
                    }
                },
                "unknown tags");
        }
    });
    Hosted other(true);  // the status of another tag on this one's stream
    other.check_recovered(other.read([&](std::uint16_t tag) {
        Bytes bytes(16);
        bytes[0] = std::byte{3};
        bytes[3] = std::byte{9};
        other.target.send(0x82, tag, bytes);
    }),
                          "TAG is 9 on stream 1");
}

TEST_CASE("without streams, a status for a tag that is not ours is left behind") {
    Hosted it(false);
    const auto outcome = it.read([&](std::uint16_t tag) {
        it.target.sense(99, 2);
        it.data(tag, 8192);
        it.target.sense(tag, 0);
    });
    REQUIRE(outcome);
    CHECK(outcome->moved == 8192);
    CHECK(it.target.resets == 0);
}

TEST_CASE("data: fewer, none, too many, a halt") {
    each_way([](bool streams) {
        // The rest of a block is nowhere, or still to come: only a reset makes sure.
        Hosted fewer(streams);
        auto outcome = fewer.read([&](std::uint16_t tag) {
            fewer.data(tag, 1000);
            fewer.target.sense(tag, 0);
        });
        fewer.check_recovered(outcome, "moved 1000 of 8192 bytes");
        Hosted none(streams);
        outcome = none.read([&](std::uint16_t tag) { none.target.sense(tag, 0); });
        none.check_recovered(outcome, "moved 0 of 8192 bytes");

        // Where it may be any length it is.
        Hosted shorter(streams);
        Bytes answer(96);
        shorter.target.on_command = [&](std::uint16_t tag) {
            shorter.data(tag, 36);
            shorter.target.sense(tag, 0);
        };
        outcome = shorter.run(inquiry(answer));
        REQUIRE(outcome);
        CHECK(outcome->moved == 36);
        CHECK(shorter.target.resets == 0);

        Hosted more(streams);
        Bytes short_buffer(36);
        more.target.on_command = [&](std::uint16_t tag) {
            more.data(tag, 37);
            more.target.sense(tag, 0);
        };
        more.check_recovered(more.run(inquiry(short_buffer)), "37 bytes where 36");

        Hosted halts(streams);
        outcome = halts.read([&](std::uint16_t tag) {
            if (!streams) {
                halts.target.ready(tag, true);
            }
            halts.target.stall(0x83);
            halts.target.sense(tag, 2);
        });
        REQUIRE(outcome);
        CHECK(outcome->status == ScsiStatus::check_condition);
        CHECK(std::ranges::count(halts.bus.asked, "clear_halt 83") == 1);
        halts.check_alive();
    });
}

TEST_CASE("commands that are refused, or never answered") {
    each_way([](bool streams) {
        Hosted refuses(streams);
        refuses.target.stalls_command = true;
        refuses.check_recovered(refuses.read([](std::uint16_t) {}), "UAS command");
        Hosted hangs(streams);
        hangs.check_recovered(hangs.read([](std::uint16_t) {}), "", ETIMEDOUT);
    });
}

TEST_CASE("at the start: LOGICAL UNIT RESET, or a reset on the port where it does not work") {
    each_way([](bool streams) {
        Hosted good(streams);
        CHECK(good.transport->begin(0));
        CHECK(good.target.resets == 0);

        Hosted leftovers(streams);  // a predecessor's, before the answer
        leftovers.target.on_task = [&](std::uint16_t tag) {
            for (int i = 0; i < 5; ++i) {
                leftovers.target.sense(streams ? tag : std::uint16_t{1}, 0);
            }
            leftovers.target.response(tag, 0);
        };
        CHECK(leftovers.transport->begin(0));
        CHECK(leftovers.target.resets == 0);
        leftovers.check_alive();

        for (const int code : {2, 4, 5, -1, -2}) {
            CAPTURE(code);
            Hosted it(streams);
            it.target.on_task = [&](std::uint16_t tag) {
                if (code >= 0) {
                    it.target.response(tag, static_cast<std::uint8_t>(code));
                }
                for (int i = 0; code == -2 && i < 200; ++i) {
                    it.target.sense(tag, 0);
                }
            };
            CHECK(it.transport->begin(0));
            CHECK(it.target.resets == 1);
            CHECK(it.bus.in_flight() == 0);
            it.check_alive();
        }
    });
}

TEST_CASE("streams are allocated again after a reset; without enough of them there is no UAS at SuperSpeed") {
    Hosted it(true);
    it.check_recovered(it.read([&](std::uint16_t tag) { it.target.response(tag, 5); }), "RESPONSE");
    CHECK(std::ranges::count(it.bus.asked, "streams") == 2);
    ScriptedUas poor(true);
    InProcessDevice bus(poor);
    auto endpoints = poor.description().interfaces[0].endpoints;
    endpoints[2].stream_limit = 4;
    const auto created = UasTransport::create(bus, {0, 0, endpoints[0], endpoints[1], endpoints[2], endpoints[3]});
    REQUIRE_FALSE(created);
    CHECK(created.error().code == ENOTSUP);
}

TEST_CASE("any call may fail: an error or a result, nothing in flight, and the device usable again") {
    each_way([](bool streams) {
        for (const int code : {EIO, EPIPE, ENODEV, ENOMEM}) {
            for (std::size_t number = 1;; ++number) {
                CAPTURE(number);
                CAPTURE(code);
                Hosted it(streams);
                it.bus.fail_call(number, code);
                const auto outcome = it.read([&](std::uint16_t tag) {
                    it.data(tag, 8192);
                    it.target.sense(tag, 0);
                });
                if (!it.bus.failed()) {
                    CHECK(outcome);
                    break;
                }
                REQUIRE(number < 50);
                if (code == ENODEV) {
                    REQUIRE_FALSE(outcome);
                    CHECK(outcome.error().code == ENODEV);
                } else {
                    it.check_alive();
                }
            }
        }
    });
}
