// The parts that the notes in the spool are made of; see uploads.h and moves.h.
//
// A note begins with a byte that says what it is. Texts are 16 bits of length and UTF-8.
#pragma once

#include <plugfs/bytes.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace plugfs::mtp {

inline constexpr std::uint8_t upload_note = 1;
inline constexpr std::uint8_t move_note = 2;
inline constexpr std::uint8_t playlist_note = 3;

inline void put_text(ByteWriter& writer, const std::string& text) {
    writer.u16le(static_cast<std::uint16_t>(text.size()));
    writer.append(std::as_bytes(std::span(text)));
}

inline std::string take_text(ByteReader& reader) {
    const auto bytes = reader.take(reader.u16le());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void put_texts(ByteWriter& writer, const std::vector<std::string>& texts) {
    writer.u16le(static_cast<std::uint16_t>(texts.size()));
    for (const auto& text : texts) {
        put_text(writer, text);
    }
}

inline std::vector<std::string> take_texts(ByteReader& reader) {
    std::vector<std::string> texts;
    for (std::size_t left = reader.u16le(); left > 0 && reader.ok(); --left) {
        texts.push_back(take_text(reader));
    }
    return texts;
}

}  // namespace plugfs::mtp
