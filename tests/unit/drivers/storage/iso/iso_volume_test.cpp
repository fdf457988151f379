// ISO 9660 images that genisoimage has made, with Rock Ridge, with Joliet, with neither; and damaged ones.

#include "drivers/storage/iso/iso_volume.h"

#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/tools.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

// A tree on this machine, and images of it.
struct Source {
    TemporaryFolder folder;
    std::filesystem::path top = folder.path() / "tree";
    std::filesystem::path image = folder.path() / "image";

    Source() {
        save_file(top / "readme.txt", "hello\n");
        save_file(top / "Music" / "Ein längerer Name, mit Umlaut.mp3", pattern(300'000, 1));
        save_file(top / "Music" / "empty", "");
        for (unsigned i = 0; i < 300; ++i) {
            save_file(top / "many" / ("file number " + std::to_string(i)), std::to_string(i));
        }
    }
    void make(const std::string& options) const {
        must_run("genisoimage -quiet -input-charset utf-8 -V STICK " + options + " -o " + image.string() + " " +
                 top.string());
    }
    [[nodiscard]] Tree tree() const {
        Tree out;
        for (const auto& item : std::filesystem::recursive_directory_iterator(top)) {
            const auto path = std::filesystem::relative(item.path(), top).string();
            if (item.is_directory()) {
                out[path + "/"] = "";
            } else if (!item.is_symlink()) {
                out[path] = load_file(item.path());
            }
        }
        return out;
    }
};

}  // namespace

TEST_CASE("ISO 9660: names and contents as they were, by Rock Ridge and by Joliet") {
    Source source;
    SUBCASE("Rock Ridge, with names that go on elsewhere, and links that are left out") {
        save_file(source.top / std::string(250, 'n') / (std::string(200, 'm') + "ü"), "long");
        std::filesystem::create_symlink("readme.txt", source.top / "link");
        source.make("-R");
    }
    SUBCASE("Joliet") {
        source.make("-J");
    }
    SUBCASE("both, behind a boot record") {
        source.make("-R -J -b readme.txt -no-emul-boot");
        std::filesystem::copy_file(source.image, source.folder.path() / "copy");
    }
    ImageDevice device(source.image);
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    CHECK(volume->info().type == "ISO 9660");
    CHECK(volume->info().label == "STICK");
    Tree found = read_tree(*volume);
    found.erase("boot.catalog");
    found.erase("boot.cat");
    CHECK((found == source.tree()));
    CHECK(lines.empty());
    const auto entry = find_entry(*volume, root_key, "readme.txt");
    REQUIRE(entry);
    CHECK(std::abs(*entry->modified - std::time(nullptr)) < 100'000);
    CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
    CHECK(volume->remove(entry->key).error().code == EROFS);
    CHECK(volume->flush(entry->key)->size == 6);
    CHECK(volume->space()->available == 0);
    CHECK(volume->settle().ok());
    CHECK(device.writes() == 0);
}

TEST_CASE("ISO 9660: names of its own, without version numbers") {
    const Source source;
    source.make("-iso-level 1");
    ImageDevice device(source.image);
    const auto tree = read_tree(*open_image(device));
    CHECK(tree.at("README.TXT") == "hello\n");
    CHECK(tree.count("MUSIC/EMPTY") == 1);
    CHECK(tree.size() == source.tree().size());
}

TEST_CASE("ISO 9660: folders that Rock Ridge has put elsewhere are where they belong") {
    Source source;
    save_file(source.top / "1/2/3/4/5/6/7/8/9/10" / "deep", "down there");
    source.make("-R -D");
    SUBCASE("not moved") {}
    SUBCASE("moved") {
        source.make("-R");
    }
    ImageDevice device(source.image);
    Tree found = read_tree(*open_image(device));
    found.erase("rr_moved/");
    CHECK((found == source.tree()));
}

TEST_CASE("ISO 9660: a file in two records is one") {
    Source source;
    save_file(source.top / "aaa", std::string(2048, 'x'));
    save_file(source.top / "aab", "the rest");
    source.make("-iso-level 1");
    std::string bytes = load_file(source.image);
    const std::size_t first = bytes.find("AAA.;1") - 33;
    const std::size_t second = bytes.find("AAB.;1") - 33;
    bytes[first + 25] |= static_cast<char>(0x80);
    bytes.replace(second + 33, 3, "AAA");
    save_file(source.image, bytes);
    ImageDevice device(source.image);
    auto volume = open_image(device);
    const auto file = find_entry(*volume, root_key, "AAA");
    REQUIRE(file);
    CHECK(read_file(*volume, *file) == std::string(2048, 'x') + "the rest");
    std::string out(8, '?');
    CHECK(*volume->read(file->key, 2044, std::as_writable_bytes(std::span(out))) == 8);
    CHECK(out == "xxxxthe ");
}

TEST_CASE("ISO 9660: what cannot be is told once, and the rest is served") {
    Source source;
    source.make("-R");
    std::string bytes = load_file(source.image);
    const std::span<std::byte> raw = std::as_writable_bytes(std::span(bytes));
    const auto root = get_le<std::uint32_t>(raw, 16 * std::size_t{2048} + 158);
    const std::size_t music = bytes.find("MUSIC", root * std::size_t{2048}) - 33;
    SUBCASE("an extent past the end") {
        put_le<std::uint32_t>(raw, music + 2, 0xfffffff0);
    }
    SUBCASE("a folder that is its own child") {
        put_le<std::uint32_t>(raw, music + 2, root);
    }
    SUBCASE("a record shorter than its head") {
        raw[music] = std::byte{20};
    }
    SUBCASE("an identifier longer than its record") {
        raw[music + 32] = std::byte{250};
    }
    save_file(source.image, bytes);
    ImageDevice device(source.image);
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    const auto entries = list_folder(*volume, root_key);
    for (const auto& entry : entries) {
        if (entry.name == "Music") {
            CHECK(volume->list(entry.key, 0).error().code == EUCLEAN);
        }
    }
    CHECK(lines.size() == 1);
    CHECK(volume->read_only_because().find("damaged") != std::string::npos);
}

TEST_CASE("ISO 9660: hundreds of mutated images, and an answer to everything") {
    Source source;
    std::filesystem::remove_all(source.top / "many");
    source.make("-R -J");
    const std::string good = load_file(source.image);
    std::mt19937 random(20261125);
    for (unsigned round = 0; round < 300; ++round) {
        CAPTURE(round);
        std::string bytes = good;
        for (unsigned i = 0; i < 20; ++i) {
            bytes[16 * std::size_t{2048} + random() % (40 * std::size_t{2048})] = static_cast<char>(random());
        }
        save_file(source.image, bytes);
        ImageDevice device(source.image);
        CHECK(explore(device) <= 1);
    }
}
