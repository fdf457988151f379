// Partition tables written by sfdisk and sgdisk, whole, damaged and hostile.

#include "drivers/storage/partitions/partition.h"

#include "drivers/storage/open_volume.h"
#include "drivers/storage/partitions/partition_device.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <array>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct Disk {
    TemporaryFolder folder;
    std::filesystem::path image = make_image(folder.path() / "disk", 64 * mib);

    void sfdisk(const std::string& script) const {
        must_run("printf '" + script + "' | sfdisk -q --no-tell-kernel " + image.string());
    }
    [[nodiscard]] std::vector<Partition> read() const {
        ImageDevice device(image);
        auto found = read_partitions(device);
        REQUIRE_MESSAGE(found.ok(), (found ? "" : found.error().text()));
        return *found;
    }
    void write(std::uint64_t offset, std::span<const std::byte> bytes) const {
        ImageDevice device(image);
        REQUIRE(device.write(offset, bytes, BlockDevice::Use::metadata).ok());
    }
    void zero(std::uint64_t offset, std::size_t length) const { write(offset, std::vector<std::byte>(length)); }
};

void check_place(const Partition& partition, unsigned number, std::uint64_t start_mib, std::uint64_t size_mib) {
    CHECK(partition.number == number);
    CHECK(partition.offset == start_mib * mib);
    CHECK(partition.length == size_mib * mib);
}

}  // namespace

TEST_CASE("an MBR with primary, extended and logical partitions") {
    const Disk disk;
    disk.sfdisk(
        "label: dos\\n start=2048, size=8MiB, type=c\\n start=10MiB, size=40MiB, type=f\\n start=51MiB, size=2MiB, "
        "type=7\\n\\n start=11MiB, size=4MiB, type=e\\n start=16MiB, size=3MiB, type=83\\n start=20MiB, size=1MiB, "
        "type=b\\n");
    const auto found = disk.read();
    REQUIRE(found.size() == 5);
    check_place(found[0], 1, 1, 8);
    check_place(found[1], 3, 51, 2);
    check_place(found[2], 5, 11, 4);
    check_place(found[3], 6, 16, 3);
    check_place(found[4], 7, 20, 1);
    CHECK(found[0].type == "0x0c");
    CHECK(found[3].type == "0x83");
}

TEST_CASE("a chain of logical partitions that goes in circles ends") {
    const Disk disk;
    disk.sfdisk(
        "label: dos\\n start=10MiB, size=40MiB, type=f\\n\\n\\n\\n start=11MiB, size=4MiB, type=e\\n start=16MiB, "
        "size=3MiB, type=83\\n");
    std::array<std::byte, 512> table{};
    ImageDevice device(disk.image);
    const auto found = disk.read();
    REQUIRE(found.size() == 2);
    REQUIRE(device.read(10 * mib, table, BlockDevice::Use::metadata).ok());
    // The second entry's place, relative to the extended partition: the first table itself.
    std::fill_n(table.begin() + 446 + 16 + 8, 4, std::byte{});
    disk.write(10 * mib, table);
    CHECK(disk.read().size() == 1);
}

TEST_CASE("a GPT with names, and without its main header or its main entries") {
    const Disk disk;
    must_run("sgdisk -o -n 1:2048:+8M -t 1:0700 -c 1:'Über Daten' -n 3:+0:+4M -t 3:8300 -c 3:zwei " +
             disk.image.string());
    const auto check = [&] {
        const auto found = disk.read();
        REQUIRE(found.size() == 2);
        check_place(found[0], 1, 1, 8);
        check_place(found[1], 3, 9, 4);
        CHECK(found[0].name == "Über Daten");
        CHECK(found[0].type == "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7");
        CHECK(found[1].name == "zwei");
    };
    check();
    SUBCASE("the header") {
        disk.zero(512, 100);
        check();
    }
    SUBCASE("the entries") {
        disk.zero(1024, 64);
        check();
    }
    SUBCASE("both headers") {
        disk.zero(512, 100);
        disk.zero(64 * mib - 512, 100);
        const auto found = disk.read();  // what the protective MBR says is all that is left
        REQUIRE(found.size() == 1);
        CHECK(found[0].type == "0xee");
    }
}

TEST_CASE("a volume without a table, and old tables beside it") {
    const Disk disk;
    SUBCASE("FAT over an MBR") {
        disk.sfdisk("label: dos\\n start=2048, size=8MiB, type=c\\n");
        must_run("mkfs.fat -I -F 32 " + disk.image.string());
    }
    SUBCASE("FAT over a GPT, whose backup stays") {
        must_run("sgdisk -o -n 1:2048:+8M " + disk.image.string());
        must_run("mkfs.fat -I -F 16 " + disk.image.string());
    }
    SUBCASE("exFAT") {
        must_run("mkfs.exfat " + disk.image.string());
    }
    SUBCASE("ext4") {
        must_run("mkfs.ext4 -q " + disk.image.string());
    }
    SUBCASE("ext2 over a GPT, whose backup stays") {
        must_run("sgdisk -o -n 1:2048:+8M " + disk.image.string());
        must_run("mkfs.ext2 -q -F " + disk.image.string());
    }
    const auto found = disk.read();
    REQUIRE(found.size() == 1);
    check_place(found[0], 0, 0, 64);
    ImageDevice device(disk.image);
    CHECK(open_image(device)->read_only_because().empty());
}

TEST_CASE("a table goes before what is left of an ext volume that was there before it") {
    const Disk disk;
    must_run("mkfs.ext2 -q -F " + disk.image.string());
    disk.sfdisk("label: dos\\n start=2048, size=20MiB, type=83\\n");
    const auto found = disk.read();
    REQUIRE(found.size() == 1);
    check_place(found[0], 1, 1, 20);
}

TEST_CASE("nothing at all is no table") {
    const Disk disk;
    ImageDevice device(disk.image);
    const auto found = read_partitions(device);
    REQUIRE(!found.ok());
    CHECK(found.error().code == ENODATA);
}

TEST_CASE("a partition is a device of its own, and nothing beyond") {
    const Disk disk;
    disk.sfdisk("label: dos\\n start=2048, size=20MiB, type=c\\n start=22MiB, size=8MiB, type=7\\n");
    must_run("mkfs.fat -F 16 -n INNER --offset 2048 " + disk.image.string() + " 20480");
    ImageDevice device(disk.image);
    const auto found = disk.read();
    REQUIRE(found.size() == 2);
    PartitionDevice part(device, found[0]);
    CHECK(part.size() == 20 * mib);
    {
        auto volume = open_image(part);
        CHECK(volume->info().label == "INNER");
        const auto made = volume->create(root_key, "a.txt", Kind::file);
        REQUIRE(made.ok());
        write_file(*volume, made->key, 0, "in a partition");
        REQUIRE(volume->settle().ok());
    }
    CHECK(must_run("mtype -i " + disk.image.string() + "@@1M ::/a.txt") == "in a partition");
    std::array<std::byte, 512> block{};
    CHECK(part.read(20 * mib, block, BlockDevice::Use::data).error().code == EINVAL);
    CHECK(part.write(20 * mib - 1, block, BlockDevice::Use::data).error().code == EINVAL);
    CHECK(part.read(UINT64_MAX, block, BlockDevice::Use::data).error().code == EINVAL);
}

TEST_CASE("what is not FAT or exFAT is named") {
    const Disk disk;
    std::array<std::byte, 8> mark{};
    std::copy_n(reinterpret_cast<const std::byte*>("NTFS    "), 8, mark.begin());
    disk.write(3, mark);
    ImageDevice device(disk.image);
    const auto volume = open_volume(device, {}, [](LogLevel, const std::string&) {});
    REQUIRE(!volume.ok());
    CHECK(volume.error().code == ENOTSUP);
    CHECK(volume.error().detail.find("NTFS") != std::string::npos);
}
