// The generated library: every file is what it says it is, in the formats' own terms.
#include "virtual/player/library.h"

#include "temporary_folder.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <vector>

using namespace plugfs;
using namespace plugfs::virtual_usb;
using plugfs::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

using Bytes = std::vector<std::byte>;

Bytes read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    REQUIRE(stream);
    const std::string text((std::istreambuf_iterator<char>(stream)), {});
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using Chunks = std::map<std::string, std::span<const std::byte>>;
// RIFF's chunks, up to the end of the bytes.
Chunks chunks(ByteReader reader) {
    Chunks found;
    while (reader.ok() && reader.remaining() > 0) {
        const auto name = as_text(reader.take(4));
        const std::uint32_t size = reader.u32le();
        found[name] = reader.take(size);
        reader.skip(size % 2);
    }
    CHECK(reader.ok());
    return found;
}

// The text frames of an ID3v2.4 tag.
std::map<std::string, std::string> id3_frames(std::span<const std::byte> tag) {
    std::map<std::string, std::string> frames;
    ByteReader reader(tag);
    CHECK(as_text(reader.take(3)) == "ID3");
    CHECK(reader.u8() == 4);
    CHECK(reader.u8() == 0);
    CHECK(reader.u8() == 0);
    const auto synchsafe = [&reader] {
        std::uint32_t number = 0;
        for (int i = 0; i < 4; ++i) {
            const auto byte = reader.u8();
            CHECK(byte < 0x80);
            number = (number << 7U) | byte;
        }
        return number;
    };
    const std::uint32_t length = synchsafe();
    CHECK(length == reader.remaining());
    while (reader.ok() && reader.remaining() > 0) {
        const auto name = as_text(reader.take(4));
        const std::uint32_t size = synchsafe();
        CHECK(reader.u16be() == 0);
        CHECK(reader.u8() == 3);  // UTF-8
        frames[name] = as_text(reader.take(size - 1));
    }
    CHECK(reader.ok());
    return frames;
}

std::string info_text(const Chunks& info, const char* name) {
    REQUIRE(info.count(name) == 1);
    const auto text = as_text(info.at(name));
    REQUIRE(text.ends_with('\0'));
    return text.substr(0, text.size() - 1);
}

std::vector<fs::path> files(const fs::path& folder) {
    std::vector<fs::path> found;
    for (const auto& item : fs::recursive_directory_iterator(folder)) {
        if (item.is_regular_file()) {
            found.push_back(fs::relative(item.path(), folder));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

void check_track(const fs::path& root, const fs::path& relative) {
    CAPTURE(relative.string());
    const auto bytes = read(root / relative);
    ByteReader reader(bytes);
    CHECK(as_text(reader.take(4)) == "RIFF");
    CHECK(reader.u32le() == bytes.size() - 8);
    CHECK(as_text(reader.take(4)) == "WAVE");
    const auto parts = chunks(reader);
    REQUIRE(parts.count("fmt ") == 1);
    REQUIRE(parts.count("data") == 1);
    ByteReader format(parts.at("fmt "));
    CHECK(format.u16le() == 1);  // PCM
    CHECK(format.u16le() == 1);  // mono
    const std::uint32_t rate = format.u32le();
    CHECK(format.u32le() == rate * 2);
    CHECK(format.u16le() == 2);
    CHECK(format.u16le() == 16);
    CHECK(format.remaining() == 0);
    CHECK(parts.at("data").size() == 2 * 2 * rate);  // two seconds
    bool silent = true;
    for (const std::byte byte : parts.at("data")) {
        silent = silent && byte == std::byte{0};
    }
    CHECK_FALSE(silent);

    // Both kinds of tags say what the path says.
    const std::string album = relative.parent_path().filename();
    const std::string artist = relative.parent_path().parent_path().filename();
    const std::string name = relative.stem();
    ByteReader list(parts.at("LIST"));
    CHECK(as_text(list.take(4)) == "INFO");
    const auto info = chunks(list);
    CHECK(info_text(info, "IART") == artist);
    CHECK(info_text(info, "IPRD") == album);
    CHECK(info_text(info, "INAM") == name.substr(3));
    CHECK(std::stoi(info_text(info, "ITRK")) == std::stoi(name.substr(0, 2)));
    auto frames = id3_frames(parts.at("id3 "));
    CHECK(frames["TPE1"] == artist);
    CHECK(frames["TALB"] == album);
    CHECK(frames["TIT2"] == name.substr(3));
    CHECK(frames["TRCK"] == info_text(info, "ITRK"));
}

}  // namespace

TEST_CASE("tracks have their length, and tags that say what their path says") {
    const TemporaryFolder folder;
    REQUIRE(generate_library(folder.path(), 25));
    std::size_t tracks = 0;
    for (const auto& file : files(folder.path())) {
        if (file.extension() == ".wav") {
            check_track(folder.path(), file);
            ++tracks;
        }
    }
    CHECK(tracks == 25);
}

TEST_CASE("the playlist names every track once, with its length") {
    const TemporaryFolder folder;
    REQUIRE(generate_library(folder.path(), 30));
    std::ifstream playlist(folder.path() / "Playlists" / "Everything.m3u8");
    std::string line;
    REQUIRE(std::getline(playlist, line));
    CHECK(line == "#EXTM3U");
    std::map<fs::path, int> named;
    while (std::getline(playlist, line)) {
        CHECK(line.starts_with("#EXTINF:2,"));
        REQUIRE(std::getline(playlist, line));
        CHECK(fs::is_regular_file(folder.path() / "Playlists" / line));
        ++named[line];
    }
    CHECK(named.size() == 30);
}

TEST_CASE("it is the same at every call") {
    const TemporaryFolder one;
    const TemporaryFolder other;
    REQUIRE(generate_library(one.path(), 9));
    REQUIRE(generate_library(other.path() / "deeper" / "still", 9));
    REQUIRE(generate_library(one.path(), 9));
    const auto names = files(one.path());
    REQUIRE(names == files(other.path() / "deeper" / "still"));
    CHECK(names.size() == 10);
    for (const auto& name : names) {
        CHECK(read(one.path() / name) == read(other.path() / "deeper" / "still" / name));
    }
}

TEST_CASE("a library that cannot be written is an error, one without tracks has its playlist") {
    const TemporaryFolder folder;
    folder.file("file", {});
    CHECK_FALSE(generate_library(folder.path() / "file", 1));
    CHECK_FALSE(generate_library(folder.path() / "file", 0));
    CHECK_FALSE(generate_pattern(folder.path() / "no" / "such" / "folder", 8));
    REQUIRE(generate_library(folder.path() / "none", 0));
    CHECK(files(folder.path() / "none").size() == 1);
}

TEST_CASE("a pattern's bytes are their own offsets") {
    const TemporaryFolder folder;
    for (const std::size_t size : {0UL, 1UL, 7UL, 8UL, 1000UL, (1UL << 20U), (1UL << 20U) + 3, (3UL << 20U)}) {
        CAPTURE(size);
        REQUIRE(generate_pattern(folder.path() / "pattern", size));
        const auto bytes = read(folder.path() / "pattern");
        REQUIRE(bytes.size() == size);
        ByteReader reader(bytes);
        bool right = true;
        for (std::uint64_t offset = 0; offset + 8 <= size; offset += 8) {
            right = right && reader.u64le() == offset;
        }
        CHECK(right);
    }
}
