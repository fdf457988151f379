// What is begun and goes on by itself, over each transport: it ends as if it had been waited for, whatever comes in
// between.
#include "../stick_fixture.h"

using namespace plugfs;
using namespace plugfs::storage;
using namespace plugfs::storage::test;
using virtual_usb::StickTransport;

namespace {

// Nothing is left in flight, either.
void each_way_to_rest(const std::function<void(StickFixture&)>& test, std::size_t blocks = 8192) {
    each_way(
        [&](StickFixture& it) {
            test(it);
            it.opened.units.clear();
            CHECK(it.bus->in_flight() == 0);
        },
        blocks);
}

// As often as the device thread may look while the device is at it.
bool looked_at_until_finished(LogicalUnit& unit) {
    for (int i = 0; i < 1000; ++i) {
        if (unit.finished()) {
            return true;
        }
    }
    return false;
}

bool stored_at(const StickFixture& it, std::size_t block, const Bytes& bytes) {
    Bytes now(bytes.size());
    std::ifstream image(it.image("image"), std::ios::binary);
    image.seekg(static_cast<std::streamoff>(block * 512));
    image.read(reinterpret_cast<char*>(now.data()), static_cast<std::streamsize>(now.size()));
    return now == bytes;
}

}  // namespace

TEST_CASE("a write and a synchronization go on by themselves") {
    each_way_to_rest([](StickFixture& it) {
        it.options.volatile_cache = true;
        it.open();
        CHECK(it.unit().finished());
        CHECK(it.unit().finish());  // nothing was begun
        const auto bytes = random_bytes(7000 * 512, 7);
        it.unit().begin_write(1001, bytes);
        CHECK(looked_at_until_finished(it.unit()));
        CHECK(it.bus->in_flight() == 0);
        CHECK(it.unit().finish());
        it.unit().begin_synchronize();
        CHECK(looked_at_until_finished(it.unit()));
        CHECK(it.unit().finish());
        CHECK(stored_at(it, 1001, bytes));
        CHECK(it.unit().finish());  // not told twice
    });
}

TEST_CASE("finish() waits, and so does whatever else is asked") {
    each_way_to_rest([](StickFixture& it) {
        it.open();
        const auto bytes = random_bytes(2000 * 512, 8);
        it.unit().begin_write(10, bytes);
        CHECK(it.unit().finish());
        CHECK(stored_at(it, 10, bytes));
        const auto others = random_bytes(2000 * 512, 9);
        it.unit().begin_write(10, others);
        Bytes out(others.size());
        CHECK(it.unit().read(10, out));
        CHECK(out == others);
        CHECK(it.unit().finished());
        CHECK(it.unit().finish());
        it.unit().begin_write(10, bytes);
        CHECK(it.unit().check());
        it.unit().begin_synchronize();
        CHECK(it.unit().finish());
        CHECK(stored_at(it, 10, bytes));
    });
}

TEST_CASE("what is not possible is said by finish()") {
    each_way_to_rest([](StickFixture& it) {
        it.start();
        const Bytes bytes(1024);
        it.unit().begin_synchronize();
        CHECK(it.unit().finish().error().code == ENOMEDIUM);
        REQUIRE(it.unit().open());
        it.unit().begin_write(8191, bytes);
        CHECK(it.unit().finished());
        CHECK(it.unit().finish().error().code == EINVAL);
        CHECK(it.unit().finish());
    });
}

TEST_CASE("two units: what one has begun does not disturb the other") {
    each_way_to_rest([](StickFixture& it) {
        it.folder.file("second", random_bytes(4096 * 512, 9));
        it.options.images = {it.image("image"), it.image("second")};
        it.start();
        REQUIRE(it.unit(0).open());
        REQUIRE(it.unit(1).open());
        const auto bytes = random_bytes(3000 * 512, 10);
        const auto others = random_bytes(3000 * 512, 11);
        it.unit(0).begin_write(5, bytes);
        it.unit(1).begin_write(6, others);  // has to wait for the first one
        Bytes out(others.size());
        CHECK(it.unit(1).read(6, out));
        CHECK(out == others);
        CHECK(it.unit(1).finish());
        CHECK(it.unit(0).finished());
        CHECK(it.unit(0).finish());
        CHECK(stored_at(it, 5, bytes));
        it.unit(1).begin_write(6, bytes);
        CHECK(it.unit(0).read(5, out));
        CHECK(it.unit(1).finish());
        CHECK(it.unit(1).read(6, out));
        CHECK(out == bytes);
    });
}

TEST_CASE("faults that strike now and then are survived") {
    for (const char* fault : {"stall-command", "stall-data-out", "stall-status", "stall-status-twice", "empty-status",
                              "short-status", "wrong-tag", "wrong-signature", "phase-error", "hang", "busy"}) {
        CAPTURE(std::string(fault));
        each_way_to_rest(
            [&](StickFixture& it) {
                it.open();
                it.fault(std::string(fault) + "=5");
                for (int i = 0; i < 6; ++i) {
                    const auto bytes = random_bytes(300 * 512, static_cast<std::uint64_t>(i));
                    it.unit().begin_write(200, bytes);
                    (void)looked_at_until_finished(it.unit());
                    auto done = it.unit().finish();
                    INFO((done ? "" : done.error().text()));
                    CHECK(done);
                    CHECK(stored_at(it, 200, bytes));
                }
            },
            512);
    }
}

TEST_CASE("an error of the medium, and one that was changed") {
    each_way_to_rest([](StickFixture& it) {
        it.folder.file("other", random_bytes(64 * 512, 4));
        it.open();
        it.fault("write-error=2100");
        const auto bytes = random_bytes(600 * 512, 3);
        it.unit().begin_write(2000, bytes);
        (void)looked_at_until_finished(it.unit());
        const auto done = it.unit().finish();
        REQUIRE_FALSE(done);
        CHECK(done.error().code == EIO);
        CHECK(it.stick->command("clear") == "ok");
        CHECK(it.stick->command("insert 0 " + it.image("other")) == "ok");
        it.unit().begin_write(0, bytes);
        Bytes out(512);
        CHECK(it.unit().read(0, out).error().code == ENOMEDIUM);
        CHECK(it.unit().finish().error().code == ENOMEDIUM);
        CHECK(it.stored("other") == random_bytes(64 * 512, 4));
    });
}

TEST_CASE("who is destroyed or whose device is pulled out leaves nothing behind") {
    each_way_to_rest([](StickFixture& it) {
        it.open();
        const auto bytes = random_bytes(3000 * 512, 5);
        it.unit().begin_write(100, bytes);
        it.opened.units.clear();
        CHECK(stored_at(it, 100, bytes));
    });
    each_way_to_rest([](StickFixture& it) {
        it.open();
        const auto bytes = random_bytes(3000 * 512, 5);
        it.unit().begin_write(100, bytes);
        it.bus->unplug();
        (void)looked_at_until_finished(it.unit());
        CHECK(it.unit().finish().error().code == ENODEV);
    });
}

namespace {

Bytes part(const StickFixture& it, std::size_t block, std::size_t count) {
    const auto from = it.content.begin() + static_cast<std::ptrdiff_t>(block * 512);
    return {from, from + static_cast<std::ptrdiff_t>(count * 512)};
}

// Blocks of one command at high speed.
constexpr std::size_t row = 200;

Bytes read(StickFixture& it, std::size_t block, std::size_t count = row) {
    Bytes out(count * 512);
    const auto done = it.unit().read(block, out);
    INFO((done ? "" : done.error().text()));
    CHECK(done);
    return out;
}

}  // namespace

TEST_CASE("what is expected is read ahead, once, and is what is there") {
    each_way_to_rest([](StickFixture& it) {
        it.open();
        for (std::size_t block = 0; block + row < 8192; block += row) {
            const std::size_t next = std::min<std::size_t>(row, 8192 - block - row);
            it.unit().expect(block + row, next);
            CHECK(read(it, block) == part(it, block, row));
        }
        CHECK(read(it, 8000, 192) == part(it, 8000, 192));
        // Less than was expected.
        it.unit().expect(row, row);
        CHECK(read(it, 0) == part(it, 0, row));
        CHECK(read(it, row, 10) == part(it, row, 10));
    });
}

TEST_CASE("expected in vain: something else is read, or written, or asked") {
    each_way_to_rest([](StickFixture& it) {
        it.open();
        const auto expect = [&] {
            it.unit().expect(row, row);
            CHECK(read(it, 0) == part(it, 0, row));
        };
        expect();
        CHECK(read(it, 3 * row) == part(it, 3 * row, row));
        CHECK(read(it, row) == part(it, row, row));
        expect();
        CHECK(it.unit().check());
        expect();
        // What is written after it was read ahead is what is read then.
        const auto bytes = random_bytes(10 * 512, 44);
        CHECK(it.unit().write(row + 3, bytes));
        auto now = part(it, row, row);
        std::copy(bytes.begin(), bytes.end(), now.begin() + 3 * 512);
        CHECK(read(it, row) == now);
        expect();
        const auto others = random_bytes(10 * 512, 45);
        it.unit().begin_write(row + 3, others);
        std::copy(others.begin(), others.end(), now.begin() + 3 * 512);
        CHECK(read(it, row) == now);
        CHECK(it.unit().finish());
        // Beyond the end, too much, nothing.
        it.unit().expect(8192, 1);
        CHECK(read(it, 0) == part(it, 0, row));
        it.unit().expect(row, 8000);
        CHECK(read(it, 0) == part(it, 0, row));
        it.unit().expect(row, 0);
        CHECK(read(it, 0) == part(it, 0, row));
        expect();
        it.opened.units.clear();
    });
}

TEST_CASE("read ahead of an error: only who asks for it is told") {
    each_way_to_rest([](StickFixture& it) {
        it.folder.file("other", random_bytes(64 * 512, 4));
        it.open();
        it.fault("medium-error=" + std::to_string(row + 5));
        it.unit().expect(row, row);
        CHECK(read(it, 0) == part(it, 0, row));
        CHECK(read(it, 3 * row) == part(it, 3 * row, row));
        it.unit().expect(row, row);
        CHECK(read(it, 0) == part(it, 0, row));
        Bytes out(row * 512);
        CHECK(it.unit().read(row, out).error().code == EIO);
        // The medium was changed in between: nothing of the old one is given.
        CHECK(it.stick->command("clear") == "ok");
        CHECK(it.stick->command("insert 0 " + it.image("other")) == "ok");
        it.unit().expect(row, row);
        CHECK(it.unit().read(0, out).error().code == ENOMEDIUM);
        CHECK(it.unit().read(row, out).error().code == ENOMEDIUM);
    });
}

TEST_CASE("a read of several commands, one of which goes wrong") {
    for (const char* fault : {"stall-command", "stall-data-in", "stall-status", "stall-status-twice", "empty-status",
                              "short-status", "wrong-tag", "phase-error", "short-data", "status-for-data"}) {
        CAPTURE(std::string(fault));
        each_way_to_rest(
            [&](StickFixture& it) {
                it.open();
                it.fault(std::string(fault) + "=9");
                for (int i = 0; i < 2; ++i) {
                    const auto done = it.read_all(9000);
                    CHECK_MESSAGE(done.ok(), done.error().text());
                }
            },
            9000);
    }
}

TEST_CASE("read ahead while faults strike now and then") {
    for (const char* fault : {"stall-command", "stall-data-in", "stall-status", "stall-status-twice", "empty-status",
                              "short-status", "wrong-tag", "phase-error", "short-data", "status-for-data", "hang"}) {
        CAPTURE(std::string(fault));
        each_way_to_rest(
            [&](StickFixture& it) {
                it.open();
                it.fault(std::string(fault) + "=3");
                for (std::size_t block = 0; block + 2 * row <= 2048; block += row) {
                    it.unit().expect(block + row, row);
                    CHECK(read(it, block) == part(it, block, row));
                }
            },
            2048);
    }
}
