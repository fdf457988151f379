// A unit whose device never comes to an end: whatever is asked of it ends all the same.
#include "drivers/storage/scsi/scsi_unit.h"

#include "drivers/storage/scsi/commands.h"
#include "virtual/stick/unit.h"

#include <plugfs/bytes.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

// A device behind a transport that works: it answers as a disk of 64 blocks until `answer` says otherwise.
class Device : public ScsiTransport {
  public:
    std::function<std::optional<Result<ScsiOutcome>>(const ScsiCommand& command)> answer;
    unsigned commands = 0;
    std::uint64_t reset_count = 0;

    [[nodiscard]] std::uint8_t last_unit() const override { return 0; }
    [[nodiscard]] bool reports_units() const override { return false; }
    [[nodiscard]] Result<void> begin(std::uint8_t) override { return {}; }
    [[nodiscard]] std::size_t depth() const override { return 1; }
    [[nodiscard]] std::size_t best_transfer() const override { return 4096; }
    [[nodiscard]] std::uint64_t resets() const override { return reset_count; }

  protected:
    void begin_row(std::uint8_t, std::span<const ScsiCommand> given) override { row = given; }
    [[nodiscard]] bool row_ended() override { return true; }
    [[nodiscard]] ScsiBatch end_row() override {
        ScsiBatch batch;
        for (const auto& command : row) {
            REQUIRE(++commands < 2000);
            const auto said = answer ? answer(command) : std::nullopt;
            batch.stopped = said ? *said : disk(command);
            if (!batch.stopped || batch.stopped->status != ScsiStatus::good ||
                batch.stopped->moved != command.in.size() + command.out.size()) {
                break;
            }
            ++batch.good;
        }
        return batch;
    }

  private:
    std::span<const ScsiCommand> row;
    static Result<ScsiOutcome> disk(const ScsiCommand& command) {
        ScsiOutcome outcome;
        outcome.moved = command.in.size() + command.out.size();
        std::ranges::fill(command.in, std::byte{0});
        if (command.cdb[0] == operation_byte(Operation::inquiry)) {
            command.in[1] = std::byte{0x80};
        } else if (command.cdb[0] == operation_byte(Operation::read_capacity_10)) {
            command.in[3] = std::byte{63};
            command.in[6] = std::byte{2};
        }
        return outcome;
    }
};

ScsiOutcome sense(std::uint8_t key, std::uint8_t code, std::uint8_t qualifier) {
    ScsiOutcome outcome;
    outcome.status = ScsiStatus::check_condition;
    outcome.sense = virtual_usb::stick_sense({key, code, qualifier, std::nullopt}, false);
    return outcome;
}

struct Fixture {
    std::shared_ptr<Device> device = std::make_shared<Device>();
    std::unique_ptr<ScsiUnit> unit;
    std::vector<std::byte> block = std::vector<std::byte>(512);

    Fixture() {
        auto created = ScsiUnit::create(device, 0);
        REQUIRE(created);
        unit = std::move(*created);
        REQUIRE(unit->open()->block_count == 64);
        device->commands = 0;
    }
};

}  // namespace

TEST_CASE("a change reported after each of the resets that it causes itself") {
    Fixture it;
    bool reset = false;
    it.device->answer = [&](const ScsiCommand&) -> std::optional<Result<ScsiOutcome>> {
        reset = !reset;
        if (reset) {
            ++it.device->reset_count;
            return fail(EIO, "CSW", "phase error");
        }
        return sense(6, 0x28, 0);
    };
    CHECK(it.unit->read(0, it.block).error().code == ENOMEDIUM);
    CHECK(it.device->commands < 50);
}

TEST_CASE("unit attentions for ever, of each kind; at open, too") {
    for (const int code : {0x28, 0x29, 0x2a, 0x2f, 0x3f}) {
        CAPTURE(code);
        Fixture it;
        it.device->answer = [&](const ScsiCommand&) { return sense(6, static_cast<std::uint8_t>(code), 0); };
        const auto read = it.unit->read(0, it.block);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == (code == 0x28 ? ENOMEDIUM : EIO));
        CHECK(it.unit->open().error().code == EIO);
        CHECK(it.device->commands < 100);
    }
}

TEST_CASE("another capacity after a reset: another medium") {
    Fixture it;
    bool reported = false;
    it.device->answer = [&](const ScsiCommand& command) -> std::optional<Result<ScsiOutcome>> {
        if (command.cdb[0] == operation_byte(Operation::read_10) && !reported) {
            reported = true;
            ++it.device->reset_count;
            return sense(6, 0x28, 0);
        }
        if (command.cdb[0] == operation_byte(Operation::read_capacity_10)) {
            std::ranges::fill(command.in, std::byte{0});
            command.in[3] = std::byte{64};
            command.in[6] = std::byte{2};
            ScsiOutcome outcome;
            outcome.moved = 8;
            return outcome;
        }
        return std::nullopt;
    };
    CHECK(it.unit->read(0, it.block).error().code == ENOMEDIUM);
    CHECK(it.unit->check().error().code == ENOMEDIUM);
    CHECK(it.unit->open()->block_count == 65);
}

TEST_CASE("to be started, and it never starts; short answers, for ever") {
    Fixture it;
    unsigned starts = 0;
    it.device->answer = [&](const ScsiCommand& command) -> std::optional<Result<ScsiOutcome>> {
        if (command.cdb[0] == operation_byte(Operation::start_stop_unit)) {
            ++starts;
            return std::nullopt;
        }
        if (command.cdb[0] == operation_byte(Operation::read_10)) {
            return starts == 0 ? sense(2, 4, 2) : sense(2, 4, 3);
        }
        return std::nullopt;
    };
    CHECK(it.unit->read(0, it.block).error().code == EIO);
    CHECK(starts == 1);
    it.device->answer = [](const ScsiCommand&) -> std::optional<Result<ScsiOutcome>> { return ScsiOutcome{}; };
    CHECK(it.unit->read(0, it.block).error().code == EIO);
    CHECK(it.unit->open().error().code == EIO);
}

TEST_CASE("no such unit, or no disk") {
    for (const int first : {0x7f, 0x20, 0x05, 0x1f}) {
        const auto device = std::make_shared<Device>();
        device->answer = [&](const ScsiCommand& command) -> std::optional<Result<ScsiOutcome>> {
            command.in[0] = static_cast<std::byte>(first);
            ScsiOutcome outcome;
            outcome.moved = command.in.size();
            return outcome;
        };
        const auto unit = ScsiUnit::create(device, 0);
        REQUIRE(unit);
        CHECK(*unit == nullptr);
    }
}
