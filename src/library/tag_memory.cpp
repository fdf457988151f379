#include "library/tag_memory.h"

#include "common/checksum.h"

#include <plugfs/bytes.h>

#include <algorithm>
#include <string_view>

namespace plugfs::library {

namespace {

// Of a record: 32 bits of length, 32 bits of checksum, then so many bytes, the body. A length of 0 ends the log.
constexpr std::size_t head_size = 8;
constexpr std::uint64_t growth = std::uint64_t{256} << 10U;
constexpr std::string_view note_text = "tags 1";

enum class What : std::uint8_t { reading = 1, known = 2, forgotten = 3, music = 4 };

void put_text(ByteWriter& writer, const std::string& text) {
    writer.u32le(static_cast<std::uint32_t>(text.size()));
    writer.append(std::as_bytes(std::span(text)));
}
std::string take_text(ByteReader& reader) {
    const auto bytes = reader.take(reader.u32le());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using Bytes = std::vector<std::byte>;

// A record begins with what it is, and of which file.
ByteWriter body_of(What what, std::uint64_t volume, std::uint64_t place) {
    ByteWriter body;
    body.u8(static_cast<std::uint8_t>(what));
    body.u64le(volume);
    body.u64le(place);
    return body;
}
Bytes short_body(What what, std::uint64_t volume = 0, std::uint64_t place = 0) {
    return body_of(what, volume, place).take();
}

std::vector<std::byte> details_of(const FileIdentity& file) {
    ByteWriter details;
    put_text(details, file.name);
    details.u64le(file.size);
    details.u8(file.modified ? 1 : 0);
    details.u64le(static_cast<std::uint64_t>(file.modified.value_or(0)));
    return std::move(details).take();
}

// The next details of a record, as they stand there.
std::span<const std::byte> take_details(ByteReader& reader, std::span<const std::byte> body) {
    const std::size_t begin = reader.offset();
    reader.skip(reader.u32le());
    reader.skip(8 + 1 + 8);
    return reader.ok() ? body.subspan(begin, reader.offset() - begin) : std::span<const std::byte>();
}

std::vector<Attribute> take_attributes(ByteReader& reader) {
    std::vector<Attribute> attributes;
    for (std::size_t left = reader.u16le(); left > 0 && reader.ok(); --left) {
        Attribute attribute;
        attribute.name = take_text(reader);
        attribute.value = take_text(reader);
        if (reader.u8() != 0) {
            attribute.size = reader.u64le();
        }
        attributes.push_back(std::move(attribute));
    }
    return attributes;
}

void put_attributes(ByteWriter& writer, const std::vector<Attribute>& attributes) {
    writer.u16le(static_cast<std::uint16_t>(attributes.size()));
    for (const auto& attribute : attributes) {
        put_text(writer, attribute.name);
        put_text(writer, attribute.value);
        writer.u8(attribute.size ? 1 : 0);
        if (attribute.size) {
            writer.u64le(*attribute.size);
        }
    }
}

}  // namespace

std::size_t TagMemory::PlaceHash::operator()(const Place& place) const {
    // splitmix64's last step: keys of one folder lie close together.
    std::uint64_t mixed = place.volume ^ (place.number * 0x9e3779b97f4a7c15U);
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return static_cast<std::size_t>(mixed ^ (mixed >> 31U));
}

TagMemory::TagMemory(Spool& spool) : spool_(spool) {
    for (const Spool::Id id : spool_.files()) {
        const auto note = spool_.note(id);
        const auto wanted = std::as_bytes(std::span(note_text));
        if (note && std::equal(note->begin(), note->end(), wanted.begin(), wanted.end())) {
            id_ = id;
            load();
            return;
        }
    }
}

void TagMemory::load() {
    room_ = std::min(spool_.size(*id_).ok() ? *spool_.size(*id_) : 0, size_limit);
    Bytes log(static_cast<std::size_t>(room_));
    const auto got = spool_.read(*id_, 0, log);
    log.resize(got ? std::min(*got, log.size()) : 0);
    ByteReader reader(log);
    while (true) {
        const std::uint32_t length = reader.u32le();
        const std::uint32_t sum = reader.u32le();
        const std::uint64_t offset = reader.offset();
        if (!reader.ok() || length == 0 || length > record_limit) {
            break;
        }
        const auto body = reader.take(length);
        if (!reader.ok() || checksum(body) != sum || !take_in(offset, body)) {
            break;
        }
        end_ = reader.offset();
    }
    // What stands behind it, half written perhaps, reads as zeroes from now on.
    if (!spool_.resize(*id_, end_)) {
        forget_all();
        return;
    }
    room_ = end_;
}

bool TagMemory::take_in(std::uint64_t offset, std::span<const std::byte> body) {
    ByteReader reader(body);
    const auto what = static_cast<What>(reader.u8());
    const std::uint64_t volume = reader.u64le();
    const Place place{volume, reader.u64le()};
    if (!reader.ok()) {
        return false;
    }
    if (what == What::music) {
        music_ = true;
        return true;
    }
    if (what == What::forgotten) {
        known_.erase(place);
        return true;
    }
    const auto details = take_details(reader, body);
    if (!reader.ok() || (what != What::reading && what != What::known)) {
        return false;
    }
    Known& known = known_[place];
    const std::uint32_t sum = checksum(details);
    if (known.details != sum) {
        known = {.details = sum};
    }
    if (what == What::reading) {
        ++known.tries;
    } else {
        known.offset = offset;
        known.length = static_cast<std::uint32_t>(body.size());
    }
    return true;
}

std::optional<std::vector<Attribute>> TagMemory::find(const FileIdentity& file) {
    const auto known = known_.find({file.volume, file.place});
    const auto details = details_of(file);
    if (known == known_.end() || known->second.length == 0 || known->second.details != checksum(details)) {
        return std::nullopt;
    }
    Bytes body(known->second.length);
    const auto got = spool_.read(*id_, known->second.offset, body);
    ByteReader reader(body);
    reader.skip(1 + 8 + 8);
    const auto there = take_details(reader, body);
    const bool same =
        got && *got == body.size() && std::equal(there.begin(), there.end(), details.begin(), details.end());
    auto attributes = take_attributes(reader);
    return same && reader.ok() && reader.remaining() == 0 ? std::optional(std::move(attributes)) : std::nullopt;
}

bool TagMemory::begin(const FileIdentity& file) {
    const auto details = details_of(file);
    const std::uint32_t sum = checksum(details);
    const auto known = known_.find({file.volume, file.place});
    if (known != known_.end() && known->second.details == sum && known->second.tries >= tries_limit) {
        return false;
    }
    ByteWriter body = body_of(What::reading, file.volume, file.place);
    body.append(details);
    const auto bytes = std::move(body).take();
    if (const auto offset = append(bytes)) {
        (void)take_in(*offset, bytes);
    }
    return true;
}

void TagMemory::keep(const FileIdentity& file, const std::vector<Attribute>& attributes) {
    ByteWriter body = body_of(What::known, file.volume, file.place);
    body.append(details_of(file));
    put_attributes(body, attributes);
    const auto bytes = std::move(body).take();
    if (bytes.size() > record_limit) {
        forget(file.volume, file.place);
        return;
    }
    if (const auto offset = append(bytes)) {
        (void)take_in(*offset, bytes);
    }
}

void TagMemory::forget(std::uint64_t volume, std::uint64_t place) {
    if (known_.erase({volume, place}) != 0) {
        (void)append(short_body(What::forgotten, volume, place));
    }
}

void TagMemory::forget_all() {
    known_.clear();
    end_ = room_ = 0;
    if (id_) {
        spool_.remove(*id_);
        id_.reset();
    }
    if (music_) {
        (void)append(short_body(What::music));
    }
}

void TagMemory::set_music() {
    if (!music_) {
        music_ = true;
        (void)append(short_body(What::music));
    }
}

std::optional<std::uint64_t> TagMemory::append(const Bytes& body) {
    if (end_ + head_size + body.size() > size_limit) {
        forget_all();
    }
    if (!id_) {
        const auto made = spool_.create(std::as_bytes(std::span(note_text)));
        if (!made) {
            return std::nullopt;
        }
        id_ = *made;
    }
    ByteWriter record;
    record.u32le(static_cast<std::uint32_t>(body.size()));
    record.u32le(checksum(body));
    record.append(body);
    if (end_ + record.size() > room_) {
        // In large steps: each changes the spool's own table.
        const std::uint64_t wanted = std::min(std::max(room_ + growth, end_ + record.size()), size_limit);
        if (!spool_.resize(*id_, wanted)) {
            return std::nullopt;
        }
        room_ = wanted;
    }
    if (!spool_.write(*id_, end_, record.bytes())) {
        return std::nullopt;
    }
    const std::uint64_t offset = end_ + head_size;
    end_ += record.size();
    return offset;
}

}  // namespace plugfs::library
