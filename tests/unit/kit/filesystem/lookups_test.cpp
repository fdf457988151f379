#include "kit/filesystem/lookups.h"

#include "kit/filesystem/fuse_requests.h"
#include "kit/filesystem/listed_device.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::kit;
using Answers = std::vector<int>;

namespace {

struct Fixture : test::ListedDevice {
    Fixture() { content[root_key] = {{1, "a", Kind::file}, {2, "b", Kind::file}, {3, "c", Kind::file}}; }
    fuse_req_t look_for(const char* name) {
        const fuse_req_t request = kernel.make();
        lookups.lookup(request, root_inode, name);
        return request;
    }
    test::FuseRequests kernel;
    NodeStatus status{Ownership{}};
    Lookups lookups{core, folders, status};
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a name is answered as soon as it has been seen, one that is not there when all have") {
    const fuse_req_t there = look_for("b");
    const fuse_req_t missing = look_for("x");
    CHECK(turn());
    CHECK(kernel.answers(there).empty());
    CHECK(turn());
    CHECK(kernel.answers(there) == Answers{0});
    CHECK(node("b").lookups == 1);
    CHECK(kernel.answers(missing).empty());
    run();
    CHECK(kernel.answers(missing) == Answers{0});  // "there is none" is an entry without an inode: it may be kept
    CHECK(kernel.answers(there).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "who was interrupted is not answered twice, and no reference is left of him") {
    const fuse_req_t request = look_for("b");
    kernel.interrupt(request);
    core.waiting.answer_interrupted();
    run();
    CHECK(kernel.answers(request) == Answers{EINTR});
    CHECK(node("b").lookups == 0);
}

TEST_CASE_FIXTURE(Fixture, "a listing that fails is what the request fails with") {
    error = EACCES;
    const fuse_req_t name = look_for("b");
    const fuse_req_t listing = kernel.make();
    lookups.read_folder(listing, root_inode, 4096, 0, true);
    run();
    CHECK(kernel.answers(name) == Answers{EACCES});
    CHECK(kernel.answers(listing) == Answers{EACCES});
}

TEST_CASE_FIXTURE(Fixture,
                  "reading a folder with attributes gives the kernel a reference to each entry, but not twice") {
    const fuse_req_t listing = kernel.make();
    lookups.read_folder(listing, root_inode, 4096, 0, true);
    CHECK(turn());
    CHECK(kernel.answers(listing).empty());
    run();
    CHECK(kernel.answers(listing) == Answers{0});
    CHECK(node("a").lookups == 1);
    const fuse_req_t rest = kernel.make();
    lookups.read_folder(rest, root_inode, 4096, INT64_MAX, true);  // behind the last entry
    CHECK(kernel.answers(rest) == Answers{0});
    CHECK(node("a").lookups == 1);
}
