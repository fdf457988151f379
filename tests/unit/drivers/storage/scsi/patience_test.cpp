// What becomes of a command, by status and sense data.
#include "drivers/storage/scsi/patience.h"

#include "drivers/storage/scsi/commands.h"
#include "virtual/stick/unit.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

std::byte block[512];
const ScsiCommand reading = read_blocks(7, 1, block);

ScsiOutcome sense(std::uint8_t key, std::uint8_t code, std::uint8_t qualifier, std::size_t moved = 0) {
    ScsiOutcome outcome;
    outcome.status = ScsiStatus::check_condition;
    outcome.moved = moved;
    outcome.sense = virtual_usb::stick_sense({key, code, qualifier, std::nullopt}, false);
    return outcome;
}

ScsiOutcome status(ScsiStatus value, std::size_t moved = 0) {
    ScsiOutcome outcome;
    outcome.status = value;
    outcome.moved = moved;
    return outcome;
}

// The judgement of the first time.
Verdict first(const Result<ScsiOutcome>& result) {
    return Patience().judge(reading, result);
}

// How often the same is tried again before it fails; 1000: without end.
unsigned attempts(const Result<ScsiOutcome>& result) {
    Patience patience;
    unsigned count = 0;
    while (count < 1000 && patience.judge(reading, result) != Verdict::failed) {
        ++count;
    }
    return count;
}

int code_of(const Result<ScsiOutcome>& result) {
    Patience patience;
    (void)patience.judge(reading, result);
    return patience.error().code;
}

}  // namespace

TEST_CASE("good, with all data or some") {
    CHECK(first(status(ScsiStatus::good, 512)) == Verdict::done);
    CHECK(first(status(ScsiStatus::condition_met, 512)) == Verdict::done);
    CHECK(first(status(ScsiStatus::good, 511)) == Verdict::again);
    CHECK(attempts(status(ScsiStatus::good, 0)) == 3);
    ScsiCommand answer = inquiry(std::span(block).first(36));
    CHECK(Patience().judge(answer, status(ScsiStatus::good, 5)) == Verdict::done);
}

TEST_CASE("what is no failure: recovered errors, and check conditions about nothing") {
    CHECK(first(sense(0x01, 0x17, 0, 512)) == Verdict::done);
    CHECK(first(sense(0x00, 0, 0, 512)) == Verdict::done);
    CHECK(first(sense(0x01, 0x17, 0, 100)) == Verdict::again);
}

TEST_CASE("errors that stay") {
    for (const std::uint8_t key : {0x03, 0x04, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0e}) {
        CAPTURE(key);
        CHECK(first(sense(key, 0x11, 0)) == Verdict::failed);
        CHECK(code_of(sense(key, 0x11, 0)) == EIO);
    }
    CHECK(first(status(ScsiStatus::reservation_conflict)) == Verdict::failed);
    CHECK(first(status(static_cast<ScsiStatus>(0x22))) == Verdict::failed);
}

TEST_CASE("what a program sees") {
    CHECK(code_of(sense(0x02, 0x3a, 0x00)) == ENOMEDIUM);
    CHECK(code_of(sense(0x06, 0x3a, 0x02)) == ENOMEDIUM);
    CHECK(code_of(sense(0x05, 0x20, 0x00)) == ENOTSUP);
    CHECK(code_of(sense(0x05, 0x24, 0x00)) == ENOTSUP);
    CHECK(code_of(sense(0x05, 0x21, 0x00)) == EIO);
    CHECK(code_of(sense(0x07, 0x27, 0x00)) == EROFS);
    CHECK(code_of(sense(0x07, 0x27, 0x07)) == ENOSPC);
    CHECK(first(sense(0x07, 0x27, 0x07)) == Verdict::failed);
    Patience patience;
    ScsiOutcome bad = sense(0x03, 0x11, 0);
    bad.sense = virtual_usb::stick_sense({0x03, 0x11, 0x00, 1234}, true);
    CHECK(patience.judge(reading, bad) == Verdict::failed);
    CHECK(patience.error().text() ==
          "READ(10): MEDIUM ERROR, unrecovered read error (11/00), block 1234 (Input/output error)");
}

TEST_CASE("not ready: waited for, started once, or given up") {
    CHECK(first(sense(0x02, 0x04, 0x00)) == Verdict::later);
    CHECK(first(sense(0x02, 0x04, 0x01)) == Verdict::later);
    CHECK(first(sense(0x02, 0x04, 0x07)) == Verdict::later);
    CHECK(first(sense(0x02, 0x04, 0x03)) == Verdict::failed);
    CHECK(first(sense(0x02, 0x30, 0x00)) == Verdict::failed);
    Patience patience;
    CHECK(patience.judge(reading, sense(0x02, 0x04, 0x02)) == Verdict::start);
    CHECK(patience.judge(reading, sense(0x02, 0x04, 0x02)) == Verdict::later);
    CHECK(first(status(ScsiStatus::busy)) == Verdict::later);
    CHECK(first(status(ScsiStatus::task_set_full)) == Verdict::later);
}

TEST_CASE("the pause gets longer, up to half a second") {
    Patience patience;
    const auto shortest = patience.pause();
    CHECK(shortest.count() > 0);
    CHECK(patience.pause() == 2 * shortest);
    for (int i = 0; i < 20; ++i) {
        CHECK(patience.pause() <= std::chrono::milliseconds(500));
    }
}

TEST_CASE("unit attention: looked at, and left behind, but not for ever") {
    CHECK(first(sense(0x06, 0x29, 0x00)) == Verdict::again);
    CHECK(first(sense(0x06, 0x28, 0x00)) == Verdict::changed);
    CHECK(first(sense(0x06, 0x2a, 0x09)) == Verdict::changed);
    CHECK(first(sense(0x06, 0x2a, 0x01)) == Verdict::again);
    CHECK(attempts(sense(0x06, 0x29, 0x00)) == 16);
    CHECK(attempts(sense(0x06, 0x28, 0x00)) == 16);
}

TEST_CASE("tried again, a few times") {
    CHECK(attempts(sense(0x0b, 0x00, 0x00)) == 4);
    CHECK(attempts(fail(EIO, "CSW", "phase error")) == 3);
    CHECK(attempts(fail(EPIPE, "clear halt")) == 3);
    CHECK(attempts(fail(ETIMEDOUT, "transfer")) == 1);
    CHECK(attempts(status(ScsiStatus::check_condition)) == 3);
    CHECK(first(fail(ENODEV, "transfer")) == Verdict::failed);
    CHECK(first(fail(ECANCELED, "transfer")) == Verdict::failed);
    CHECK(code_of(fail(EPIPE, "clear halt")) == EIO);
    CHECK(code_of(fail(ETIMEDOUT, "x")) == ETIMEDOUT);
}

TEST_CASE("a deferred error is about an earlier command, and this one was not executed") {
    ScsiOutcome deferred = sense(0x03, 0x0c, 0);
    deferred.sense[0] = std::byte{0x71};
    Patience patience;
    CHECK(patience.judge(reading, deferred) == Verdict::failed);
    CHECK(patience.error().detail.find("earlier") != std::string::npos);
    deferred = sense(0x01, 0x0c, 0, 512);
    deferred.sense[0] = std::byte{0x71};
    CHECK(first(deferred) == Verdict::again);
}
