#include "drivers/storage/ntfs/redo_notes.h"

#include "drivers/storage/image_device.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;
using ntfs::RedoNotes;
using Blocks = ntfs::StagedDevice::Blocks;

namespace {

constexpr std::uint64_t log_at = 1U << 20U;

struct Medium {
    TemporaryFolder folder;
    ImageDevice device{make_image(folder.path() / "image", 2U << 20U)};
    // In two parts, the second one before the first.
    std::vector<ntfs::Range> log_file = {{log_at + (128U << 10U), 100U << 10U}, {log_at, 128U << 10U}};

    RedoNotes notes() {
        auto opened = RedoNotes::open(device, log_file);
        REQUIRE(opened.ok());
        return std::move(*opened);
    }
    static Blocks block(std::uint64_t number, unsigned char fill) {
        return {{number * 512, std::vector<std::byte>(512, std::byte{fill})}};
    }
    void put(const Blocks& blocks) {
        for (const auto& [offset, bytes] : blocks) {
            REQUIRE(device.write(offset, bytes, BlockDevice::Use::metadata).ok());
        }
    }
    [[nodiscard]] unsigned at(std::uint64_t number) {
        std::vector<std::byte> bytes(512);
        REQUIRE(device.read(number * 512, bytes, BlockDevice::Use::metadata).ok());
        return static_cast<unsigned>(bytes[0]);
    }
};

}  // namespace

TEST_CASE_FIXTURE(Medium, "NTFS: what the last two notes say is done again, once") {
    auto writer = notes();
    CHECK(*writer.recover(true) == RedoNotes::Found::nothing);
    REQUIRE(writer.add(block(10, 1), {}).ok());
    REQUIRE(writer.add(block(11, 2), {}).ok());
    REQUIRE(writer.add(block(12, 3), {}).ok());
    CHECK(*notes().recover(false) == RedoNotes::Found::done);
    CHECK(at(12) == 0);
    CHECK(*notes().recover(true) == RedoNotes::Found::done);
    CHECK((at(10) == 0 && at(11) == 2 && at(12) == 3));
    const auto writes = device.writes();
    auto next = notes();
    CHECK(*next.recover(true) == RedoNotes::Found::done);
    CHECK(device.writes() == writes);
    CHECK((next.recent(11 * 512) && next.recent(12 * 512) && !next.recent(10 * 512)));
    REQUIRE(next.erase().ok());
    CHECK(*notes().recover(true) == RedoNotes::Found::nothing);
}

TEST_CASE_FIXTURE(Medium, "NTFS: a block that both notes have becomes what the last one says") {
    auto writer = notes();
    REQUIRE(writer.add(block(10, 1), {}).ok());
    SUBCASE("neither has been done") {}
    SUBCASE("the first has been done") {
        put(block(10, 1));
    }
    REQUIRE(writer.add(block(10, 2), {}).ok());
    CHECK(*notes().recover(true) == RedoNotes::Found::done);
    CHECK(at(10) == 2);
}

TEST_CASE_FIXTURE(Medium, "NTFS: a note whose file data did not arrive does not count, the one before does") {
    auto writer = notes();
    REQUIRE(writer.add(block(10, 1), {}).ok());
    REQUIRE(writer.add(block(11, 2), block(20, 9)).ok());
    CHECK(writer.recent_data(20 * 512));
    SUBCASE("it did not") {
        CHECK(*notes().recover(true) == RedoNotes::Found::done);
        CHECK((at(10) == 1 && at(11) == 0));
    }
    SUBCASE("it did") {
        put(block(20, 9));
        CHECK(*notes().recover(true) == RedoNotes::Found::done);
        CHECK((at(10) == 1 && at(11) == 2));
    }
    SUBCASE("behind another note it is not asked for") {
        REQUIRE(writer.add_separator().ok());
        CHECK(!writer.recent_data(20 * 512));
        CHECK(*notes().recover(true) == RedoNotes::Found::done);
        CHECK(at(11) == 2);
    }
}

TEST_CASE_FIXTURE(Medium, "NTFS: where others have been at work, nothing is done again") {
    auto writer = notes();
    REQUIRE(writer.add(block(10, 1), {}).ok());
    REQUIRE(writer.add(block(11, 2), {}).ok());
    put(block(10, 7));
    CHECK(*notes().recover(true) == RedoNotes::Found::stale);
    CHECK((at(10) == 7 && at(11) == 0));
}

TEST_CASE_FIXTURE(Medium, "NTFS: a note that is damaged anywhere is none") {
    auto writer = notes();
    REQUIRE(writer.add(block(10, 1), block(20, 9)).ok());
    put(block(20, 9));
    // The first note lies in the second place, in the upper half of the file: in its first part's second half.
    std::uint64_t place = 0;
    std::vector<std::byte> bytes(512);
    for (std::uint64_t offset = log_at; offset < log_at + (228U << 10U); offset += 512) {
        REQUIRE(device.read(offset, bytes, BlockDevice::Use::data).ok());
        place = bytes[0] == std::byte{'p'} ? offset : place;
    }
    REQUIRE(place != 0);
    for (std::uint64_t i = 0; i < 1024; i += 3) {
        const std::uint64_t offset = place + i / 512 * 512;
        REQUIRE(device.read(offset, bytes, BlockDevice::Use::data).ok());
        bytes[i % 512] ^= std::byte{0x10};
        REQUIRE(device.write(offset, bytes, BlockDevice::Use::data).ok());
        CHECK(*notes().recover(true) == RedoNotes::Found::nothing);
        bytes[i % 512] ^= std::byte{0x10};
        REQUIRE(device.write(offset, bytes, BlockDevice::Use::data).ok());
    }
    CHECK(*notes().recover(true) == RedoNotes::Found::done);
    CHECK(at(10) == 1);
}

TEST_CASE_FIXTURE(Medium, "NTFS: notes keep to their places, and a log file that is too small has none") {
    auto writer = notes();
    Blocks many;
    for (std::uint64_t i = 0; i < 10; ++i) {
        many.merge(block(i, 1));
    }
    CHECK(writer.fits(many, many));
    for (std::uint64_t i = 0; i < 200; ++i) {
        many.merge(block(i, 1));
    }
    CHECK(writer.fits({}, many));
    CHECK(!writer.fits(many, {}));
    for (unsigned i = 0; i < 10; ++i) {
        REQUIRE(writer.add(block(10, static_cast<unsigned char>(i)), {}).ok());
    }
    // The beginning, and where else somebody looks for the journal's: not touched.
    std::vector<std::byte> bytes(512);
    for (std::uint64_t offset = 0; offset < 200U << 10U; offset = offset == 0 ? 512 : offset * 2) {
        REQUIRE(device.read(ntfs::part_of_file(log_file, offset, 512)[0].offset, bytes, BlockDevice::Use::data).ok());
        CHECK(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; }));
    }
    CHECK(RedoNotes::open(device, {{log_at, 64U << 10U}}).error().code == EUCLEAN);
    CHECK(RedoNotes::open(device, {}).error().code == EUCLEAN);
}
