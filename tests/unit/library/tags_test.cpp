// Tags of real files: those that the virtual player's library makes, and such ones as they should not be.
#include "library/tags.h"

#include "library/file_stream.h"
#include "temporary_folder.h"
#include "virtual/player/library.h"

#include <doctest/doctest.h>

#include <climits>
#include <fstream>
#include <iterator>

using namespace plugfs;
using namespace plugfs::library;

namespace {

struct Bytes {
    std::string content;
    std::uint64_t bytes_read = 0;
    std::size_t at_once = SIZE_MAX;
    std::optional<Error> error = std::nullopt;

    TaggedFile file(const std::string& name) {
        return {name, content.size(), [this](std::uint64_t offset, std::span<std::byte> out) -> Result<std::size_t> {
                    if (error) {
                        return *error;
                    }
                    CHECK(offset + out.size() <= content.size());
                    const std::size_t count = std::min(out.size(), at_once);
                    std::copy_n(std::as_bytes(std::span(content)).begin() + static_cast<std::ptrdiff_t>(offset), count,
                                out.begin());
                    bytes_read += count;
                    return count;
                }};
    }
};

std::string generated_track() {
    const plugfs::test::TemporaryFolder folder;
    REQUIRE(virtual_usb::generate_library(folder.path(), 2));
    std::ifstream stream(folder.path() / "Music/Anna Sine/First Harmonics/02 Octave.wav", std::ios::binary);
    REQUIRE(stream);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string value(const Result<std::vector<Attribute>>& attributes, std::string_view name) {
    REQUIRE(attributes.ok());
    for (const auto& attribute : *attributes) {
        if (attribute.name == name) {
            return attribute.size ? std::to_string(*attribute.size) + " bytes" : attribute.value;
        }
    }
    return "absent";
}

std::string number(std::uint32_t value, unsigned bits) {
    std::string text;
    for (int i = 3; i >= 0; --i) {
        text += static_cast<char>((value >> (static_cast<unsigned>(i) * bits)) & ((1U << bits) - 1));
    }
    return text;
}

// An ID3v2.4 tag, as its specification has it: sizes with seven bits a byte.
std::string frame(const std::string& name, const std::string& content) {
    return name + number(static_cast<std::uint32_t>(content.size()), 7) + std::string(2, '\0') + content;
}
std::string id3(const std::string& frames) {
    return std::string("ID3\4\0\0", 6) + number(static_cast<std::uint32_t>(frames.size()), 7) + frames;
}
const std::string picture = "\xFF\xD8\xFF picture";

std::string mp3() {
    const std::string cover = frame("APIC", std::string("\0image/jpeg\0\3\0", 14) + picture);
    return id3(frame("TPE1", "\3J\xC3\xBCrgen") + frame("TALB", "\3S\xC3\xA4ge") + frame("TIT2", "\3One\ntwo") +
               frame("TRCK", "\0037/12") + frame("TDRC", "\0031999-05-01") + cover) +
           std::string(2000, 'x');
}

}  // namespace

TEST_CASE("the tags of a track, read in part, in whatever pieces the device gives it") {
    Bytes track{generated_track()};
    track.at_once = 1000;
    const auto attributes = read_tags(track.file("a.wav"));
    CHECK(value(attributes, "media.artist") == "Anna Sine");
    CHECK(value(attributes, "media.album") == "First Harmonics");
    CHECK(value(attributes, "media.title") == "Octave");
    CHECK(value(attributes, "media.track") == "2");
    CHECK(value(attributes, "media.genre") == "Test tone");
    CHECK(value(attributes, "media.duration_ms") == "2000");
    CHECK(value(attributes, "media.year") == "absent");
    CHECK(value(attributes, "media.cover") == "absent");
    CHECK(track.bytes_read < track.content.size());
}

TEST_CASE("ID3v2 with a cover") {
    Bytes track{mp3()};
    const auto attributes = read_tags(track.file("A.MP3"));
    CHECK(value(attributes, "media.artist") == "J\xC3\xBCrgen");
    CHECK(value(attributes, "media.title") == "One two");
    CHECK(value(attributes, "media.track") == "7");
    CHECK(value(attributes, "media.year") == "1999");
    CHECK(value(attributes, "media.cover") == std::to_string(picture.size()) + " bytes");
    const auto cover = read_cover(track.file("A.MP3"));
    REQUIRE(cover.ok());
    CHECK(*cover == picture);
}

TEST_CASE("what is no audio file has no tags, and is not read") {
    Bytes text{"hello"};
    CHECK(read_tags(text.file("a.txt")).error().code == ENODATA);
    CHECK(read_tags(text.file("wav")).error().code == ENODATA);
    CHECK(text.bytes_read == 0);
    const auto attributes = read_tags(text.file("a.wav"));
    CHECK((!attributes || attributes->empty()));
    CHECK(read_cover(text.file("a.mp3")).error().code == ENODATA);
    Bytes empty;
    CHECK(read_cover(empty.file("a.flac")).error().code == ENODATA);
}

TEST_CASE("an error of the device is the error") {
    Bytes track{generated_track()};
    track.error = fail(ENODEV, "read");
    CHECK(read_tags(track.file("a.wav")).error().code == ENODEV);
    CHECK(read_cover(track.file("a.wav")).error().code == ENODEV);
}

TEST_CASE("a file that says it is endless costs no more than the limit") {
    std::uint64_t bytes_read = 0;
    const TaggedFile endless{"a.mp3", UINT64_MAX, [&](std::uint64_t, std::span<std::byte> out) -> Result<std::size_t> {
                                 std::fill(out.begin(), out.end(), std::byte{0});
                                 bytes_read += out.size();
                                 return out.size();
                             }};
    (void)read_tags(endless);
    CHECK(bytes_read <= read_limit);
    FileStream stream(endless);
    stream.seek(LONG_MAX, TagLib::IOStream::Beginning);
    stream.seek(LONG_MAX, TagLib::IOStream::Current);
    CHECK(stream.tell() == LONG_MAX);
    stream.seek(-1, TagLib::IOStream::Beginning);
    CHECK(stream.tell() == 0);
}

TEST_CASE("files cut anywhere") {
    for (const std::string& whole : {generated_track(), mp3()}) {
        for (std::size_t size = 0; size < std::min<std::size_t>(whole.size(), 3000); size += 7) {
            Bytes cut{whole.substr(0, size)};
            (void)read_tags(cut.file("a.wav"));
            (void)read_cover(cut.file("a.mp3"));
        }
    }
}
