// A device that does in Bulk-Only Transport what a test says, byte for byte: no state machine that could be right.
#pragma once

#include "drivers/in_process_device.h"
#include "drivers/storage/scsi/bulk_only_transport.h"
#include "drivers/storage/scsi/commands.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <memory>

namespace plugfs::storage::test {

using plugfs::test::InProcessDevice;

using Bytes = std::vector<std::byte>;

class ScriptedTarget : public virtual_usb::VirtualDevice {
  public:
    explicit ScriptedTarget(usb::Speed speed) {
        description_.speed = speed;
        description_.interfaces = {{.number = 0,
                                    .alternate_setting = 0,
                                    .interface_class = 8,
                                    .interface_subclass = 6,
                                    .interface_protocol = 0x50,
                                    .name = {},
                                    .endpoints = {{0x81, 2, 512, 0}, {0x02, 2, 512, 0}}}};
    }
    // What happens with the command whose CBW has come (its tag): it says what follows with the functions below.
    std::function<void(std::uint32_t tag)> on_command = [](std::uint32_t) {};
    std::uint8_t last_unit = 0;
    bool stalls_reset = false;
    bool stalls_out_data = false;
    bool stalls_command = false;
    Bytes taken;  // OUT data
    unsigned commands = 0;
    unsigned class_resets = 0;
    unsigned bus_resets = 0;

    void data(std::size_t length, bool ends = true) {
        Bytes bytes(length);
        for (std::size_t i = 0; i < length; ++i) {
            bytes[i] = static_cast<std::byte>(i % 251);
        }
        send(std::move(bytes), ends);
    }
    void status(std::uint32_t tag, std::uint8_t status, std::uint32_t residue, std::uint32_t signature = 0x53425355) {
        ByteWriter out;
        out.u32le(signature);
        out.u32le(tag);
        out.u32le(residue);
        out.u8(status);
        send(std::move(out).take());
    }
    void stall() {
        virtual_usb::InTransfer transfer;
        transfer.stall = true;
        in_.push_back(std::move(transfer));
    }
    // `ends`: with a short or empty packet.
    void send(Bytes bytes, bool ends = true) {
        virtual_usb::InTransfer transfer;
        transfer.zero_length_packet = ends;
        transfer.bytes = virtual_usb::ByteSource(std::move(bytes));
        in_.push_back(std::move(transfer));
    }

    [[nodiscard]] const virtual_usb::DeviceDescription& description() const override { return description_; }
    std::optional<Bytes> control(const usb::Setup& setup, bool in, std::span<const std::byte>, std::size_t) override {
        if (in && setup.request == 0xfe) {
            return Bytes{std::byte{last_unit}};
        }
        if (!in && setup.request == 0xff && !stalls_reset) {
            ++class_resets;
            in_.clear();
            out_left_ = 0;
            return Bytes{};
        }
        return std::nullopt;
    }
    bool out(std::uint8_t, std::span<const std::byte> bytes) override {
        if (out_left_ > 0) {
            out_left_ -= std::min<std::size_t>(out_left_, bytes.size());
            taken.insert(taken.end(), bytes.begin(), bytes.end());
            if (stalls_out_data) {
                out_left_ = 0;
                return false;
            }
            return true;
        }
        ByteReader reader(bytes);
        const std::uint32_t signature = reader.u32le();
        const std::uint32_t tag = reader.u32le();
        const std::uint32_t length = reader.u32le();
        const bool direction_in = reader.u8() == 0x80;
        REQUIRE(bytes.size() == 31);
        REQUIRE(signature == 0x43425355);
        ++commands;
        if (stalls_command) {
            return false;
        }
        out_left_ = direction_in ? 0 : length;
        on_command(tag);
        return true;
    }
    std::deque<virtual_usb::InTransfer>& in(std::uint8_t) override { return in_; }
    void reset() override {
        ++bus_resets;
        in_.clear();
        out_left_ = 0;
        stalls_command = false;
    }
    void halt_cleared(std::uint8_t) override {}

  private:
    virtual_usb::DeviceDescription description_;
    std::deque<virtual_usb::InTransfer> in_;
    std::size_t out_left_ = 0;
};

// The speed of the next device: at SuperSpeed data are queued with their CBW, at others not. (Packets are of 512 bytes
// at any speed here, so that the cases are the same.)
inline usb::Speed speed_of_target = usb::Speed::high;

// A transport on it, brought up, and with what it took to do so forgotten.
struct Scripted {
    ScriptedTarget target{speed_of_target};
    InProcessDevice bus{target};
    std::unique_ptr<BulkOnlyTransport> transport;

    Scripted() {
        const auto& endpoints = target.description().interfaces[0].endpoints;
        auto created = BulkOnlyTransport::create(bus, {0, 0, endpoints[0], endpoints[1]});
        REQUIRE(created);
        transport = std::move(*created);
        target.class_resets = 0;
        bus.asked.clear();
    }
    // One command, and whether everything is at rest afterwards.
    Result<ScsiOutcome> run(const ScsiCommand& command) {
        auto batch = transport->run(0, std::span(&command, 1));
        CHECK(bus.in_flight() == 0);
        return std::move(batch.stopped);
    }
    // The next command works as if nothing had happened.
    void check_alive() {
        target.stalls_command = false;
        target.stalls_out_data = false;
        target.on_command = [this](std::uint32_t tag) { target.status(tag, 0, 0); };
        const auto outcome = run(test_unit_ready());
        REQUIRE(outcome);
        CHECK(outcome->status == ScsiStatus::good);
    }
};

}  // namespace plugfs::storage::test
