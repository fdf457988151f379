// NTFS as others have made it: what ntfs-3g's tools put there is read and changed, and what we put there is read by
// them.

#include "drivers/storage/ntfs/ntfs_image.h"
#include "drivers/storage/open_volume.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct Made {
    TemporaryFolder folder;
    std::filesystem::path image;

    explicit Made(const std::string& options = {}, std::uint64_t size = 32 * mib)
        : image(make_image(folder.path() / "image", size)) {
        make_ntfs(image, options);
    }
    void copy_in(const std::string& path, const std::string& content) const {
        std::ofstream(folder.path() / "in", std::ios::binary) << content;
        must_run("ntfscp -q -f " + image.string() + " " + (folder.path() / "in").string() + " '" + path + "'");
    }
    [[nodiscard]] std::string copied_out(const std::string& path) const {
        return must_run("ntfscat -f " + image.string() + " '" + path + "' 2>/dev/null");
    }
};

const char* const shapes[] = {"", "-c 512", "-c 1024", "-c 65536", "-s 4096 -c 4096"};

}  // namespace

TEST_CASE("NTFS: files and folders made by us are whole, and ntfs-3g's tools read them") {
    for (const std::string shape : shapes) {
        CAPTURE(shape);
        const Made made(shape + " -L Stick");
        const std::string big = pattern(3'000'000, 1);
        {
            ImageDevice device(made.image);
            std::vector<std::string> lines;
            auto volume = open_ntfs_image(device, &lines);
            CHECK(lines.empty());
            CHECK(volume->info().type == "NTFS");
            CHECK(volume->info().label == "Stick");
            CHECK(volume->info().serial.size() == 16);
            CHECK(volume->read_only_because().empty());
            CHECK(list_folder(*volume, root_key).empty());
            const auto dir = volume->create(root_key, "Music", Kind::directory);
            REQUIRE_MESSAGE(dir.ok(), (dir ? "" : dir.error().text()));
            const auto file = volume->create(dir->key, "Ein langer Name mit Ümlaut.mp3", Kind::file);
            REQUIRE(file.ok());
            write_file(*volume, file->key, 0, big);
            for (const char* name : {"a/b", "..", ".", "a:b", "a?", "dot.", "blank ", "a\x01", "q\"", "back\\"}) {
                CHECK(volume->create(dir->key, name, Kind::file).error().code == EINVAL);
            }
            CHECK(volume->create(dir->key, std::string(256, 'x'), Kind::file).error().code == ENAMETOOLONG);
            CHECK(volume->create(dir->key, std::string(255, 'x'), Kind::file).ok());
            CHECK(volume->create(root_key, "MUSIC", Kind::file).error().code == EEXIST);
            CHECK(volume->flush(file->key)->size == big.size());
            CHECK(check_ntfs(made.image) == "it is marked as being changed\n");
            REQUIRE(volume->settle().ok());
        }
        CHECK(check_ntfs(made.image) == "");
        CHECK((made.copied_out("Music/Ein langer Name mit Ümlaut.mp3") == big));
        ImageDevice device(made.image);
        auto again = open_ntfs_image(device);
        auto other = open_ntfs_image(device);
        const auto music = find_entry(*again, root_key, "Music");
        REQUIRE(music);
        for (const auto& one : list_folder(*again, music->key)) {
            CHECK(again->look(one.key)->name == one.name);
            CHECK(*again->place(one.key) == *other->place(one.key));
        }
        CHECK((read_tree(*again) == Tree{{"Music/", ""},
                                         {"Music/Ein langer Name mit Ümlaut.mp3", big},
                                         {"Music/" + std::string(255, 'x'), ""}}));
    }
}

TEST_CASE("NTFS: what others have written is read, renamed, changed and removed") {
    for (const std::string shape : shapes) {
        CAPTURE(shape);
        const Made made(shape);
        const std::string text = pattern(700'000, 2);
        made.copy_in("/large", text);
        made.copy_in("/small", "small");
        {
            ImageDevice device(made.image);
            auto volume = open_ntfs_image(device);
            CHECK((read_tree(*volume) == Tree{{"large", text}, {"small", "small"}}));
            const auto large = find_entry(*volume, root_key, "large");
            const auto dir = volume->create(root_key, "dir", Kind::directory);
            REQUIRE(dir.ok());
            const auto moved = volume->rename(large->key, dir->key, "moved", std::nullopt);
            REQUIRE_MESSAGE(moved.ok(), (moved ? "" : moved.error().text()));
            CHECK(volume->look(large->key).error().code == ESTALE);
            write_file(*volume, moved->key, 100, "changed");
            REQUIRE(volume->resize(moved->key, 600'000).ok());
            const auto small = find_entry(*volume, root_key, "small");
            REQUIRE(volume->rename(small->key, root_key, "SMALL", std::nullopt).ok());
            CHECK(volume->remove(dir->key).error().code == ENOTEMPTY);
            CHECK(volume->rename(dir->key, dir->key, "in itself", std::nullopt).error().code == EINVAL);
            REQUIRE(volume->settle().ok());
        }
        CHECK(check_ntfs(made.image) == "");
        std::string now = text.substr(0, 600'000);
        now.replace(100, 7, "changed");
        CHECK((made.copied_out("dir/moved") == now));
        CHECK(made.copied_out("SMALL") == "small");
        {
            ImageDevice device(made.image);
            auto volume = open_ntfs_image(device);
            const auto dir = find_entry(*volume, root_key, "dir");
            const auto moved = find_entry(*volume, dir->key, "moved");
            const auto small = find_entry(*volume, root_key, "SMALL");
            REQUIRE(volume->rename(moved->key, root_key, "SMALL", small->key).ok());
            CHECK(volume->look(small->key).error().code == ESTALE);
            REQUIRE(volume->remove(dir->key).ok());
            CHECK((read_tree(*volume) == Tree{{"SMALL", now}}));
            REQUIRE(volume->settle().ok());
        }
        CHECK(check_ntfs(made.image) == "");
    }
}

TEST_CASE("NTFS: holes, files beyond 4 GiB, times, free space") {
    const Made made;
    ImageDevice device(made.image);
    auto volume = open_ntfs_image(device, nullptr, {.now = [] { return std::int64_t{1'700'000'000}; }});
    const auto before = volume->space();
    REQUIRE(before.ok());
    CHECK(before->total > 31 * mib);
    const auto file = volume->create(root_key, "hole", Kind::file);
    REQUIRE(file.ok());
    CHECK(*file->modified == 1'700'000'000);
    const std::uint64_t far = (std::uint64_t{5} << 30U) + 17;
    write_file(*volume, file->key, far, "the end");
    CHECK(volume->look(file->key)->size == far + 7);
    std::string end(20, '?');
    CHECK(*volume->read(file->key, far - 13, std::as_writable_bytes(std::span(end))) == 20);
    CHECK((end == std::string(13, '\0') + "the end"));
    write_file(*volume, file->key, 1'000'000, "in the middle");
    REQUIRE(volume->resize(file->key, std::uint64_t{6} << 30U).ok());
    CHECK(volume->space()->available > before->available - mib);
    for (const std::int64_t time : {std::int64_t{0}, std::int64_t{-86'400}, std::int64_t{4'000'000'000}}) {
        CHECK(*volume->set_modified(file->key, time)->modified == time);
    }
    REQUIRE(volume->settle().ok());
    CHECK(check_ntfs(made.image) == "");
    REQUIRE(volume->remove(file->key).ok());
    REQUIRE(volume->settle().ok());
    CHECK(check_ntfs(made.image) == "");
    CHECK(volume->space()->available > before->available - mib / 4);  // $MFT has grown, perhaps
}

TEST_CASE("NTFS: a folder with thousands of entries") {
    const Made made("", 64 * mib);
    constexpr unsigned count = 3000;
    ImageDevice device(made.image);
    auto volume = open_ntfs_image(device);
    const auto dir = volume->create(root_key, "many", Kind::directory);
    REQUIRE(dir.ok());
    for (unsigned i = 0; i < count; ++i) {
        REQUIRE(volume->create(dir->key, "a name of some length, number " + std::to_string(i), Kind::file).ok());
    }
    CHECK(list_folder(*volume, dir->key).size() == count);
    REQUIRE(volume->settle().ok());
    CHECK(check_ntfs(made.image) == "");
    for (const auto& entry : list_folder(*volume, dir->key)) {
        REQUIRE(volume->remove(entry.key).ok());
    }
    REQUIRE(volume->remove(dir->key).ok());
    REQUIRE(volume->settle().ok());
    CHECK(check_ntfs(made.image) == "");
}

TEST_CASE("NTFS: a full volume answers ENOSPC, and is as before") {
    const Made made("", 8 * mib);
    ImageDevice device(made.image);
    auto volume = open_ntfs_image(device);
    const auto file = volume->create(root_key, "file", Kind::file);
    REQUIRE(file.ok());
    const std::string piece = pattern(300'000, 3);
    std::uint64_t size = 0;
    while (true) {
        const auto done = volume->write(file->key, size, std::as_bytes(std::span(piece)));
        if (!done) {
            CHECK(done.error().code == ENOSPC);
            break;
        }
        size += piece.size();
        REQUIRE(size < 8 * mib);
    }
    CHECK(volume->read_only_because().empty());
    CHECK(volume->look(file->key)->size == size);
    REQUIRE(volume->settle().ok());
    CHECK(check_ntfs(made.image) == "");
    REQUIRE(volume->remove(file->key).ok());
    REQUIRE(volume->settle().ok());
    CHECK(check_ntfs(made.image) == "");
}
