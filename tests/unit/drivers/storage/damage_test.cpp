// Volumes that are damaged: what is broken is answered with EUCLEAN, the rest is served, nothing is written any more,
// and a person is told once.

#include "drivers/storage/open_volume.h"
#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

// A volume with the files `good` and `bad` of ten clusters each and the folder `dir` with one file in it, as bytes that
// a test damages.
struct Damaged {
    TemporaryFolder folder;
    std::filesystem::path image;
    std::vector<std::byte> bytes;
    std::string content = pattern(5000, 9);

    explicit Damaged(const std::string& make) : image(make_image(folder.path() / "image", 16U << 20U)) {
        must_run(make + " " + image.string());
        ImageDevice device(image);
        auto volume = open_image(device);
        for (const char* name : {"GOOD", "BAD"}) {
            const auto made = volume->create(root_key, name, Kind::file);
            REQUIRE(made.ok());
            write_file(*volume, made->key, 0, content);
        }
        const auto dir = volume->create(root_key, "DIR", Kind::directory);
        REQUIRE(dir.ok());
        REQUIRE(volume->create(dir->key, "INNER", Kind::file).ok());
        REQUIRE(volume->settle().ok());
        bytes.resize(device.size());
        REQUIRE(device.read(0, bytes, BlockDevice::Use::data).ok());
    }
    // Where the entry with this name begins, by its bytes.
    [[nodiscard]] std::size_t find(std::string_view text) const {
        const auto* const data = reinterpret_cast<const char*>(bytes.data());
        const auto at = std::string_view(data, bytes.size()).find(text);
        REQUIRE(at != std::string_view::npos);
        return at;
    }
    template <class T>
    void put(std::size_t at, T value) {
        put_le<T>(bytes, at, value);
    }
    // Damaged, opened; `look` gets the volume.
    void with(const std::function<void(Volume&)>& look) const {
        ImageDevice device(image);
        REQUIRE(device.write(0, bytes, BlockDevice::Use::data).ok());
        const std::size_t before = device.writes();
        std::vector<std::string> lines;
        auto volume = open_image(device, &lines);
        look(*volume);
        CHECK(lines.size() == 1);
        CHECK(volume->read_only_because().find("damaged") != std::string::npos);
        CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
        CHECK(volume->settle().ok());
        CHECK(device.writes() == before);
        const auto good = find_entry(*volume, root_key, "GOOD");
        REQUIRE(good);
        CHECK((read_file(*volume, *good) == content));
    }
};

int list_error(Volume& volume, const std::string& name) {
    const auto entry = find_entry(volume, root_key, name);
    REQUIRE(entry);
    const auto listing = volume.list(entry->key, 0);
    return listing ? 0 : listing.error().code;
}

struct FatImage : Damaged {
    FatImage() : Damaged("mkfs.fat -F 16 -s 1 -R 1") {}
    const std::size_t bad = find("BAD     ");
    const std::size_t dir = find("DIR     ");
    static constexpr std::size_t table = 512;
    [[nodiscard]] std::size_t link(std::uint32_t cluster) const { return table + cluster * 2U; }
    [[nodiscard]] std::uint16_t cluster(std::size_t entry) const { return get_le<std::uint16_t>(bytes, entry + 26); }
};

}  // namespace

TEST_CASE_FIXTURE(FatImage, "FAT: chains that lead nowhere") {
    SUBCASE("outside the volume") {
        put<std::uint16_t>(link(cluster(bad) + 3U), 0xfff0);
    }
    SUBCASE("to a free cluster") {
        put<std::uint16_t>(link(cluster(bad) + 3U), 0);
    }
    SUBCASE("in circles") {
        put<std::uint16_t>(link(cluster(bad) + 3U), cluster(bad));
    }
    SUBCASE("an end too early") {
        put<std::uint16_t>(link(cluster(bad) + 3U), 0xffff);
    }
    SUBCASE("a start outside") {
        put<std::uint16_t>(bad + 26, 0xff00);
    }
    SUBCASE("a size that is a lie") {
        put<std::uint32_t>(bad + 28, 0xffffffff);
    }
    with([](Volume& volume) {
        const auto entry = find_entry(volume, root_key, "BAD");
        std::string out(20'000, '?');
        const auto got = volume.read(entry->key, 0, std::as_writable_bytes(std::span(out)));
        if (got.ok()) {  // of a circle, the first round has been served
            CHECK(volume.remove(entry->key).error().code == EUCLEAN);
        } else {
            CHECK(got.error().code == EUCLEAN);
        }
    });
}

TEST_CASE_FIXTURE(FatImage, "FAT: folders that cannot be") {
    SUBCASE("no cluster") {
        put<std::uint16_t>(dir + 26, 0);
    }
    SUBCASE("one outside") {
        put<std::uint16_t>(dir + 26, 0xff00);
    }
    SUBCASE("a circle") {
        put<std::uint16_t>(link(cluster(dir)), cluster(dir));
    }
    with([](Volume& volume) { CHECK(list_error(volume, "DIR") == EUCLEAN); });
}

TEST_CASE_FIXTURE(FatImage, "FAT: a folder that is another one, too") {
    const std::size_t inner = find("INNER   ");
    put<std::uint8_t>(inner + 11, 0x10);
    put<std::uint16_t>(inner + 26, cluster(dir));
    with([](Volume& volume) {
        const auto outer = find_entry(volume, root_key, "DIR");
        const auto below = find_entry(volume, outer->key, "INNER");
        CHECK(volume.list(below->key, 0).error().code == EUCLEAN);
    });
}

TEST_CASE_FIXTURE(FatImage, "FAT: names with what no name can have") {
    put<char>(bad + 1, '/');
    with([](Volume& volume) {
        const auto entries = list_folder(volume, root_key);
        CHECK(entries.size() == 3);
        CHECK(std::none_of(entries.begin(), entries.end(),
                           [](const Entry& entry) { return entry.name.find('/') != std::string::npos; }));
    });
}

TEST_CASE_FIXTURE(FatImage, "FAT: a cluster that is free twice stops a removal, and all writing") {
    // Both belong to BAD and GOOD: what one gives back is no longer there for the other.
    const std::size_t good = find("GOOD    ");
    put<std::uint16_t>(bad + 26, cluster(good));
    ImageDevice device(image);
    REQUIRE(device.write(0, bytes, BlockDevice::Use::data).ok());
    auto volume = open_image(device);
    const auto first = find_entry(*volume, root_key, "BAD");
    const auto second = find_entry(*volume, root_key, "GOOD");
    REQUIRE(volume->remove(first->key).ok());
    CHECK(volume->remove(second->key).error().code == EUCLEAN);
    CHECK(!volume->read_only_because().empty());
}

TEST_CASE("FAT: what the boot sector cannot say") {
    struct Field {
        std::size_t at;
        std::uint16_t value;
    };
    for (const Field field : {Field{11, 513}, {14, 0}, {17, 0}, {22, 0xffff}, {19, 3}}) {
        CAPTURE(field.at);
        FatImage damaged;
        damaged.put<std::uint16_t>(field.at, field.value);
        ImageDevice device(damaged.image);
        REQUIRE(device.write(0, damaged.bytes, BlockDevice::Use::data).ok());
        const auto volume = open_volume(device, {}, [](LogLevel, const std::string&) {});
        REQUIRE(!volume.ok());
        CHECK((volume.error().code == EUCLEAN || volume.error().code == ENOTSUP));
        CHECK(!volume.error().detail.empty());
    }
}

TEST_CASE_FIXTURE(FatImage, "FAT: a volume that is longer than its medium is served as far as it goes") {
    put<std::uint16_t>(19, 0);
    put<std::uint32_t>(32, 33'000);
    with([](Volume& volume) { CHECK(volume.space().ok()); });
}

namespace {

struct ExfatImage : Damaged {
    ExfatImage() : Damaged("mkfs.exfat -c 512") {}
    // The File entry of the set whose name this is; names are UTF-16.
    [[nodiscard]] std::size_t entry(const std::string& name) const {
        std::string wide("\xc1\0", 2);
        for (const char c : name) {
            wide += c;
            wide += '\0';
        }
        return find(wide) - 64;
    }
    // After a change: the set's checksum.
    void seal(std::size_t at) {
        const std::size_t length = (static_cast<std::size_t>(bytes[at + 1]) + 1) * 32;
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < length; ++i) {
            if (i != 2 && i != 3) {
                sum = ((sum << 15U | sum >> 1U) + static_cast<std::uint32_t>(bytes[at + i])) & 0xffffU;
            }
        }
        put<std::uint16_t>(at + 2, static_cast<std::uint16_t>(sum));
    }
};

}  // namespace

TEST_CASE_FIXTURE(ExfatImage, "exFAT: a set with a wrong checksum is not shown") {
    put<std::uint16_t>(entry("BAD") + 2, 0x1234);
    with([](Volume& volume) { CHECK(list_folder(volume, root_key).size() == 2); });
}

TEST_CASE_FIXTURE(ExfatImage, "exFAT: contents that cannot be") {
    const std::size_t bad = entry("BAD");
    SUBCASE("a start outside") {
        put<std::uint32_t>(bad + 32 + 20, 0xffff0000);
    }
    SUBCASE("a row over the end") {
        const std::uint64_t all = std::uint64_t{get_le<std::uint32_t>(bytes, 92)} * 512;
        put<std::uint64_t>(bad + 32 + 8, all);
        put<std::uint64_t>(bad + 32 + 24, all);
    }
    SUBCASE("a size beyond everything") {
        put<std::uint64_t>(bad + 32 + 24, UINT64_MAX);
    }
    SUBCASE("a chain, where there is none") {
        put<std::uint8_t>(bad + 33, 1);
    }
    seal(bad);
    with([](Volume& volume) {
        const auto found = find_entry(volume, root_key, "BAD");
        std::string out(6000, '?');
        const std::uint64_t at = found->size > 10'000'000 && found->size < 20'000'000 ? found->size - 6000 : 0;
        CHECK(volume.read(found->key, at, std::as_writable_bytes(std::span(out))).error().code == EUCLEAN);
    });
}

TEST_CASE_FIXTURE(ExfatImage, "exFAT: a damaged up-case table, and a damaged boot region with a whole backup") {
    SUBCASE("the table") {
        const std::size_t at = find(std::string_view("\0\0\1\0\2\0\3\0\4\0\5\0", 12));
        put<std::uint16_t>(at + 2 * 'a', 'x');
    }
    SUBCASE("the boot region") {
        put<std::uint32_t>(92, 7);
    }
    SUBCASE("the first sector") {
        std::fill_n(bytes.begin(), 512, std::byte{});
    }
    with([](Volume& volume) { CHECK(list_folder(volume, root_key).size() == 3); });
}

TEST_CASE_FIXTURE(ExfatImage, "exFAT: no bitmap") {
    const std::size_t at = find(std::string_view("\x81\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0", 24));
    put<std::uint8_t>(at, 0x01);
    with([](Volume& volume) { CHECK(!volume.space().ok()); });
}

TEST_CASE("a chain that breaks far behind does not make reads of what is before it small") {
    const TemporaryFolder folder;
    const auto path = make_image(folder.path() / "image", std::uint64_t{64} << 20U);
    must_run("mkfs.fat -F 32 -s 1 " + path.string());
    Key file = 0;
    const std::string text = pattern(std::size_t{1} << 20U, 5);
    {
        ImageDevice device(path);
        auto volume = open_image(device);
        const auto made = volume->create(root_key, "file", Kind::file);
        REQUIRE(made);
        file = made->key;
        write_file(*volume, file, 0, text);
        REQUIRE(volume->settle());
    }
    for (const bool broken : {false, true}) {
        INFO(broken);
        if (broken) {
            // Its second last cluster leads to a free one: FAT entries of a run count up.
            must_run(
                "perl -e 'open my $f, \"+<\", shift or die; seek $f, 32 * 512, 0; read $f, my $fat, 1 << 20; "
                "my @fat = unpack \"V*\", $fat; my $at = 3; $at++ while $fat[$at + 1] == $at + 2; "
                "seek $f, 32 * 512 + 4 * $at, 0; print $f pack \"V\", 100000' " +
                path.string());
        }
        ImageDevice device(path);
        auto volume = open_image(device);
        const auto entry = find_entry(*volume, root_key, "file");
        REQUIRE(entry);
        std::string out(text.size() / 2, '\0');
        const auto before = device.reads();
        const auto got = volume->read(entry->key, 0, std::as_writable_bytes(std::span(out)));
        INFO((got ? "" : got.error().text()));
        REQUIRE(got);
        CHECK(out == text.substr(0, out.size()));
        CHECK(device.reads() - before < 10);
    }
}
