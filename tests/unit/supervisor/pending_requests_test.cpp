#include "supervisor/pending_requests.h"

#include <doctest/doctest.h>

#include <linux/fuse.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

using namespace plugfs;

namespace {

// The descriptor is a socket: what the supervisor would write to the kernel can be read at its other end.
struct Fixture {
    UniqueFd kernel;
    UniqueFd fuse;
    UniqueFd memory;
    VaultMapping vault = [this] {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        kernel.reset(ends[0]);
        fuse.reset(ends[1]);
        auto made = VaultMapping::create(memory);
        REQUIRE(made.ok());
        return std::move(*made);
    }();
    PendingRequests pending{fuse.get(), vault};

    static fuse_in_header request(std::uint64_t unique, std::uint32_t opcode,
                                  std::uint32_t length = sizeof(fuse_in_header)) {
        fuse_in_header header{};
        header.len = length;
        header.opcode = opcode;
        header.unique = unique;
        header.nodeid = unique * 10;
        return header;
    }
    void put(std::size_t slot, const fuse_in_header& header) const {
        std::memcpy(vault.small_slot(slot).data(), &header, sizeof header);
    }
    // The next answer: its unique and errno; 0 and 0 when there is none.
    [[nodiscard]] std::pair<std::uint64_t, int> answer() const {
        fuse_out_header header{};
        if (::recv(kernel.get(), &header, sizeof header, 0) != sizeof header) {
            return {0, 0};
        }
        return {header.unique, -header.error};
    }
};

using Answer = std::pair<std::uint64_t, int>;

}  // namespace

TEST_CASE("what stands in the slots is listed by number, nonsense and what wants no reply is not") {
    Fixture fixture;
    fixture.put(7, Fixture::request(30, FUSE_READ));
    fixture.put(3, Fixture::request(31, FUSE_LOOKUP));
    fixture.put(4, Fixture::request(29, FUSE_FORGET));
    fixture.put(5, Fixture::request(28, FUSE_READ, 8));
    fixture.put(6, Fixture::request(27, FUSE_READ, small_slot_size + 1));
    const auto list = fixture.pending.list();
    REQUIRE(list.size() == 2);
    CHECK(list[0].unique == 30);
    CHECK(list[0].inode == 300);
    CHECK(std::string(opcode_name(list[1].opcode)) == "LOOKUP");
}

TEST_CASE("the third crash on a request is its last; those that were not being tried are not blamed") {
    Fixture fixture;
    CHECK_FALSE(fixture.pending.after_crash());
    fixture.put(0, Fixture::request(1, FUSE_READ));
    fixture.put(1, Fixture::request(2, FUSE_READ));
    CHECK(fixture.pending.after_crash());
    fixture.vault.header().request_on_trial = 1;
    CHECK(fixture.pending.after_crash());
    CHECK(fixture.answer() == Answer{0, 0});
    CHECK(fixture.pending.after_crash());
    CHECK(fixture.answer() == Answer{1, EIO});
    CHECK(fixture.answer() == Answer{0, 0});
    const auto left = fixture.pending.list();
    REQUIRE(left.size() == 1);
    CHECK(left[0].unique == 2);
    // The other one has had one try; once it has been answered it is forgotten.
    fixture.put(1, Fixture::request(3, FUSE_READ, 0));
    CHECK_FALSE(fixture.pending.after_crash());
}

TEST_CASE("at the end all are answered, those in the slots and those in the kernel's queue") {
    Fixture fixture;
    fixture.put(0, Fixture::request(1, FUSE_READ));
    for (const auto& queued :
         {Fixture::request(5, FUSE_GETATTR), Fixture::request(6, FUSE_FORGET), Fixture::request(7, FUSE_OPEN)}) {
        REQUIRE(::send(fixture.kernel.get(), &queued, sizeof queued, 0) == sizeof queued);
    }
    fixture.pending.answer_all(ENODEV);
    CHECK(fixture.answer() == Answer{1, ENODEV});
    CHECK(fixture.answer() == Answer{5, ENODEV});
    CHECK(fixture.answer() == Answer{7, ENODEV});
    CHECK(fixture.answer() == Answer{0, 0});
    CHECK(fixture.pending.list().empty());
}

TEST_CASE("what may hold a folder's lock is answered apart from the others") {
    Fixture fixture;
    fixture.put(0, Fixture::request(1, FUSE_READ));
    fixture.put(1, Fixture::request(2, FUSE_READDIRPLUS));
    fixture.put(2, Fixture::request(3, FUSE_WRITE));
    fixture.put(3, Fixture::request(4, FUSE_RENAME2));
    CHECK(fixture.pending.answer_names(EIO));
    CHECK(fixture.answer() == Answer{2, EIO});
    CHECK(fixture.answer() == Answer{4, EIO});
    CHECK(fixture.answer() == Answer{0, 0});
    CHECK(fixture.pending.list().size() == 2);
    CHECK_FALSE(fixture.pending.answer_names(EIO));
    CHECK(fixture.answer() == Answer{0, 0});
}
