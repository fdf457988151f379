// ext2, ext3 and ext4 as others have made them: what debugfs and mke2fs put there is read and changed, and what we put
// there is read by debugfs and found whole by e2fsck.

#include "drivers/storage/open_volume.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <random>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct Made {
    TemporaryFolder folder;
    std::filesystem::path image;

    explicit Made(const std::string& make, std::uint64_t size = 32 * mib)
        : image(make_image(folder.path() / "image", size)) {
        must_run(make + " " + image.string());
    }
    // One request of debugfs's, which may change the image.
    std::string debugfs(const std::string& request) const {
        auto text = must_run("debugfs -w -R '" + request + "' " + image.string());
        return text.substr(text.find('\n') + 1);
    }
    std::string save(const std::string& name, const std::string& content) const {
        const auto path = folder.path() / name;
        std::ofstream(path, std::ios::binary) << content;
        return path.string();
    }
    [[nodiscard]] std::string dumped(const std::string& name) const {
        must_run("debugfs -R 'dump " + name + " " + (folder.path() / "out").string() + "' " + image.string());
        std::ifstream stream(folder.path() / "out", std::ios::binary);
        return {std::istreambuf_iterator<char>(stream), {}};
    }
};

const char* const kinds[] = {"mkfs.ext2 -q -b 1024", "mkfs.ext2 -q -b 4096 -I 128", "mkfs.ext3 -q -b 2048",
                             "mkfs.ext4 -q",         "mkfs.ext4 -q -b 1024",        "mkfs.ext4 -q -I 1024 -b 4096"};

}  // namespace

TEST_CASE("ext: files and folders made by us are whole for e2fsck, and debugfs reads them") {
    for (const std::string kind : kinds) {
        CAPTURE(kind);
        const Made made(kind + " -L Stick -U 01234567-89ab-cdef-0123-456789abcdef");
        const std::string big = pattern(3'000'000, 1);
        {
            ImageDevice device(made.image);
            std::vector<std::string> lines;
            auto volume = open_image(device, &lines);
            CHECK(lines.empty());
            CHECK(kind.find(volume->info().type) != std::string::npos);
            CHECK(volume->info().label == "Stick");
            CHECK(volume->info().serial == "01234567-89ab-cdef-0123-456789abcdef");
            CHECK(volume->read_only_because().empty());
            const auto dir = volume->create(root_key, "Music", Kind::directory);
            REQUIRE(dir.ok());
            const auto file = volume->create(dir->key, "Ein langer Name mit Ümlaut.mp3", Kind::file);
            REQUIRE(file.ok());
            write_file(*volume, file->key, 0, big);
            CHECK(volume->create(dir->key, "a/b", Kind::file).error().code == EINVAL);
            CHECK(volume->create(dir->key, "..", Kind::file).error().code == EINVAL);
            CHECK(volume->create(dir->key, std::string(256, 'x'), Kind::file).error().code == ENAMETOOLONG);
            CHECK(volume->create(dir->key, std::string(255, 'x'), Kind::file).ok());
            REQUIRE(volume->settle().ok());
        }
        CHECK(fsck(made.image, "ext4") == "");
        CHECK((made.dumped("\"/Music/Ein langer Name mit Ümlaut.mp3\"") == big));
        ImageDevice device(made.image);
        auto again = open_image(device);
        auto other = open_image(device);
        const auto music = find_entry(*again, root_key, "Music");
        (void)list_folder(*other, find_entry(*other, root_key, "lost+found")->key);  // its keys are others
        const auto there = list_folder(*other, find_entry(*other, root_key, "Music")->key);
        const auto entries = list_folder(*again, music->key);
        for (std::size_t i = 0; i < entries.size(); ++i) {
            CHECK(again->look(entries[i].key)->name == entries[i].name);
            CHECK(*again->place(entries[i].key) == *other->place(there[i].key));
        }
        CHECK(*again->place(entries[0].key) != *again->place(entries[1].key));
        const auto tree = read_tree(*again);
        CHECK((tree == Tree{{"Music/", ""},
                            {"Music/Ein langer Name mit Ümlaut.mp3", big},
                            {"Music/" + std::string(255, 'x'), ""}}));
    }
}

TEST_CASE("ext: what debugfs has written is read, holes and preallocated blocks as zeroes") {
    for (const std::string kind : kinds) {
        CAPTURE(kind);
        const Made made(kind);
        const std::string text = pattern(700'000, 2);
        made.debugfs("mkdir /dir");
        made.debugfs("write " + made.save("text", text) + " /dir/text");
        // Large enough for three levels of block pointers with the smallest blocks, and mostly a hole.
        must_run("truncate -s 80M " + made.save("sparse", pattern(5000, 3)));
        std::ofstream(made.folder.path() / "sparse", std::ios::app) << "the end";
        made.debugfs("write " + (made.folder.path() / "sparse").string() + " /sparse");
        if (kind.find("ext4") != std::string::npos) {
            made.debugfs("write " + made.save("little", "little") + " /little");
            made.debugfs("fallocate /little 4 40");
            made.debugfs("set_inode_field /little size 30000");
        }
        ImageDevice device(made.image);
        auto volume = open_image(device);
        const auto tree = read_tree(*volume);
        CHECK((tree.at("dir/text") == text));
        const auto& sparse = tree.at("sparse");
        CHECK(sparse.size() == 80 * mib + 7);
        CHECK((sparse.substr(0, 5000) == pattern(5000, 3)));
        CHECK(sparse.find_first_not_of('\0', 5000) == 80 * mib);
        CHECK(sparse.substr(80 * mib) == "the end");
        if (const auto little = find_entry(*volume, root_key, "little")) {
            std::string wanted = "little" + std::string(30000 - 6, '\0');
            CHECK((tree.at("little") == wanted));
            // A piece in the middle of what is preallocated.
            write_file(*volume, little->key, 20'000, "middle");
            wanted.replace(20'000, 6, "middle");
            CHECK((read_tree(*volume).at("little") == wanted));
        }
        const auto entry = find_entry(*volume, root_key, "sparse");
        write_file(*volume, entry->key, 40 * mib + 100, "in the hole");
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
        CHECK(made.dumped("/sparse").substr(40 * mib + 99, 13) == std::string("\0in the hole\0", 13));
        REQUIRE(volume->resize(entry->key, 3000).ok());
        CHECK((read_file(*volume, *find_entry(*volume, root_key, "sparse")) == pattern(5000, 3).substr(0, 3000)));
        REQUIRE(volume->remove(entry->key).ok());
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
    }
}

TEST_CASE("ext: links, devices and fifos are left out, and said so once; their folder is not empty") {
    const Made made("mkfs.ext4 -q");
    made.debugfs("mkdir /dir");
    made.debugfs("symlink /dir/link /elsewhere");
    made.debugfs("mknod fifo p");
    made.debugfs("mknod disk b 8 0");
    ImageDevice device(made.image);
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    CHECK(read_tree(*volume) == Tree{{"dir/", ""}});
    CHECK(read_tree(*volume) == Tree{{"dir/", ""}});
    CHECK(lines.size() == 1);
    CHECK(volume->read_only_because().empty());
    const auto dir = find_entry(*volume, root_key, "dir");
    CHECK(volume->remove(dir->key).error().code == ENOTEMPTY);
    CHECK(volume->create(dir->key, "link", Kind::file).error().code == EEXIST);
    REQUIRE(volume->settle().ok());
    CHECK(fsck(made.image, "ext4") == "");
}

TEST_CASE("ext: a file with several names keeps its content until the last of them goes") {
    for (const std::string kind : {"mkfs.ext2 -q", "mkfs.ext4 -q"}) {
        CAPTURE(kind);
        const Made made(kind);
        const std::string text = pattern(50'000, 4);
        made.debugfs("write " + made.save("text", text) + " /one");
        made.debugfs("ln /one /two");
        made.debugfs("ln /one /three");
        made.debugfs("set_inode_field /one links_count 3");
        ImageDevice device(made.image);
        auto volume = open_image(device);
        const auto one = find_entry(*volume, root_key, "one");
        const auto two = find_entry(*volume, root_key, "two");
        const auto three = find_entry(*volume, root_key, "three");
        REQUIRE((one && two && three));
        CHECK(one->key != two->key);
        write_file(*volume, one->key, 0, "changed");
        CHECK(read_file(*volume, *two).substr(0, 7) == "changed");
        REQUIRE(volume->remove(one->key).ok());
        CHECK(volume->read(one->key, 0, {}).error().code == ESTALE);
        CHECK(read_file(*volume, *two).size() == text.size());
        // One of its names over another one.
        const auto over = volume->rename(two->key, root_key, "three", three->key);
        REQUIRE(over.ok());
        CHECK(read_file(*volume, *over).substr(0, 7) == "changed");
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
        CHECK(made.debugfs("stat /three").find("Links: 1") != std::string::npos);
        REQUIRE(volume->remove(over->key).ok());
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
        CHECK(read_tree(*volume).empty());
    }
}

TEST_CASE("ext: a folder with an index is read, loses the index when an entry is made, and is whole") {
    for (const std::string features : {"", "-O ^metadata_csum"}) {
        CAPTURE(features);
        const Made made("mkfs.ext4 -q -b 1024 -N 4000 " + features);
        {
            ImageDevice device(made.image);
            auto volume = open_image(device);
            const auto dir = volume->create(root_key, "many", Kind::directory);
            for (unsigned i = 0; i < 2000; ++i) {
                REQUIRE(volume->create(dir->key, "a name that takes some room " + std::to_string(i), Kind::file).ok());
            }
            REQUIRE(volume->settle().ok());
        }
        CHECK(run("e2fsck -fyD " + made.image.string()).status <= 1);
        REQUIRE(made.debugfs("stat /many").find("Flags: 0x81000") != std::string::npos);
        ImageDevice device(made.image);
        auto volume = open_image(device);
        const auto dir = find_entry(*volume, root_key, "many");
        auto entries = list_folder(*volume, dir->key);
        CHECK(entries.size() == 2000);
        for (unsigned i = 0; i < 100; ++i) {
            REQUIRE(volume->remove(entries[i * 7].key).ok());
        }
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
        CHECK(made.debugfs("stat /many").find("Flags: 0x81000") != std::string::npos);
        CHECK(volume->create(dir->key, entries[1].name, Kind::file).error().code == EEXIST);
        for (unsigned i = 0; i < 300; ++i) {
            REQUIRE(volume->create(dir->key, "a new one " + std::to_string(i), Kind::file).ok());
        }
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
        CHECK(made.debugfs("stat /many").find("Flags: 0x80000") != std::string::npos);
        CHECK(list_folder(*volume, dir->key).size() == 2200);
        CHECK(list_folder(*open_image(device), dir->key).empty() == false);
    }
}

TEST_CASE("ext: times before 1970 and after 2038, and names that are no UTF-8") {
    const Made made("mkfs.ext4 -q");
    ImageDevice device(made.image);
    auto volume = open_image(device);
    const auto file = volume->create(root_key, "a", Kind::file);
    REQUIRE(file.ok());
    for (const std::int64_t time : {std::int64_t{-86'400}, std::int64_t{0}, std::int64_t{4'000'000'000},
                                    std::int64_t{10'000'000'000}, std::int64_t{-2'000'000'000}}) {
        CAPTURE(time);
        CHECK(*volume->set_modified(file->key, time)->modified == time);
        CHECK(*find_entry(*open_image(device, nullptr, {.mark_is_ours = true}), root_key, "a")->modified == time);
    }
    CHECK(*volume->set_modified(file->key, INT64_MAX)->modified == (std::int64_t{3} << 32U) + INT32_MAX);
    REQUIRE(volume->settle().ok());
    made.debugfs("ln /a b\xff\xfe");
    auto again = open_image(device);
    const auto entries = list_folder(*again, root_key);
    CHECK(std::any_of(entries.begin(), entries.end(),
                      [](const Entry& entry) { return entry.name == "b\xef\xbf\xbd\xef\xbf\xbd"; }));
}

TEST_CASE("ext: what makes a volume one that is only read, and what it says then") {
    unsigned names = 0;
    const auto reason = [&names](const Made& made, VolumeOptions options = {}) {
        ImageDevice device(made.image);
        const std::size_t before = device.writes();
        auto volume = open_image(device, nullptr, options);
        const auto name = "new " + std::to_string(++names);
        CHECK(volume->create(root_key, name, Kind::file).ok() == volume->read_only_because().empty());
        if (!volume->read_only_because().empty()) {
            CHECK(volume->settle().ok());
            CHECK(device.writes() == before);
        }
        return volume->read_only_because();
    };
    const Made made("mkfs.ext4 -q -J size=4");
    CHECK(reason(made) == "");  // it is marked from now on: nobody settles it
    CHECK(reason(made).find("not closed properly") != std::string::npos);
    CHECK(reason(made, {.mark_is_ours = true}) == "");
    CHECK(repair_ext(made.image) == "");
    CHECK(reason(made, {.read_only = true}) == "it was asked for");
    made.debugfs("feature needs_recovery");
    CHECK(reason(made).find("journal") != std::string::npos);
    CHECK(reason(made, {.mark_is_ours = true}).find("journal") != std::string::npos);
    made.debugfs("feature -needs_recovery");
    made.debugfs("ssv last_orphan 13");
    CHECK(reason(made).find("s_last_orphan") != std::string::npos);
    made.debugfs("ssv last_orphan 0");
    made.debugfs("ssv state 2");
    CHECK(reason(made).find("errors") != std::string::npos);
    CHECK(reason(Made("mkfs.ext4 -q -O bigalloc")).find("features") != std::string::npos);
    CHECK(reason(Made("mkfs.ext4 -q -O quota")).find("features") != std::string::npos);
    const Made inlined("mkfs.ext4 -q -O inline_data");
    ImageDevice device(inlined.image);
    const auto refused = storage::open_volume(device, {}, [](LogLevel, const std::string&) {});
    REQUIRE(!refused.ok());
    CHECK(refused.error().code == ENOTSUP);
}

TEST_CASE("ext: a file at and beyond 4 GiB, most of it a hole; and where block pointers end") {
    const Made made("mkfs.ext4 -q -b 1024", 64 * mib);
    ImageDevice device(made.image);
    auto volume = open_image(device);
    const auto film = volume->create(root_key, "film", Kind::file);
    REQUIRE(film.ok());
    write_file(*volume, film->key, 0, "begin");
    REQUIRE(volume->resize(film->key, 5 * 1024 * mib).ok());
    write_file(*volume, film->key, 5 * 1024 * mib - 3, "the end");
    CHECK(volume->flush(film->key)->size == 5 * 1024 * mib + 4);
    CHECK(volume->resize(film->key, UINT64_MAX).error().code == EFBIG);
    REQUIRE(volume->settle().ok());
    CHECK(fsck(made.image, "ext4") == "");
    const Made old("mkfs.ext2 -q -b 1024", 64 * mib);
    ImageDevice other(old.image);
    auto second = open_image(other);
    const auto file = second->create(root_key, "film", Kind::file);
    const std::uint64_t most = (12 + 256 + 256 * 256 + std::uint64_t{256} * 256 * 256) * 1024;
    CHECK(second->resize(file->key, most + 1).error().code == EFBIG);
    REQUIRE(second->resize(file->key, most).ok());
    write_file(*second, file->key, most - 2, "!!");
    REQUIRE(second->settle().ok());
    CHECK(fsck(old.image, "ext2") == "");
}

TEST_CASE("ext: a file in thousands of pieces has a tree of extents, and every block of it is whole") {
    const Made made("mkfs.ext4 -q -b 1024 -m 0", 24 * mib);
    ImageDevice device(made.image);
    auto volume = open_image(device);
    std::vector<Key> keys;
    std::vector<std::string> contents(2);
    for (std::size_t i = 0; i < contents.size(); ++i) {
        keys.push_back(volume->create(root_key, "file" + std::to_string(i), Kind::file)->key);
    }
    for (unsigned round = 0; round < 3000; ++round) {
        for (std::size_t i = 0; i < contents.size(); ++i) {
            const std::string piece = pattern(1024, round * 2 + static_cast<unsigned>(i));
            write_file(*volume, keys[i], contents[i].size(), piece);
            contents[i] += piece;
        }
    }
    REQUIRE(volume->settle().ok());
    CHECK(fsck(made.image, "ext4") == "");
    CHECK((made.dumped("/file1") == contents[1]));
    auto again = open_image(device);
    CHECK((read_tree(*again).at("file0") == contents[0]));
    for (const std::size_t size : {2'500'000U, 900'123U, 5000U, 0U}) {
        REQUIRE(volume->resize(keys[0], size).ok());
        CHECK((read_file(*volume, *find_entry(*volume, root_key, "file0")) == contents[0].substr(0, size)));
        REQUIRE(volume->settle().ok());
        CHECK(fsck(made.image, "ext4") == "");
    }
    REQUIRE(volume->remove(keys[1]).ok());
    REQUIRE(volume->settle().ok());
    CHECK(fsck(made.image, "ext4") == "");
}

TEST_CASE("ext: the superblock is whole, whenever the cable is pulled") {
    for (const std::string kind : {"mkfs.ext4 -q -J size=4", "mkfs.ext2 -q"}) {
        CAPTURE(kind);
        const Made made(kind, 16 * mib);
        ImageDevice device(made.image);
        auto volume = open_image(device);
        device.record();
        for (unsigned i = 0; i < 3; ++i) {
            REQUIRE(volume->create(root_key, std::to_string(i), Kind::file).ok());
            REQUIRE(volume->settle().ok());
        }
        CHECK(fsck(made.image, "ext4") == "");
        std::mt19937 random(1);
        const auto cut = made.folder.path() / "cut";
        for (std::size_t at = 1; at <= device.events().size(); ++at) {
            CAPTURE(at);
            device.write_cut_image(cut, at, random);
            const auto header = run("dumpe2fs -h " + cut.string());
            CHECK(header.status == 0);
            CHECK(header.text.find("checksum does not match") == std::string::npos);
        }
    }
}
