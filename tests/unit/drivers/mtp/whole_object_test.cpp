#include "drivers/mtp/whole_object.h"

#include "object_server.h"

using namespace plugfs;
using namespace plugfs::mtp;
using namespace plugfs::mtp::test;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20U;

struct Fixture : ObjectServer {
    WholeObject object{session};
    explicit Fixture(std::uint64_t object_size) : ObjectServer(object_size) {}

    Result<std::size_t> try_read(std::uint64_t offset, std::size_t length) {
        Bytes out(length);
        auto got = object.read(object_handle, size, offset, out);
        if (got) {
            CHECK(*got == length);
            const bool right = out == pattern(offset, length);
            CHECK(right);
        }
        return got;
    }
    void read(std::uint64_t offset, std::size_t length) {
        CAPTURE(offset);
        const auto got = try_read(offset, length);
        REQUIRE_MESSAGE(got.ok(), (got ? "" : got.error().text()));
    }
    std::size_t transfers() { return responder.count(operation::get_object); }
    std::size_t cancellations() {
        return static_cast<std::size_t>(std::count(device.asked.begin(), device.asked.end(), "control 64"));
    }
};

}  // namespace

TEST_CASE("a sequential reader needs one transfer, and is served before it has ended") {
    for (const std::size_t size : {1UL, 500UL, 512UL, 262'143UL, 262'144UL, 262'145UL, 3 * mib, 5 * mib + 77}) {
        for (const std::size_t step : {1000UL, 131'072UL, mib}) {
            if (size / step > 1000) {
                continue;
            }
            CAPTURE(size);
            CAPTURE(step);
            Fixture it(size);
            for (std::size_t at = 0; at < size; at += step) {
                const std::size_t length = std::min(step, size - at);
                it.read(at, length);
                // Pieces are fetched whole.
                const std::size_t fetched = std::min(size, (at + length + 262'143) / 262'144 * 262'144);
                CHECK(it.session.busy() == (fetched < size));
            }
            CHECK(it.transfers() == 1);
            CHECK(it.cancellations() == 0);
        }
    }
}

TEST_CASE("a small object is fetched once, however it is read") {
    Fixture it(3 * mib);
    it.read(2 * mib, 1000);
    it.read(0, 1000);
    it.read(3 * mib - 5, 5);
    it.read(mib, mib);
    it.read(0, 3 * mib);
    CHECK(it.transfers() == 1);
}

TEST_CASE("several readers close to each other share a transfer") {
    Fixture it(40 * mib);
    std::uint64_t at[] = {0, 3 * mib, 9 * mib};
    const std::size_t steps = 20;
    for (std::size_t step = 0; step < steps; ++step) {
        for (auto& position : at) {
            it.read(position, mib);
            position += mib;
        }
    }
    CHECK(it.transfers() == 1);
    CHECK(it.cancellations() == 0);
}

TEST_CASE("a reader who goes back farther than what is kept begins a new transfer, and gets the right bytes") {
    Fixture it(40 * mib);
    it.read(0, mib);
    it.read(30 * mib, mib);
    CHECK(it.transfers() == 1);
    it.read(20 * mib, mib);  // 16 MiB are kept
    CHECK(it.transfers() == 1);
    it.read(5 * mib, mib);
    CHECK(it.transfers() == 2);
    CHECK(it.cancellations() == 1);
    it.read(6 * mib, 20 * mib);
    it.read(39 * mib, mib);
    CHECK(it.transfers() == 2);
    CHECK_FALSE(it.session.busy());
}

TEST_CASE("what an interruption leaves is used; a transfer that is nearly over is fetched to its end") {
    SUBCASE("nearly over") {
        Fixture it(6 * mib);
        it.read(0, mib);
        it.object.interrupt();
        CHECK_FALSE(it.session.busy());
        CHECK(it.cancellations() == 0);
        it.read(mib, 5 * mib);
        CHECK(it.transfers() == 1);
    }
    SUBCASE("far from over") {
        Fixture it(30 * mib);
        it.read(0, 4 * mib);
        it.object.interrupt();
        CHECK_FALSE(it.session.busy());
        CHECK(it.cancellations() == 1);
        it.read(mib, 3 * mib);
        CHECK(it.transfers() == 1);
        // On from there: from the beginning again, what is kept stays.
        it.read(4 * mib, 2 * mib);
        CHECK(it.transfers() == 2);
        it.read(0, 6 * mib);
        CHECK(it.transfers() == 2);
        it.object.interrupt();
        it.read(29 * mib, mib);
        CHECK(it.transfers() == 3);
    }
    SUBCASE("in pieces, many times") {
        Fixture it(20 * mib);
        for (std::uint64_t at = 0; at < 20 * mib; at += mib) {
            it.read(at, mib);
            it.object.interrupt();
            CHECK_FALSE(it.session.busy());
        }
    }
    SUBCASE("by another operation, which the device breaks") {
        Fixture it(30 * mib);
        it.read(0, mib);
        it.object.interrupt();
        it.responder.on(operation::get_num_objects, [&](const Command&) { it.responder.stall(); });
        CHECK_FALSE(it.session.command(operation::get_num_objects, {}));
        REQUIRE(it.session.recover());
        it.read(mib, mib);
    }
}

TEST_CASE("reads in any order give the right bytes") {
    Fixture it(20 * mib);
    std::uint64_t state = 42;
    for (int i = 0; i < 40; ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const std::uint64_t offset = (state >> 20U) % (20 * mib - mib);
        const std::size_t length = 1 + (state >> 40U) % mib;
        it.read(offset, length);
        if (state % 5 == 0) {
            it.object.interrupt();
        }
        if (state % 17 == 0) {
            it.object.forget(object_handle);
        }
    }
}

TEST_CASE("another object, or the same with another size, is none of what is kept") {
    Fixture it(mib);
    it.read(0, mib);
    it.size = mib + 1;
    it.read(0, mib + 1);
    CHECK(it.transfers() == 2);
    it.responder.on(operation::get_object, [&](const Command& command) {
        it.responder.data(command, pattern(command.parameters[0], 1000));
        it.responder.respond(command, response::ok);
    });
    Bytes out(1000);
    REQUIRE(it.object.read(77, 1000, 0, out));
    CHECK(out == pattern(77, 1000));
    REQUIRE(it.object.read(78, 1000, 0, out));
    CHECK(out == pattern(78, 1000));
}

TEST_CASE("an object that was forgotten is fetched anew") {
    Fixture it(30 * mib);
    it.read(0, mib);
    it.object.forget(object_handle + 1);
    CHECK(it.session.busy());
    it.object.forget(object_handle);
    CHECK_FALSE(it.session.busy());
    it.read(0, mib);
    CHECK(it.transfers() == 2);
    it.object.forget_all();
    CHECK_FALSE(it.session.busy());
    CHECK_FALSE(it.object.in_use());
}

TEST_CASE("in use is what is under way and was read lately") {
    Fixture it(30 * mib);
    CHECK_FALSE(it.object.in_use());
    it.read(0, mib);
    CHECK(it.object.in_use());
    it.object.tidy();  // not yet
    CHECK(it.session.busy());
    const auto deadline = Deadline::after(std::chrono::seconds(20));
    while (it.object.in_use() && !deadline.expired()) {
    }
    CHECK_FALSE(it.object.in_use());
    CHECK(it.session.busy());
}

TEST_CASE("objects of another length than they were listed with") {
    SUBCASE("longer: what was listed is there") {
        Fixture it(mib);
        it.size = mib - 1000;  // as it was listed
        it.responder.on(operation::get_object, [&](const Command& command) {
            it.responder.data(command, pattern(0, mib));
            it.responder.respond(command, response::ok);
        });
        it.read(0, 1000);
        it.read(mib - 2000, 1000);
        CHECK_FALSE(it.session.busy());
        CHECK(it.cancellations() == 1);
    }
    SUBCASE("shorter: an error that says where it ended") {
        Fixture it(mib);
        it.responder.on(operation::get_object, [&](const Command& command) {
            it.responder.data(command, pattern(0, 700'000));
            it.responder.respond(command, response::ok);
        });
        it.read(0, 1000);
        const auto got = it.try_read(mib - 1000, 1000);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == EIO);
        CHECK(got.error().detail == "the data ended at 700000, ObjectCompressedSize is 1048576");
        CHECK_FALSE(it.session.busy());
        it.read(0, 500'000);  // of what is kept
    }
    SUBCASE("gone") {
        Fixture it(mib);
        it.responder.refuses(operation::get_object, response::invalid_object_handle);
        const auto got = it.try_read(0, 1000);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == ENOENT);
        CHECK_FALSE(it.session.busy());
    }
}

TEST_CASE("a device that fails in the middle: an error, then the next read begins anew") {
    struct Case {
        std::string name;
        void (*end)(ScriptedResponder&);
    };
    for (const auto& item : {Case{"silence", [](ScriptedResponder&) {}},
                             Case{"halt", [](ScriptedResponder& responder) { responder.stall(); }},
                             Case{"end", [](ScriptedResponder& responder) { responder.say({}); }}}) {
        CAPTURE(item.name);
        Fixture it(8 * mib);
        it.responder.once(operation::get_object, [&](const Command& command) {
            it.responder.say(container(ContainerType::data, command.operation, command.transaction,
                                       pattern(0, 2 * mib - container_header_size),
                                       static_cast<std::uint32_t>(8 * mib + container_header_size)),
                             false);
            item.end(it.responder);
        });
        it.read(0, mib);
        const auto got = it.try_read(mib, 2 * mib);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == EIO);
        CHECK_FALSE(it.session.busy());
        REQUIRE(it.session.recover());
        it.read(0, mib);  // still there
        CHECK(it.transfers() == 1);
        it.read(mib, 7 * mib);
        CHECK(it.transfers() == 2);
    }
}

TEST_CASE("a refusal after the data takes the data back") {
    Fixture it(1000);
    it.responder.once(operation::get_object, [&](const Command& command) {
        it.responder.data(command, pattern(0, 1000));
        it.responder.respond(command, response::incomplete_transfer);
    });
    CHECK_FALSE(it.try_read(0, 500));
    it.read(0, 1000);
    CHECK(it.transfers() == 2);
}
