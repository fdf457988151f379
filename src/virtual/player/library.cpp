#include "virtual/player/library.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numbers>
#include <string>

namespace plugfs::virtual_usb {

namespace fs = std::filesystem;

namespace {

constexpr unsigned sample_rate = 22050;
constexpr double seconds_each = 2.0;

struct Track {
    std::string artist;
    std::string album;
    std::string title;
    unsigned number = 1;
};

constexpr std::array artists = {"Anna Sine", "The Square Waves", "Jürgen Säge"};
constexpr std::array albums = {"First Harmonics", "Second Thoughts"};
constexpr std::array titles = {"Fundamental", "Octave", "Perfect Fifth", "Overtones"};

Track track_number(unsigned index) {
    const unsigned per_album = titles.size();
    const unsigned album = index / per_album;
    Track track;
    track.number = (index % per_album) + 1;
    track.artist = artists[(album / albums.size()) % artists.size()];
    track.album = albums[album % albums.size()];
    track.title = titles[index % per_album];
    if (const unsigned round = index / (per_album * albums.size() * artists.size()); round > 0) {
        track.album += " " + std::to_string(round + 1);
    }
    return track;
}

void text(ByteWriter& out, std::string_view words) {
    out.append(std::as_bytes(std::span(words.data(), words.size())));
}

// RIFF: a four-letter name, a length, the content, padded to an even length.
void chunk(ByteWriter& out, std::string_view name, std::span<const std::byte> content) {
    text(out, name);
    out.u32le(static_cast<std::uint32_t>(content.size()));
    out.append(content);
    if (content.size() % 2 != 0) {
        out.u8(0);
    }
}

std::vector<std::byte> info_list(const Track& track) {
    ByteWriter out;
    text(out, "INFO");
    for (const auto& [name, value] :
         {std::pair("IART", track.artist), std::pair("IPRD", track.album), std::pair("INAM", track.title),
          std::pair("ITRK", std::to_string(track.number)), std::pair("IGNR", std::string("Test tone"))}) {
        chunk(out, name, std::as_bytes(std::span(value.c_str(), value.size() + 1)));
    }
    return std::move(out).take();
}

// ID3v2.4: sizes have 7 bits a byte (a frame's is below 128 here, where that makes no difference); text in UTF-8 is
// encoding 3.
std::vector<std::byte> id3_tag(const Track& track) {
    ByteWriter frames;
    for (const auto& [name, value] :
         {std::pair("TPE1", track.artist), std::pair("TALB", track.album), std::pair("TIT2", track.title),
          std::pair("TRCK", std::to_string(track.number)), std::pair("TCON", std::string("Test tone"))}) {
        text(frames, name);
        frames.u32be(static_cast<std::uint32_t>(value.size() + 1));
        frames.u16be(0);
        frames.u8(3);
        text(frames, value);
    }
    ByteWriter out;
    text(out, "ID3");
    out.u16be(0x0400);
    out.u8(0);
    const auto size = static_cast<std::uint32_t>(frames.size());
    for (const unsigned shift : {21U, 14U, 7U, 0U}) {
        out.u8(static_cast<std::uint8_t>((size >> shift) & 0x7fU));
    }
    out.append(frames.bytes());
    return std::move(out).take();
}

std::vector<std::byte> samples(unsigned index) {
    const double pitch = 220.0 * std::pow(2.0, (index % 12) / 12.0);
    const auto count = static_cast<unsigned>(seconds_each * sample_rate);
    ByteWriter out;
    for (unsigned i = 0; i < count; ++i) {
        const double time = static_cast<double>(i) / sample_rate;
        const double fade = std::min({1.0, time * 20, (seconds_each - time) * 20});
        const double level =
            std::sin(2 * std::numbers::pi * pitch * time) * 0.5 + std::sin(4 * std::numbers::pi * pitch * time) * 0.2;
        out.u16le(static_cast<std::uint16_t>(static_cast<std::int16_t>(level * fade * 30000)));
    }
    return std::move(out).take();
}

std::vector<std::byte> wave_file(const Track& track, unsigned index) {
    ByteWriter format;
    format.u16le(1);  // PCM
    format.u16le(1);
    format.u32le(sample_rate);
    format.u32le(sample_rate * 2);
    format.u16le(2);
    format.u16le(16);
    ByteWriter body;
    text(body, "WAVE");
    chunk(body, "fmt ", format.bytes());
    chunk(body, "LIST", info_list(track));
    chunk(body, "data", samples(index));
    chunk(body, "id3 ", id3_tag(track));
    ByteWriter out;
    chunk(out, "RIFF", body.bytes());
    return std::move(out).take();
}

Result<void> write_file(const fs::path& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file ? Result<void>() : Result<void>(fail(EIO, "write " + path.string()));
}

}  // namespace

Result<void> generate_library(const fs::path& output, unsigned tracks) {
    std::string playlist = "#EXTM3U\n";
    std::error_code error;
    for (unsigned index = 0; index < tracks; ++index) {
        const Track track = track_number(index);
        std::array<char, 8> number{};
        (void)std::snprintf(number.data(), number.size(), "%02u ", track.number);
        const fs::path folder = fs::path("Music") / track.artist / track.album;
        const fs::path file = folder / (number.data() + track.title + ".wav");
        fs::create_directories(output / folder, error);
        if (error) {
            return fail(error.value(), "create " + (output / folder).string());
        }
        PLUGFS_TRY(write_file(output / file, wave_file(track, index)));
        playlist += "#EXTINF:2," + track.artist + " - " + track.title + "\n../" + file.string() + "\n";
    }
    fs::create_directories(output / "Playlists", error);
    fs::create_directories(output / "Pictures", error);
    return write_file(output / "Playlists" / "Everything.m3u8",
                      std::as_bytes(std::span(playlist.data(), playlist.size())));
}

Result<void> generate_pattern(const fs::path& file, std::uint64_t size) {
    std::ofstream stream(file, std::ios::binary | std::ios::trunc);
    constexpr std::size_t piece = std::size_t{1} << 20U;
    for (std::uint64_t at = 0; at < size && stream; at += piece) {
        ByteWriter out;
        for (std::uint64_t offset = at; offset < at + piece; offset += 8) {
            out.u64le(offset);
        }
        stream.write(reinterpret_cast<const char*>(out.bytes().data()),
                     static_cast<std::streamsize>(std::min<std::uint64_t>(piece, size - at)));
    }
    stream.close();
    return stream ? Result<void>() : Result<void>(fail(EIO, "write " + file.string()));
}

}  // namespace plugfs::virtual_usb
