// NTFS volumes that are damaged, in use elsewhere, or made to harm: what is broken is answered with EUCLEAN, the rest
// is served, nothing is written any more, and a person is told once.

#include "drivers/storage/ntfs/log_file.h"
#include "drivers/storage/ntfs/ntfs_image.h"
#include "drivers/storage/text/little_endian.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t record_size = 1024;

struct Made {
    TemporaryFolder folder;
    std::filesystem::path image = make_image(folder.path() / "image", 8 * mib);
    std::string content = pattern(400'000, 9);
    std::uint64_t bad_record = 0;

    Made() {
        make_ntfs(image, "-c 4096");
        ImageDevice device(image);
        auto volume = open_ntfs_image(device);
        for (const char* name : {"good", "bad"}) {
            const auto made = volume->create(root_key, name, Kind::file);
            REQUIRE(made.ok());
            write_file(*volume, made->key, 0, content);
        }
        REQUIRE(volume->settle().ok());
        bad_record = find_record(u"bad");
    }
    // Where on the medium the record is that has this name.
    [[nodiscard]] std::uint64_t find_record(std::u16string_view name) const {
        const std::string bytes(reinterpret_cast<const char*>(name.data()), name.size() * 2);
        ImageDevice device(image);
        std::string record(record_size, '\0');
        for (std::uint64_t at = 4 * 4096 + 24 * record_size; at < mib; at += record_size) {
            REQUIRE(device.read(at, std::as_writable_bytes(std::span(record)), BlockDevice::Use::data).ok());
            if (record.rfind("FILE", 0) == 0 && record.find(bytes) != std::string::npos) {
                return at;
            }
        }
        FAIL("no such record");
        return 0;
    }
    // The attribute of that type in a record: its offset on the medium.
    [[nodiscard]] std::uint64_t attribute(std::uint64_t record, std::uint32_t type) const {
        ImageDevice device(image);
        std::vector<std::byte> bytes(record_size);
        REQUIRE(device.read(record, bytes, BlockDevice::Use::data).ok());
        std::size_t at = get_le<std::uint16_t>(bytes, 20);
        while (get_le<std::uint32_t>(bytes, at) != type) {
            REQUIRE(get_le<std::uint32_t>(bytes, at) != 0xffffffff);
            at += get_le<std::uint32_t>(bytes, at + 4);
        }
        return record + at;
    }
    template <class T>
    void put(std::uint64_t at, T value) const {
        std::vector<std::byte> bytes(sizeof(T));
        put_le<T>(bytes, 0, value);
        ImageDevice device(image);
        REQUIRE(device.write(at, bytes, BlockDevice::Use::data).ok());
    }
    void only_read(const std::string& why) const {
        ImageDevice device(image);
        std::vector<std::string> lines;
        auto volume = open_ntfs_image(device, &lines);
        CHECK(volume->read_only_because().find(why) != std::string::npos);
        CHECK(lines.size() == 1);
        CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
        CHECK((read_file(*volume, *find_entry(*volume, root_key, "good")) == content));
        CHECK(volume->settle().ok());
        CHECK(device.writes() == 0);
    }
};

}  // namespace

TEST_CASE_FIXTURE(Made, "NTFS: what was not closed properly is only read") {
    SUBCASE("the mark") {
        for (const std::uint64_t copy : {std::uint64_t{4} * 4096, std::uint64_t{0}}) {
            std::uint64_t at = copy;
            if (at == 0) {
                ImageDevice device(image);
                std::vector<std::byte> boot(512);
                REQUIRE(device.read(0, boot, BlockDevice::Use::data).ok());
                at = get_le<std::uint64_t>(boot, 56) * 4096;
            }
            const auto information = attribute(at + 3 * record_size, 0x70);
            put<std::uint16_t>(information + 24 + 10, 1);
        }
        only_read("not closed properly");
    }
    SUBCASE("Windows is asleep") {
        std::ofstream(folder.path() / "in", std::ios::binary) << "hibr" + std::string(8188, '\0');
        must_run("ntfscp -q -f " + image.string() + " " + (folder.path() / "in").string() + " hiberfil.sys");
        only_read("asleep");
    }
    SUBCASE("the journal is somebody's, and not one that can be read") {
        ImageDevice device(image);
        std::vector<std::byte> boot(512);
        REQUIRE(device.read(0, boot, BlockDevice::Use::data).ok());
        const auto parsed = ntfs::parse_boot_sector(std::span(boot).first<512>(), device.size());
        REQUIRE(parsed.ok());
        put<std::uint32_t>(ntfs::find_log_file(device, *parsed)->front().offset, 0x44524352);  // "RCRD"
        only_read("$LogFile");
    }
}

TEST_CASE_FIXTURE(Made, "NTFS: damage is seen, told once, and ends writing") {
    SUBCASE("a size that cannot be") {
        put<std::uint64_t>(attribute(bad_record, 0x80) + 48, std::uint64_t{1} << 60U);
    }
    SUBCASE("runs that cannot be read") {
        put<std::uint8_t>(attribute(bad_record, 0x80) + 64, 0x88);
    }
    SUBCASE("a run past the end") {
        put<std::uint64_t>(attribute(bad_record, 0x80) + 64, 0x7fffff0064'31);
    }
    SUBCASE("sectors that do not belong together") {
        put<std::uint16_t>(bad_record + 510, 0x7777);
    }
    SUBCASE("a record that is free") {
        put<std::uint16_t>(bad_record + 22, 0);
    }
    SUBCASE("a record that has another name") {
        put<std::uint16_t>(attribute(bad_record, 0x30) + 24 + 66, u'X');
    }
    ImageDevice device(image);
    std::vector<std::string> lines;
    auto volume = open_ntfs_image(device, &lines);
    const auto bad = find_entry(*volume, root_key, "bad");
    if (bad) {
        std::string out(20'000, '?');
        CHECK(volume->read(bad->key, 0, std::as_writable_bytes(std::span(out))).error().code == EUCLEAN);
    }
    CHECK(lines.size() == 1);
    CHECK(volume->read_only_because().find("damaged") != std::string::npos);
    const auto before = device.writes();
    CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
    CHECK(volume->settle().ok());
    CHECK(device.writes() == before);
    CHECK((read_file(*volume, *find_entry(*volume, root_key, "good")) == content));
}

TEST_CASE_FIXTURE(Made, "NTFS: an encrypted file is listed and not read, a reparse point is left out") {
    const auto information = attribute(bad_record, 0x10) + 24 + 32;
    SUBCASE("encrypted") {
        put<std::uint32_t>(information, 0x4000);
        ImageDevice device(image);
        auto volume = open_ntfs_image(device);
        const auto bad = find_entry(*volume, root_key, "bad");
        REQUIRE(bad);
        std::string out(100, '?');
        CHECK(volume->read(bad->key, 0, std::as_writable_bytes(std::span(out))).error().code == EACCES);
        CHECK(volume->read_only_because() == "");
    }
    SUBCASE("reparse point") {
        put<std::uint32_t>(information, 0x400);
        ImageDevice device(image);
        std::vector<std::string> lines;
        auto volume = open_ntfs_image(device, &lines);
        CHECK(!find_entry(*volume, root_key, "bad"));
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].find("left out") != std::string::npos);
        CHECK(volume->create(root_key, "bad", Kind::file).error().code == EEXIST);
        CHECK(volume->read_only_because() == "");
    }
}

TEST_CASE_FIXTURE(Made, "NTFS: hundreds of patched volumes end nobody") {
    std::mt19937 random(7);
    const auto patched = folder.path() / "patched";
    unsigned served = 0;
    for (unsigned i = 0; i < 300; ++i) {
        CAPTURE(i);
        std::filesystem::copy_file(image, patched, std::filesystem::copy_options::overwrite_existing);
        {
            std::fstream file(patched, std::ios::in | std::ios::out | std::ios::binary);
            for (unsigned n = 0; n < 1 + i % 8; ++n) {
                const bool boot = random() % 20 == 0;
                file.seekp(
                    static_cast<std::streamoff>(boot ? random() % 90 : 4 * 4096 + random() % (80 * record_size)));
                file.put(static_cast<char>(random()));
            }
        }
        ImageDevice device(patched);
        VolumeOptions options;
        options.more_kinds = {ntfs::ntfs_kind()};
        auto volume = ntfs::open_ntfs(device, options, [](LogLevel, const std::string&) {});
        if (!volume) {
            CHECK(volume.error().code == EUCLEAN);
            continue;
        }
        ++served;
        const auto listing = (*volume)->list(root_key, 0);
        if (listing) {
            for (const auto& entry : listing->entries) {
                std::vector<std::byte> out(5000);
                (void)(*volume)->read(entry.key, 0, out);
                (void)(*volume)->write(entry.key, 3, out);
                (void)(*volume)->remove(entry.key);
            }
        }
        (void)(*volume)->create(root_key, "new", Kind::directory);
        (void)(*volume)->settle();
    }
    CHECK(served > 100);
}
