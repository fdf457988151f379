// ext volumes that are damaged, or made to harm: what is broken is answered with EUCLEAN, the rest is served, nothing
// is written any more, and a person is told once.

#include "drivers/storage/open_volume.h"
#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <iterator>
#include <random>
#include <sstream>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr std::size_t block_size = 1024;

// A volume with the files `good` and `bad`, large enough for blocks of pointers, and the folder `dir` with one in it.
struct Damaged {
    TemporaryFolder folder;
    std::filesystem::path image;
    std::string content = pattern(400'000, 9);

    explicit Damaged(const std::string& make) : image(make_image(folder.path() / "image", 8 * mib)) {
        must_run(make + " -b 1024 " + image.string());
        ImageDevice device(image);
        auto volume = open_image(device);
        for (const char* name : {"good", "bad"}) {
            const auto made = volume->create(root_key, name, Kind::file);
            REQUIRE(made.ok());
            write_file(*volume, made->key, 0, content);
        }
        const auto dir = volume->create(root_key, "dir", Kind::directory);
        REQUIRE(dir.ok());
        REQUIRE(volume->create(dir->key, "inner", Kind::file).ok());
        REQUIRE(volume->settle().ok());
    }
    std::string debugfs(const std::string& request) const {
        auto text = must_run("debugfs -w -R '" + request + "' " + image.string());
        return text.substr(text.find('\n') + 1);
    }
    // The file's blocks, in their order, with those of its map.
    [[nodiscard]] std::vector<std::uint32_t> blocks(const std::string& name) const {
        std::istringstream stream(debugfs("blocks " + name));
        return {std::istream_iterator<std::uint32_t>(stream), {}};
    }
    template <class T>
    void put(std::uint64_t at, T value) const {
        std::array<std::byte, sizeof(T)> bytes{};
        put_le<T>(bytes, 0, value);
        ImageDevice device(image);
        REQUIRE(device.write(at, bytes, BlockDevice::Use::data).ok());
    }
    void with(const std::function<void(Volume&)>& look) const {
        ImageDevice device(image);
        std::vector<std::string> lines;
        auto volume = open_image(device, &lines);
        look(*volume);
        CHECK(lines.size() == 1);
        CHECK(volume->read_only_because().find("damaged") != std::string::npos);
        const std::size_t before = device.writes();
        CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
        CHECK(volume->settle().ok());
        CHECK(device.writes() == before);
        const auto good = find_entry(*volume, root_key, "good");
        REQUIRE(good);
        CHECK((read_file(*volume, *good) == content));
    }
};

struct Pointers : Damaged {
    Pointers() : Damaged("mkfs.ext2 -q") {}
};
struct Extents : Damaged {
    Extents() : Damaged("mkfs.ext4 -q -O ^metadata_csum,^has_journal") {}
};

void bad_cannot_be_read(Volume& volume) {
    const auto entry = find_entry(volume, root_key, "bad");
    REQUIRE(entry);
    std::string out(20'000, '?');
    CHECK(volume.read(entry->key, 0, std::as_writable_bytes(std::span(out))).error().code == EUCLEAN);
    const auto removed = volume.remove(entry->key);
    CHECK((!removed && (removed.error().code == EUCLEAN || removed.error().code == EROFS)));
}

}  // namespace

TEST_CASE_FIXTURE(Pointers, "ext: block pointers that lead nowhere, into the tables, and in circles") {
    const auto all = blocks("/bad");
    const std::uint64_t indirect = all[12] * block_size;
    const std::uint64_t twofold = all[13 + 256] * block_size;
    SUBCASE("past the end") {
        put<std::uint32_t>(indirect + 40, 0xfffffff0);
    }
    SUBCASE("to the superblock") {
        put<std::uint32_t>(indirect + 40, 1);
    }
    SUBCASE("to the inodes") {
        debugfs("set_inode_field /bad block[3] 40");
    }
    SUBCASE("to a block of pointers that is on the way already") {
        put<std::uint32_t>(twofold + 4, static_cast<std::uint32_t>(twofold / block_size));
    }
    SUBCASE("to another one's block of pointers") {
        put<std::uint32_t>(twofold + 4, static_cast<std::uint32_t>(indirect / block_size));
    }
    with(bad_cannot_be_read);
}

TEST_CASE_FIXTURE(Extents, "ext: extents that cannot be") {
    SUBCASE("no magic") {
        debugfs("set_inode_field /bad block[0] 0");
    }
    SUBCASE("more than there is room for") {
        debugfs("set_inode_field /bad block[0] 0x0009f30a");
    }
    SUBCASE("a depth that is not") {
        debugfs("set_inode_field /bad block[1] 0x00050004");
    }
    SUBCASE("a start past the end") {
        debugfs("set_inode_field /bad block[5] 0xfffff0");
    }
    SUBCASE("a start within a table") {
        debugfs("set_inode_field /bad block[5] 2");
    }
    SUBCASE("no length") {
        debugfs("set_inode_field /bad block[4] 0");
    }
    SUBCASE("a node that is its own child") {
        const std::uint64_t node = blocks("/bad")[0];
        debugfs("set_inode_field /bad block[1] 0x00010004");
        debugfs("set_inode_field /bad block[4] " + std::to_string(node));
        put<std::uint32_t>(node * block_size, 0x0001f30a);
        put<std::uint32_t>(node * block_size + 4, 0x00010054);
        put<std::uint32_t>(node * block_size + 16, static_cast<std::uint32_t>(node));
    }
    with(bad_cannot_be_read);
}

TEST_CASE_FIXTURE(Extents, "ext: entries of what no entry can be of") {
    SUBCASE("of the resize inode") {
        debugfs("ln <7> /odd");
    }
    SUBCASE("of one past the end") {
        debugfs("ln /dir/inner /odd");
        const std::uint64_t block = blocks("/")[0] * block_size;
        std::string bytes(block_size, '\0');
        {
            ImageDevice device(image);
            REQUIRE(device.read(block, std::as_writable_bytes(std::span(bytes)), BlockDevice::Use::data).ok());
        }
        put<std::uint32_t>(block + bytes.find("odd") - 8, 999'999);
    }
    SUBCASE("of one that is free") {
        debugfs("ln <100> /odd");
    }
    SUBCASE("named with a slash") {
        debugfs("mknod a/b p");
    }
    SUBCASE("of a size that cannot be") {
        debugfs("ln /dir/inner /odd");
        debugfs("set_inode_field /odd size 0x7fffffffffffffff");
    }
    with([](Volume& volume) {
        CHECK(!find_entry(volume, root_key, "odd"));
        CHECK(list_folder(volume, root_key).size() == 4);  // with lost+found
    });
}

TEST_CASE_FIXTURE(Extents, "ext: folders that cannot be") {
    const std::uint64_t block = blocks("/dir")[0] * block_size;
    SUBCASE("an entry without length") {
        put<std::uint16_t>(block + 24 + 4, 0);
    }
    SUBCASE("an entry past the end of its block") {
        put<std::uint16_t>(block + 24 + 4, 4096);
    }
    SUBCASE("a name past the end of its entry") {
        put<std::uint16_t>(block + 24 + 6, 255);
        put<std::uint16_t>(block + 24 + 4, 100);
    }
    SUBCASE("a size that is none") {
        debugfs("set_inode_field /dir size 1000");
    }
    SUBCASE("more blocks than it has") {
        debugfs("set_inode_field /dir size 102400");
    }
    SUBCASE("a folder that is another one, too") {
        debugfs("ln /dir /dir/again");
    }
    with([](Volume& volume) {
        const auto dir = find_entry(volume, root_key, "dir");
        REQUIRE(dir);
        std::uint64_t cursor = 0;
        for (unsigned parts = 0; parts < 10; ++parts) {
            const auto listing = volume.list(dir->key, cursor);
            for (const auto& entry : listing ? listing->entries : std::vector<Entry>()) {
                if (entry.kind == Kind::directory) {
                    CHECK(volume.list(entry.key, 0).error().code == EUCLEAN);
                }
            }
            cursor = listing ? listing->next : 0;
            if (cursor == 0) {
                break;
            }
        }
        CHECK(cursor == 0);
    });
}

TEST_CASE_FIXTURE(Extents, "ext: blocks that belong to two files, or are free: the second removal stops all writing") {
    debugfs("set_inode_field /bad block[5] " + std::to_string(blocks("/good")[0]));
    ImageDevice device(image);
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    REQUIRE(volume->remove(find_entry(*volume, root_key, "bad")->key).ok());
    CHECK(volume->remove(find_entry(*volume, root_key, "good")->key).error().code == EUCLEAN);
    CHECK(lines.size() == 1);
    CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
}

TEST_CASE("ext: a bitmap that calls the tables free gives nobody the tables") {
    const Extents made;
    const auto dump = made.debugfs("stats");
    const std::string words = "block bitmap at ";
    const std::uint64_t bitmap = std::stoul(dump.substr(dump.find(words) + words.size()));
    for (std::uint64_t at = 0; at < 64; ++at) {
        made.put<std::uint8_t>(bitmap * block_size + at, 0);
    }
    ImageDevice device(made.image);
    auto volume = open_image(device);
    const auto file = volume->create(root_key, "new", Kind::file);
    const std::string text = pattern(2'000'000, 1);
    if (file) {
        CHECK(volume->write(file->key, 0, std::as_bytes(std::span(text))).error().code == EUCLEAN);
    }
    CHECK(volume->read_only_because().find("damaged") != std::string::npos);
    CHECK(list_folder(*volume, root_key).size() >= 4);
}

TEST_CASE("ext: hundreds of mutated volumes: an answer to everything, and no byte written once damage was seen") {
    std::mt19937 random(20261125);
    for (const std::string kind : {"mkfs.ext2 -q", "mkfs.ext4 -q -O ^metadata_csum,^has_journal", "mkfs.ext4 -q"}) {
        CAPTURE(kind);
        const Damaged good(kind);
        const auto used = std::filesystem::file_size(good.image);
        const auto mutated = good.folder.path() / "mutated";
        unsigned served = 0;
        for (unsigned round = 0; round < 120; ++round) {
            CAPTURE(round);
            std::filesystem::copy_file(good.image, mutated, std::filesystem::copy_options::overwrite_existing);
            ImageDevice device(mutated);
            for (unsigned i = 0; i < 20; ++i) {
                // The superblock, the tables, or anywhere.
                const std::uint64_t within = i % 3 == 0 ? 4096 : (i % 3 == 1 ? mib : used);
                const std::byte value{static_cast<unsigned char>(random())};
                REQUIRE(device.write(random() % within, {&value, 1}, BlockDevice::Use::data).ok());
            }
            unsigned lines = 0;
            auto volume = storage::open_volume(device, {}, [&lines](LogLevel, const std::string&) { ++lines; });
            if (!volume) {
                CHECK(volume.error().code != 0);
                continue;
            }
            ++served;
            std::vector<Entry> all = {{.key = root_key, .name = "", .kind = Kind::directory}};
            for (std::size_t i = 0; i < all.size() && i < 100; ++i) {
                std::string out(70'000, '?');
                const bool was_damaged = (*volume)->read_only_because().find("damaged") != std::string::npos;
                const std::size_t writes = device.writes();
                if (all[i].kind == Kind::directory) {
                    const Key key = all[i].key;
                    if (const auto part = (*volume)->list(key, 0)) {
                        all.insert(all.end(), part->entries.begin(), part->entries.end());
                    }
                    (void)(*volume)->create(key, "new " + std::to_string(i), Kind::directory);
                } else {
                    (void)(*volume)->read(all[i].key, 0, std::as_writable_bytes(std::span(out)));
                    (void)(*volume)->write(all[i].key, all[i].size, std::as_bytes(std::span(out)));
                    (void)(*volume)->rename(all[i].key, root_key, "moved " + std::to_string(i), std::nullopt);
                }
                CHECK((!was_damaged || device.writes() == writes));
            }
            CHECK((*volume)->space().ok());
            (void)(*volume)->settle();
            CHECK(lines <= 3);
        }
        CHECK(served > 0);
    }
}
