#include "drivers/storage/cache/write_back.h"

#include "memory_unit.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

struct Fixture {
    test::MemoryUnit unit{512, 4096};
    test::LogMemory memory;
    std::unique_ptr<DirtyLog> log;
    std::vector<std::uint64_t> released;
    std::unique_ptr<WriteBack> write_back;
    std::vector<std::string> calls;

    explicit Fixture(bool can_unmap = false, std::size_t log_size = std::size_t{1} << 20U) : memory(log_size) {
        unit.medium().can_unmap = can_unmap;
        auto opened = DirtyLog::open(memory.bytes(), {1, 512, 4096});
        REQUIRE(opened.ok());
        log = std::move(*opened);
        write_back =
            std::make_unique<WriteBack>(unit, unit.medium(), *log, std::vector<std::byte>(512),
                                        [this](const DirtyLog::Record& record) { released.push_back(record.block); });
        unit.before = [this](const char* call) {
            calls.emplace_back(call);
            return Result<void>();
        };
    }
    void append(std::uint64_t epoch, std::uint64_t block, int value, std::size_t count = 1) const {
        (void)log->append(epoch, block, std::vector<std::byte>(count * 512, static_cast<std::byte>(value)));
    }
    [[nodiscard]] int value(std::uint64_t block) const { return static_cast<int>(unit.bytes[block * 512]); }
};
using Calls = std::vector<std::string>;
using Step = WriteBack::Step;

}  // namespace

TEST_CASE("neighbours are written together, in the order of the medium, each block once") {
    Fixture fixture;
    fixture.append(1, 12, 1);
    fixture.append(1, 10, 2);
    fixture.append(1, 100, 3);
    fixture.append(1, 11, 4);
    fixture.append(1, 12, 5);
    fixture.log->commit();
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.calls == Calls{"write", "write", "synchronize"});
    CHECK(fixture.value(10) == 2);
    CHECK(fixture.value(11) == 4);
    CHECK(fixture.value(12) == 5);
    CHECK(fixture.value(100) == 3);
    CHECK(fixture.released == std::vector<std::uint64_t>{12, 10, 100, 11, 12});
    CHECK(fixture.log->used() == 0);
}

TEST_CASE("an epoch begins when the one before it is confirmed") {
    Fixture fixture;
    fixture.append(1, 1, 1);
    fixture.append(2, 2, 2);
    fixture.append(2, 4, 2);
    fixture.append(3, 1, 3);
    fixture.log->commit();
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.calls == Calls{"write", "synchronize", "write", "write", "synchronize", "write", "synchronize"});
    CHECK(fixture.value(1) == 3);
}

TEST_CASE("what comes after the others of its epoch is written once, when they are confirmed") {
    Fixture fixture;
    const auto append_after = [&fixture](std::uint64_t block, int value,
                                         DirtyLog::Kind kind = DirtyLog::Kind::write_entry) {
        (void)fixture.log->append(1, block, std::vector<std::byte>(512, static_cast<std::byte>(value)), kind);
    };
    for (int i = 1; i <= 50; ++i) {
        fixture.append(1, 99 + static_cast<std::uint64_t>(i), i);
        append_after(7, i);
    }
    append_after(8, 1);
    fixture.log->commit();
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.calls == Calls{"write", "synchronize", "write", "synchronize"});
    CHECK(fixture.value(7) == 50);
    CHECK(fixture.value(149) == 50);
    // Links come in between.
    fixture.calls.clear();
    append_after(7, 60);
    append_after(9, 1, DirtyLog::Kind::write_link);
    append_after(9, 2, DirtyLog::Kind::write_link);
    fixture.append(1, 200, 60);
    fixture.log->commit();
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.calls == Calls{"write", "synchronize", "write", "synchronize", "write", "synchronize"});
    CHECK(fixture.value(9) == 2);
    // What lies between them and is known goes with them.
    fixture.calls.clear();
    for (std::uint64_t block = 300; block < 310; ++block) {
        fixture.append(1, block, 1);
    }
    for (const std::uint64_t block : {300, 303, 309, 320, 330}) {
        append_after(block, 2, DirtyLog::Kind::write_link);
    }
    fixture.log->commit();
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.calls == Calls{"write", "synchronize", "write", "write", "write", "synchronize"});
    for (std::uint64_t block = 300; block < 310; ++block) {
        CHECK(fixture.value(block) == (block % 3 == 0 && block != 306 ? 2 : 1));
    }
    // Alone: there is nothing that it has to come after.
    fixture.calls.clear();
    append_after(7, 51);
    fixture.log->commit();
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.calls == Calls{"write", "synchronize"});
}

TEST_CASE("what is sent in several batches is confirmed by the barriers of the next one") {
    Fixture fixture(false, std::size_t{128} << 20U);
    constexpr std::size_t blocks = 2000;  // a batch has 32 MiB: 32 or 33 of these
    for (int i = 1; i <= 80; ++i) {
        fixture.append(1, 8, i, blocks);
        (void)fixture.log->append(1, 4000, std::vector<std::byte>(512, static_cast<std::byte>(i)),
                                  DirtyLog::Kind::write_entry);
    }
    fixture.log->commit();
    std::vector<std::size_t> released;
    std::vector<int> entries;
    fixture.unit.before = [&](const char* call) {
        if (std::string(call) == "synchronize") {
            released.push_back(fixture.released.size());
            entries.push_back(fixture.value(4000));
        }
        return Result<void>();
    };
    REQUIRE(fixture.write_back->finish().ok());
    // Each batch: its content, confirmed, then its entry; and the last one's.
    REQUIRE(released.size() == 4);
    CHECK(released[0] == 0);
    CHECK(released[1] == 0);  // as it is asked for
    CHECK(released[2] >= 64);
    CHECK(released[3] >= 128);
    CHECK(fixture.released.size() == 160);
    // No entry before its batch's content.
    CHECK(entries[0] == 0);
    CHECK(entries[1] > 0);
    CHECK(entries[1] < 40);
    CHECK(entries[3] == 80);
    CHECK(fixture.value(10) == 80);
    CHECK(fixture.value(4000) == 80);
    CHECK(fixture.log->used() == 0);
}

TEST_CASE("a goal ends the work, and what came behind it stays") {
    Fixture fixture;
    fixture.append(1, 1, 1);
    fixture.log->commit();
    const std::uint64_t goal = fixture.log->records().back().sequence;
    REQUIRE(*fixture.write_back->step(goal) == Step::more);
    REQUIRE(*fixture.write_back->step(goal) == Step::more);
    fixture.append(1, 2, 2);
    fixture.log->commit();
    while (*fixture.write_back->step(goal) != Step::done) {
    }
    CHECK(fixture.value(1) == 1);
    CHECK(fixture.value(2) == 0);
    CHECK(fixture.log->records().size() == 1);
}

TEST_CASE("a step does not wait: what it has begun is under way until the device has done it") {
    Fixture fixture;
    fixture.unit.looks = 3;
    fixture.append(1, 1, 7);
    fixture.log->commit();
    CHECK(fixture.write_back->in_flight() == InFlight::nothing);
    CHECK(*fixture.write_back->step() == Step::more);  // planned
    CHECK(*fixture.write_back->step() == Step::more);  // begun
    CHECK(fixture.value(1) == 0);
    CHECK(fixture.write_back->in_flight() == InFlight::under_way);
    CHECK(*fixture.write_back->step() == Step::under_way);
    // What comes meanwhile is not mistaken for what is on its way.
    fixture.append(1, 1, 8);
    fixture.log->commit();
    CHECK(*fixture.write_back->step() == Step::under_way);
    CHECK(fixture.write_back->in_flight() == InFlight::ended);
    CHECK(*fixture.write_back->step() == Step::more);
    CHECK(fixture.value(1) == 7);
    CHECK(fixture.released.empty());
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.value(1) == 8);
    CHECK(fixture.released == std::vector<std::uint64_t>{1, 1});
    CHECK(fixture.write_back->in_flight() == InFlight::nothing);
}

TEST_CASE("who is destroyed while something is under way waits for it") {
    Fixture fixture;
    fixture.append(1, 1, 7);
    fixture.log->commit();
    CHECK(*fixture.write_back->step() == Step::more);
    CHECK(*fixture.write_back->step() == Step::more);
    fixture.write_back.reset();
    CHECK(fixture.value(1) == 7);
    CHECK(fixture.log->records().size() == 1);  // not confirmed: a successor writes it again
}

TEST_CASE("what is not committed is not written") {
    Fixture fixture;
    fixture.append(1, 1, 1);
    fixture.log->commit();
    fixture.append(1, 2, 2);
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.value(2) == 0);
    CHECK(fixture.log->records().size() == 1);
}

TEST_CASE("what failed is tried again, and nothing is forgotten before it is confirmed") {
    Fixture fixture;
    fixture.append(1, 1, 1);
    fixture.log->commit();
    for (const std::string failing : {"write", "synchronize"}) {
        fixture.unit.before = [failing](const char* call) {
            return call == failing ? Result<void>(fail(EIO, call)) : Result<void>();
        };
        CHECK(fixture.write_back->finish().error().code == EIO);
        CHECK(fixture.released.empty());
        CHECK(fixture.log->records().size() == 1);
    }
    fixture.unit.before = nullptr;
    CHECK(fixture.write_back->finish().ok());
    CHECK(fixture.value(1) == 1);
    CHECK(fixture.released.size() == 1);
}

TEST_CASE("discarded blocks are unmapped where the device has it, and what they held is not written") {
    for (const bool can_unmap : {true, false}) {
        Fixture fixture(can_unmap);
        fixture.append(1, 10, 1, 10);
        (void)fixture.log->append_discard(1, 12, 4);
        fixture.append(1, 13, 2);
        fixture.log->commit();
        REQUIRE(fixture.write_back->finish().ok());
        CHECK(fixture.value(10) == 1);
        CHECK(fixture.value(12) == 0);
        CHECK(fixture.value(13) == 2);
        using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
        CHECK(fixture.unit.unmapped == (can_unmap ? Ranges{{12, 1}, {14, 2}} : Ranges{}));
    }
}

TEST_CASE("an UNMAP that is refused is no error; that the device is gone is one") {
    Fixture fixture(true);
    int code = ENODEV;
    fixture.unit.before = [&code](const char* call) {
        return std::string(call) == "unmap" ? Result<void>(fail(code, call)) : Result<void>();
    };
    (void)fixture.log->append_discard(1, 12, 4);
    fixture.log->commit();
    CHECK(fixture.write_back->finish().error().code == ENODEV);
    code = EIO;
    CHECK(fixture.write_back->finish().ok());
}

TEST_CASE("the fingerprint allows for both contents of block 0 while it changes, and for one afterwards") {
    Fixture fixture;
    const auto print = [](int value) {
        return WriteBack::fingerprint_of(std::vector<std::byte>(512, static_cast<std::byte>(value)));
    };
    fixture.log->set_fingerprint({print(0), print(0)});
    fixture.append(1, 0, 1, 2);
    fixture.log->commit();
    fixture.unit.before = [&](const char* call) {
        const auto known = fixture.log->fingerprint();
        CHECK(known.before == print(0));
        CHECK(known.after == print(1));
        return std::string(call) == "synchronize" ? Result<void>(fail(EIO, call)) : Result<void>();
    };
    CHECK_FALSE(fixture.write_back->finish().ok());
    // A second change before the first is confirmed: it is confirmed first.
    fixture.append(1, 0, 2, 2);
    fixture.log->commit();
    bool confirmed = false;
    fixture.unit.before = [&](const char* call) {
        const auto known = fixture.log->fingerprint();
        if (std::string(call) == "write") {
            CHECK(confirmed);
            CHECK(known.before == print(1));
            CHECK(known.after == print(2));
        }
        confirmed = true;
        return Result<void>();
    };
    REQUIRE(fixture.write_back->finish().ok());
    CHECK(fixture.log->fingerprint().before == print(2));
    CHECK(fixture.log->fingerprint().after == print(2));
}
