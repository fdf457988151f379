// UDF images that genisoimage, mkudffs and Linux have made, some of what they do not make, and damaged ones.

#include "drivers/storage/udf/udf_volume.h"

#include "drivers/storage/open_volume.h"
#include "drivers/storage/text/little_endian.h"
#include "drivers/storage/tools.h"
#include "drivers/storage/udf/udf_maker.h"
#include "temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

using namespace plugfs;
using namespace plugfs::test;
using namespace plugfs::storage;

namespace {

void save_file(const std::filesystem::path& path, const std::vector<std::byte>& content) {
    test::save_file(path, std::string(reinterpret_cast<const char*>(content.data()), content.size()));
}

std::string long_text() {
    std::string out;
    for (unsigned i = 0; i < 1500; ++i) {
        out += static_cast<char>('a' + i / 100);
    }
    return out;
}

}  // namespace

TEST_CASE("UDF: a disc that is ISO 9660, too: names, contents and times as they were") {
    const TemporaryFolder folder;
    const auto top = folder.path() / "tree";
    Tree tree{{"Music/", ""}, {"many/", ""}};
    tree["readme.txt"] = "hello\n";
    tree["Music/Ein längerer Name, mit Umlaut und Ω.mp3"] = pattern(300'000, 1);
    tree["Music/empty"] = "";
    for (unsigned i = 0; i < 300; ++i) {
        tree["many/file number " + std::to_string(i)] = std::to_string(i);
    }
    for (const auto& [path, content] : tree) {
        if (path.back() != '/') {
            save_file(top / path, content);
        }
    }
    std::filesystem::last_write_time(top / "readme.txt", std::filesystem::file_time_type::clock::now());
    must_run("genisoimage -quiet -input-charset utf-8 -V STICK -udf -J -o " + (folder.path() / "image").string() + " " +
             top.string());
    ImageDevice device(folder.path() / "image");
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    CHECK(volume->info().type == "UDF");
    CHECK(volume->info().label == "STICK");
    CHECK((read_tree(*volume) == tree));
    CHECK(lines.empty());
    const auto entry = find_entry(*volume, root_key, "readme.txt");
    REQUIRE(entry);
    CHECK(std::abs(*entry->modified - std::time(nullptr)) < 100'000);
    CHECK(volume->look(entry->key)->name == "readme.txt");
    CHECK(volume->create(root_key, "new", Kind::file).error().code == EROFS);
    CHECK(volume->remove(entry->key).error().code == EROFS);
    CHECK(volume->space()->available == 0);
    CHECK(volume->settle().ok());
    CHECK(device.writes() == 0);
}

TEST_CASE("UDF: what mkudffs makes, of every size of block") {
    const TemporaryFolder folder;
    for (const std::string block : {"512", "1024", "2048", "4096"}) {
        for (const std::string revision : {"1.02", "1.50", "2.01"}) {
            CAPTURE(block);
            CAPTURE(revision);
            const auto image = make_image(folder.path() / "image", 32U << 20U);
            must_run("mkudffs --utf8 -l 'Ünï ☺' -b " + block + " -r " + revision + " " + image.string());
            ImageDevice device(image);
            std::vector<std::string> lines;
            auto volume = open_image(device, &lines);
            CHECK(volume->info().label == "Ünï ☺");
            CHECK(list_folder(*volume, root_key).size() <= 1);  // lost+found
            CHECK(volume->space()->total > 20U << 20U);
            CHECK(lines.empty());
        }
    }
}

TEST_CASE("UDF: partitions that are written in packets, or only appended to, are said not to be served") {
    const TemporaryFolder folder;
    const auto image = make_image(folder.path() / "image", 64U << 20U);
    must_run("mkudffs -b 2048 -m cdrw " + image.string());
    ImageDevice device(image);
    const auto volume = storage::open_volume(device, {}, [](LogLevel, const std::string&) {});
    REQUIRE(!volume);
    CHECK(volume.error().code == ENOTSUP);
    CHECK(volume.error().detail.find("Sparable") != std::string::npos);
}

TEST_CASE("UDF: extents of every form, in pieces, described elsewhere; a metadata partition") {
    const TemporaryFolder folder;
    for (unsigned flavour = 0; flavour < 3; ++flavour) {
        CAPTURE(flavour);
        save_file(folder.path() / "image", make_udf(flavour));
        ImageDevice device(folder.path() / "image");
        std::vector<std::string> lines;
        auto volume = open_image(device, &lines);
        const Tree expected{
            {"hello", "hello\n"}, {"second", "hello\n"},       {"pieces", long_text()},           {"chα", long_text()},
            {"folder/", ""},      {"folder/inner", "hello\n"}, {std::string(253, 'n'), "hello\n"}};
        Tree found = read_tree(*volume);
        CHECK((found == expected));
        CHECK(find_entry(*volume, root_key, "hello")->modified == 1795606245);
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].find("\"link\"") != std::string::npos);
        const auto pieces = find_entry(*volume, root_key, "pieces");
        std::string out(600, '?');
        CHECK(*volume->read(pieces->key, 400, std::as_writable_bytes(std::span(out))) == 600);
        CHECK(out == long_text().substr(400, 600));
        CHECK(*volume->place(find_entry(*volume, root_key, "hello")->key) ==
              *volume->place(find_entry(*volume, root_key, "second")->key));
    }
}

TEST_CASE("UDF: a file that ends in its last block, behind the end of its last extent, as Linux leaves it") {
    const TemporaryFolder folder;
    UdfMaker maker(false);
    const auto grown = maker.add({.pieces = 2}, long_text().substr(0, 700));
    put_le<std::uint64_t>(std::span(maker.image()).subspan(maker.place(grown)), 56, 1024);
    maker.seal_entry(grown);
    maker.finish(maker.add({.type = 4}, maker.identifier("\10grown", grown)));
    save_file(folder.path() / "image", maker.image());
    ImageDevice device(folder.path() / "image");
    auto volume = open_image(device);
    const auto text = read_file(*volume, *find_entry(*volume, root_key, "grown"));
    CHECK(text == long_text().substr(0, 700) + std::string(324, '\0'));
}

TEST_CASE("UDF: what has a copy is read there") {
    const TemporaryFolder folder;
    auto image = make_udf(1);
    unsigned reported = 0;
    SUBCASE("the anchor") {
        image[256 * 512 + 20] = std::byte{1};
    }
    SUBCASE("the volume descriptors") {
        image[97 * 512 + 212] = std::byte{1};
    }
    SUBCASE("the metadata file") {
        image[260 * 512 + 100] = std::byte{1};
        reported = 1;
    }
    save_file(folder.path() / "image", image);
    ImageDevice device(folder.path() / "image");
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    CHECK(read_file(*volume, *find_entry(*volume, root_key, "pieces")) == long_text());
    CHECK(lines.size() == reported + 1);
}

TEST_CASE("UDF: what cannot be is told once, and the rest is served") {
    const TemporaryFolder folder;
    UdfMaker maker(false);
    const auto good = maker.add({.within = true}, "good");
    const auto bad = maker.add({}, "some text");
    const auto entry = [&maker, bad] { return std::span(maker.image()).subspan(maker.place(bad), 512); };
    std::uint8_t flags = 0;
    bool opens = true;  // it is listed, and reading it fails
    std::uint32_t root_entry = bad;
    SUBCASE("a size that its extents do not have") {
        put_le<std::uint64_t>(entry(), 56, 100'000);
    }
    SUBCASE("an extent past the end") {
        put_le<std::uint32_t>(entry(), 180, 1000);
    }
    SUBCASE("extents that are described where they are") {
        put_le<std::uint32_t>(entry(), 176, 3U << 30U | 512U);
        put_le<std::uint32_t>(entry(), 180, 60);
        put_le<std::uint32_t>(std::span(maker.image()), 320 * 512 + 20, 8);
        put_le<std::uint32_t>(std::span(maker.image()), 320 * 512 + 24, 3U << 30U | 512U);
        put_le<std::uint32_t>(std::span(maker.image()), 320 * 512 + 28, 60);
        maker.seal(320 * 512, 258, 60);
    }
    SUBCASE("more extents than fit") {
        put_le<std::uint32_t>(entry(), 172, 5000);
        opens = false;
    }
    SUBCASE("a size beyond 2^63") {
        put_le<std::uint64_t>(entry(), 56, UINT64_MAX);
        opens = false;
    }
    SUBCASE("a file that its name says is a folder") {
        flags = 2;
        opens = false;
    }
    SUBCASE("a folder that is its own child") {
        flags = 2;
        root_entry = bad + 1;
    }
    maker.seal_entry(bad);
    maker.finish(
        maker.add({.type = 4}, maker.identifier("\10good", good) + maker.identifier("\10bad", root_entry, flags)));
    SUBCASE("a CRC that is wrong") {
        entry()[300] = std::byte{1};
        opens = false;
    }
    save_file(folder.path() / "image", maker.image());
    ImageDevice device(folder.path() / "image");
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    const auto listed = find_entry(*volume, root_key, "bad");
    CHECK(listed.has_value() == opens);
    if (listed && listed->kind == Kind::directory) {
        CHECK(volume->list(listed->key, 0).error().code == EUCLEAN);
    } else if (listed) {
        std::string out(5000, '?');
        CHECK(volume->read(listed->key, 0, std::as_writable_bytes(std::span(out))).error().code == EUCLEAN);
    }
    CHECK(read_file(*volume, *find_entry(*volume, root_key, "good")) == "good");
    CHECK(lines.size() == 1);
}

TEST_CASE("UDF: where it cannot be opened, the ISO 9660 on the same disc is") {
    const TemporaryFolder folder;
    save_file(folder.path() / "tree" / "readme.txt", "hello\n");
    const auto image = folder.path() / "image";
    must_run("genisoimage -quiet -V STICK -udf -J -o " + image.string() + " " + (folder.path() / "tree").string());
    {
        std::fstream stream(image, std::ios::binary | std::ios::in | std::ios::out);
        for (const unsigned sequence : {32U, 48U}) {
            stream.seekp(sequence * 2048);
            stream << std::string(16 * std::size_t{2048}, 'x');
        }
    }
    ImageDevice device(image);
    std::vector<std::string> lines;
    auto volume = open_image(device, &lines);
    CHECK(volume->info().type == "ISO 9660");
    CHECK(find_entry(*volume, root_key, "readme.txt").has_value());
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("UDF") != std::string::npos);
}

TEST_CASE("UDF: hundreds of mutated images, and an answer to everything") {
    const TemporaryFolder folder;
    std::mt19937 random(20261125);
    for (unsigned round = 0; round < 300; ++round) {
        CAPTURE(round);
        auto bytes = make_udf(round % 3);
        for (unsigned i = 0; i < 5; ++i) {
            const std::size_t blocks[] = {96, 97, 256, 260, 270, 271, 272, 273, 274, 275, 276, 277, 301, 303, 305};
            bytes[blocks[random() % std::size(blocks)] * 512 + random() % 512] = static_cast<std::byte>(random());
        }
        save_file(folder.path() / "image", bytes);
        ImageDevice device(folder.path() / "image");
        CHECK(explore(device) <= 2);
    }
}
