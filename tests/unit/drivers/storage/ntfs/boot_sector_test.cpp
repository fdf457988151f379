#include "drivers/storage/ntfs/boot_sector.h"

#include "drivers/storage/ntfs/log_file.h"
#include "drivers/storage/ntfs/ntfs_image.h"
#include "drivers/storage/text/little_endian.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <array>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::uint64_t size = std::uint64_t{16} << 20U;

struct Fresh {
    TemporaryFolder folder;
    std::filesystem::path image = make_image(folder.path() / "image", size);
    std::array<std::byte, 512> sector{};

    Fresh() {
        make_ntfs(image, "-c 4096");
        ImageDevice device(image);
        REQUIRE(device.read(0, sector, BlockDevice::Use::metadata).ok());
    }
    template <class T>
    [[nodiscard]] std::string complaint(std::size_t at, T value) const {
        auto changed = sector;
        put_le<T>(changed, at, value);
        const auto boot = ntfs::parse_boot_sector(changed, size);
        return boot ? "" : boot.error().detail;
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fresh, "NTFS: a boot sector is read") {
    const auto boot = ntfs::parse_boot_sector(sector, size);
    REQUIRE(boot.ok());
    CHECK(boot->sector_size == 512);
    CHECK(boot->cluster_size == 4096);
    CHECK(boot->record_size == 1024);
    CHECK(boot->index_size == 4096);
    CHECK(boot->cluster_count == size / 4096 - 1);
    CHECK(boot->mft_cluster == 4);
    CHECK(boot->serial.size() == 16);
    ImageDevice device(image);
    CHECK(ntfs::looks_like_ntfs(device));
}

TEST_CASE_FIXTURE(Fresh, "NTFS: what a boot sector cannot say is complained of by field") {
    CHECK(complaint<std::uint8_t>(3, 'X') == "it is none");
    for (const std::uint16_t bad : {0, 100, 513, 8192}) {
        CHECK(complaint<std::uint16_t>(11, bad) == "bytes per sector is " + std::to_string(bad));
    }
    for (const std::uint8_t bad : {0, 3, 129, 200, 224}) {
        CHECK(complaint<std::uint8_t>(13, bad) == "sectors per cluster is " + std::to_string(bad));
    }
    CHECK(complaint<std::uint64_t>(40, 0) == "number of sectors is 0");
    CHECK(complaint<std::uint64_t>(40, size / 512 + 1) == "number of sectors is 32769");
    CHECK(complaint<std::uint64_t>(40, UINT64_MAX).find("number of sectors") == 0);
    CHECK(complaint<std::uint64_t>(48, 0) == "the cluster of $MFT is 0");
    CHECK(complaint<std::uint64_t>(48, size / 4096) == "the cluster of $MFT is 4096");
    CHECK(complaint<std::uint64_t>(56, UINT64_MAX).find("the cluster of $MFTMirr") == 0);
    for (const std::uint8_t bad : {0, 3, 0x80, 0xe0, 0xff, 2}) {
        CHECK(complaint<std::uint8_t>(64, bad) == "clusters per MFT record is " + std::to_string(bad));
    }
    for (const std::uint8_t bad : {0, 3, 0x80, 0xe1}) {
        CHECK(complaint<std::uint8_t>(68, bad) == "clusters per index block is " + std::to_string(bad));
    }
}

TEST_CASE_FIXTURE(Fresh, "NTFS: $LogFile is found without the library, or it is said what is wrong with it") {
    const auto boot = ntfs::parse_boot_sector(sector, size);
    REQUIRE(boot.ok());
    constexpr std::uint64_t record = 4 * 4096 + 2 * 1024;
    ImageDevice device(image);
    const auto found = ntfs::find_log_file(device, *boot);
    REQUIRE(found.ok());
    std::uint64_t length = 0;
    for (const auto& part : *found) {
        CHECK(part.offset % 4096 == 0);
        length += part.length;
    }
    CHECK(length > 128U << 10U);
    // mkntfs fills it with ones.
    std::vector<std::byte> content(found->front().length);
    REQUIRE(device.read(found->front().offset, content, BlockDevice::Use::data).ok());
    CHECK(std::all_of(content.begin(), content.end(), [](std::byte b) { return b == std::byte{0xff}; }));

    const auto with = [&](std::size_t at, std::uint8_t value) {
        std::vector<std::byte> bytes(1024);
        REQUIRE(device.read(record, bytes, BlockDevice::Use::metadata).ok());
        const std::byte kept = std::exchange(bytes[at], std::byte{value});
        REQUIRE(device.write(record, bytes, BlockDevice::Use::metadata).ok());
        const auto answer = ntfs::find_log_file(device, *boot);
        bytes[at] = kept;
        REQUIRE(device.write(record, bytes, BlockDevice::Use::metadata).ok());
        return answer ? "" : answer.error().detail;
    };
    CHECK(with(0, 'X') == "its record is none");
    CHECK(with(6, 9).find("fixups") != std::string::npos);
    CHECK(with(510, 0x77) == "its record was not written whole");
    // Whatever else is in it: an answer, in bounds.
    for (std::size_t at = 0; at < 1024; ++at) {
        for (const std::uint8_t value : {0x00, 0x01, 0x7f, 0xff}) {
            (void)with(at, value);
        }
    }
}

TEST_CASE("NTFS: a part of a file lies in parts of the medium") {
    const std::vector<ntfs::Range> file = {{1000, 100}, {5000, 50}, {2000, 10}};
    const auto part = ntfs::part_of_file(file, 90, 65);
    REQUIRE(part.size() == 3);
    CHECK((part[0].offset == 1090 && part[0].length == 10));
    CHECK((part[1].offset == 5000 && part[1].length == 50));
    CHECK((part[2].offset == 2000 && part[2].length == 5));
    CHECK(ntfs::part_of_file(file, 160, 5).empty());
    CHECK(ntfs::part_of_file(file, 0, 0).empty());
}
