#include "drivers/storage/cache/ring_memory.h"

#include "common/unique_fd.h"
#include "drivers/storage/cache/dirty_log.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <vector>

using namespace plugfs;
using namespace plugfs::storage;

namespace {

constexpr std::size_t size = std::size_t{8} << 20U;

// As Host::lasting_memory() gives it.
struct Shared {
    UniqueFd fd{::memfd_create("ring", MFD_CLOEXEC)};
    std::span<std::byte> bytes;
    Shared() {
        REQUIRE(::ftruncate(fd.get(), size) == 0);
        void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        REQUIRE(base != MAP_FAILED);
        bytes = {static_cast<std::byte*>(base), size};
    }
    ~Shared() { (void)::munmap(bytes.data(), size); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    [[nodiscard]] std::size_t taken() const {
        struct stat status {};
        REQUIRE(::fstat(fd.get(), &status) == 0);
        return static_cast<std::size_t>(status.st_blocks) * 512;
    }
};

}  // namespace

TEST_CASE("a long piece has its pages before it is written, and what is given back has none") {
    const Shared shared;
    RingMemory memory(shared.bytes);
    CHECK(memory.held() == size);
    memory.give_back(0);
    CHECK(memory.held() == 0);
    CHECK(shared.taken() == 0);
    memory.prepare(100, 100);  // short: as it is touched
    CHECK(shared.taken() == 0);
    memory.prepare(200, 1'000'000);
    CHECK(memory.held() == 1'000'200);
    // Whole pages of it; none on a kernel before 5.14.
    CHECK((shared.taken() == 0 || shared.taken() >= 990'000));
    shared.bytes[500'000] = std::byte{1};
    shared.bytes[900'000] = std::byte{2};
    memory.give_back(600'000);
    CHECK(shared.taken() <= 604'000);
    CHECK(shared.bytes[500'000] == std::byte{1});
    CHECK(shared.bytes[900'000] == std::byte{0});
    CHECK(memory.held() == 600'000);
    memory.give_back(700'000);
    CHECK(memory.held() == 600'000);
}

TEST_CASE("an empty log begins at the beginning of its ring, and gives the rest back") {
    const Shared shared;
    auto log = DirtyLog::open(shared.bytes, {1, 512, 100'000});
    REQUIRE(log.ok());
    const std::vector<std::byte> piece(100'000 / 512 * 512, std::byte{7});
    // Small files, one after the other: each in the same place.
    for (int i = 0; i < 200; ++i) {
        (void)(*log)->append(1, 5, piece);
        (*log)->commit();
        (*log)->release(1);
    }
    CHECK(shared.taken() < 200'000);
    // A large one: much of the ring, until it is quiet.
    for (int i = 0; i < 50; ++i) {
        (void)(*log)->append(1, 5, piece);
    }
    (*log)->commit();
    CHECK(shared.taken() > 4'000'000);
    (*log)->give_back_memory();  // is not empty
    CHECK(shared.taken() > 4'000'000);
    CHECK((*log)->records().back().bytes[1000] == std::byte{7});
    (*log)->release(50);
    (*log)->give_back_memory();
    CHECK(shared.taken() < DirtyLog::kept_when_empty + 100'000);
    // And goes on; a successor finds what there is.
    (void)(*log)->append(2, 9, piece);
    (*log)->commit();
    log = DirtyLog::open(shared.bytes, {1, 512, 100'000});
    REQUIRE(log.ok());
    REQUIRE((*log)->records().size() == 1);
    CHECK((*log)->records()[0].block == 9);
    CHECK((*log)->found().damage.empty());
}
