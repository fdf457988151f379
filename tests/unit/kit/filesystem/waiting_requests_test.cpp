#include "kit/filesystem/waiting_requests.h"

#include "kit/filesystem/fuse_requests.h"

#include <doctest/doctest.h>

#include <cerrno>

using namespace plugfs;
using namespace plugfs::kit;
using Answers = std::vector<int>;

namespace {

struct Fixture {
    test::FuseRequests kernel;
    WaitingRequests waiting;
    std::vector<int> failed;  // what `fail` was called with

    // `through`: an interrupt does not end it.
    WaitingRequests::Id add(fuse_req_t request, bool through = false) {
        const auto fail = [this, request](const Error& error) {
            failed.push_back(error.code);
            waiting.reply_error(request, error, "test");
        };
        return through ? waiting.add_through(request, fail) : waiting.add(request, fail);
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a request is taken once, and then nobody has it") {
    const fuse_req_t request = kernel.make();
    const auto id = add(request);
    CHECK(waiting.has(id));
    REQUIRE(waiting.take(id) == request);
    CHECK_FALSE(waiting.has(id));
    CHECK(waiting.take(id) == nullptr);
    waiting.fail(id, fail(EIO, "test"));
    CHECK(failed.empty());
    fuse_reply_err(request, 0);
    CHECK(kernel.answers(request) == Answers{0});
}

TEST_CASE_FIXTURE(Fixture, "one that fails is answered by its own function, with what a program can make sense of") {
    const fuse_req_t request = kernel.make();
    const auto id = add(request);
    waiting.fail(id, fail(EPROTO, "test"));
    CHECK(failed == Answers{EPROTO});
    CHECK(kernel.answers(request) == Answers{EIO});
    const fuse_req_t other = kernel.make();
    waiting.fail(add(other), fail(ENOSPC, "test"));
    CHECK(kernel.answers(other) == Answers{ENOSPC});
}

TEST_CASE_FIXTURE(Fixture, "an interrupt ends what waits, but not what cannot be given up half-way") {
    const fuse_req_t read = kernel.make();
    const fuse_req_t rename = kernel.make();
    const auto read_id = add(read);
    const auto rename_id = add(rename, true);
    bool called_off = false;
    waiting.when_interrupted(read_id, [&called_off] { called_off = true; });
    kernel.interrupt(read);
    kernel.interrupt(rename);
    CHECK(kernel.answers(read).empty());  // libfuse holds its lock
    waiting.answer_interrupted();
    CHECK(kernel.answers(read) == Answers{EINTR});
    CHECK(called_off);
    CHECK_FALSE(waiting.has(read_id));
    REQUIRE(waiting.take(rename_id) == rename);
    fuse_reply_err(rename, 0);
    // One that has been answered before the interrupt was looked at.
    const fuse_req_t late = kernel.make();
    const auto late_id = add(late);
    kernel.interrupt(late);
    fuse_reply_err(waiting.take(late_id), 0);
    waiting.answer_interrupted();
    CHECK(kernel.answers(late) == Answers{0});
}

TEST_CASE_FIXTURE(Fixture, "reads ahead of a file that is closed are given up, and no others") {
    const fuse_req_t ahead = kernel.make();
    const fuse_req_t direct = kernel.make();
    const fuse_req_t elsewhere = kernel.make();
    const auto ahead_id = add(ahead);
    const auto direct_id = add(direct);
    const auto elsewhere_id = add(elsewhere);
    waiting.reads_ahead(ahead_id, 20);
    waiting.reads_ahead(elsewhere_id, 30);
    waiting.give_up_reads(20);
    CHECK(kernel.answers(ahead) == Answers{EINTR});
    CHECK(waiting.has(direct_id));
    CHECK(waiting.has(elsewhere_id));
    waiting.fail(direct_id, fail(EIO, "test"));
    waiting.fail(elsewhere_id, fail(EIO, "test"));
}

TEST_CASE_FIXTURE(Fixture, "when the device has failed, what waits and what comes is answered with that") {
    const fuse_req_t waits = kernel.make();
    (void)add(waits);
    const fuse_req_t comes = kernel.make();
    CHECK_FALSE(waiting.refuse(comes));
    waiting.device_failed(fail(EACCES, "test"));
    CHECK(kernel.answers(waits) == Answers{EACCES});
    CHECK(waiting.refuse(comes));
    CHECK(kernel.answers(comes) == Answers{EACCES});
}

TEST_CASE_FIXTURE(Fixture, "what fails because the device has gone may be left to a successor") {
    waiting.hold_when_gone();
    const fuse_req_t waits = kernel.make();
    const fuse_req_t comes = kernel.make();
    (void)add(waits);
    const Error gone = fail(ENODEV, "test");
    CHECK(waiting.holds(gone));
    CHECK_FALSE(waiting.holds(fail(EIO, "test")));
    waiting.device_failed(gone);
    CHECK(waiting.refuse(comes));
    CHECK(kernel.answers(waits).empty());
    CHECK(kernel.answers(comes).empty());
    // (libfuse keeps them until they are answered.)
    fuse_reply_err(waits, ENODEV);
    fuse_reply_err(comes, ENODEV);
}
