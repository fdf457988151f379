#include "kit/node_log.h"

#include "common/checksum.h"
#include "common/log.h"

#include <plugfs/bytes.h>

#include <cstring>
#include <unordered_map>

namespace plugfs::kit {

namespace {

// length 4, checksum 4, then what the checksum covers: flags 1, kind 1, lengths of three strings 2 each, inode 8,
// parent 8, size 8, modified 8, the strings; padded to 8.
constexpr std::size_t prefix_size = 8;
constexpr std::size_t fixed_size = prefix_size + 8 + 32;
constexpr std::size_t string_limit = 4096;
constexpr std::uint8_t flag_taken_back = 1;
constexpr std::uint8_t flag_has_time = 2;
constexpr std::uint8_t flag_written = 4;
constexpr unsigned content_shift = 4;  // what it is, in the upper half of the flags

Error damaged(const std::string& what, std::size_t offset) {
    return fail(EPROTO, "vault", "notes of the tree: " + what + " at offset " + std::to_string(offset));
}

std::vector<std::byte> encode(const NodeNote& note, bool taken_back) {
    const auto text_length = [](const std::string& text) {
        return static_cast<std::uint16_t>(std::min(text.size(), string_limit));
    };
    ByteWriter body;
    body.u8(static_cast<std::uint8_t>((taken_back ? flag_taken_back : 0U) | (note.modified ? flag_has_time : 0U) |
                                      (note.written ? flag_written : 0U) |
                                      (static_cast<unsigned>(note.content) << content_shift)));
    body.u8(static_cast<std::uint8_t>(note.kind));
    for (const auto* text : {&note.name, &note.device_name, &note.identity}) {
        body.u16le(text_length(*text));
    }
    body.u64le(note.inode);
    body.u64le(note.parent);
    body.u64le(note.size);
    body.u64le(static_cast<std::uint64_t>(note.modified.value_or(0)));
    for (const auto* text : {&note.name, &note.device_name, &note.identity}) {
        body.append(std::as_bytes(std::span(*text)).first(text_length(*text)));
    }
    while (body.bytes().size() % 8 != 0) {
        body.u8(0);
    }
    ByteWriter whole;
    whole.u32le(static_cast<std::uint32_t>(prefix_size + body.bytes().size()));
    whole.u32le(checksum(body.bytes()));
    whole.append(body.bytes());
    return std::move(whole).take();
}

}  // namespace

Result<std::vector<NodeNote>> NodeLog::read() const {
    const auto& header = vault_.header();
    if (header.node_area_overflowed.load() != 0) {
        return fail(EOVERFLOW, "vault", "the kernel knows more entries than could be noted");
    }
    const std::uint32_t area = header.node_area.load(std::memory_order_acquire);
    if (area > 1) {
        return damaged("node_area is " + std::to_string(area), 0);
    }
    const std::uint64_t used = header.node_area_used[area].load(std::memory_order_acquire);
    if (used > node_area_size) {
        return damaged("node_area_used is " + std::to_string(used), 0);
    }
    const std::span<const std::byte> bytes = vault_.node_area(area).first(used);
    std::unordered_map<std::uint64_t, NodeNote> notes;
    for (std::size_t at = 0; at < bytes.size();) {
        ByteReader prefix(bytes.subspan(at));
        const std::uint32_t length = prefix.u32le();
        const std::uint32_t sum = prefix.u32le();
        if (length < fixed_size || length > bytes.size() - at || length % 8 != 0) {
            return damaged("length is " + std::to_string(length), at);
        }
        const auto body = bytes.subspan(at + prefix_size, length - prefix_size);
        if (checksum(body) != sum) {
            return damaged("the checksum is wrong", at);
        }
        ByteReader reader(body);
        const std::uint8_t flags = reader.u8();
        const std::uint8_t kind = reader.u8();
        const std::array<std::size_t, 3> lengths = {reader.u16le(), reader.u16le(), reader.u16le()};
        NodeNote note;
        note.inode = reader.u64le();
        note.parent = reader.u64le();
        note.size = reader.u64le();
        const auto modified = static_cast<std::int64_t>(reader.u64le());
        if ((flags & flag_has_time) != 0) {
            note.modified = modified;
        }
        note.written = (flags & flag_written) != 0;
        std::array<std::string*, 3> texts = {&note.name, &note.device_name, &note.identity};
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto text = reader.take(lengths[i]);
            texts[i]->assign(reinterpret_cast<const char*>(text.data()), text.size());
        }
        if (!reader.ok() || kind > static_cast<std::uint8_t>(Kind::file)) {
            return damaged(reader.ok() ? "kind is " + std::to_string(kind) : "a string passes the end", at);
        }
        note.kind = static_cast<Kind>(kind);
        const unsigned content = flags >> content_shift;
        if (content > static_cast<unsigned>(Content::attribute)) {
            return damaged("content is " + std::to_string(content), at);
        }
        note.content = static_cast<Content>(content);
        if ((flags & flag_taken_back) != 0) {
            notes.erase(note.inode);
        } else {
            notes[note.inode] = std::move(note);
        }
        at += length;
    }
    std::vector<NodeNote> list;
    list.reserve(notes.size());
    for (auto& [inode, note] : notes) {
        list.push_back(std::move(note));
    }
    return list;
}

bool NodeLog::append(std::uint32_t area, const NodeNote& note, bool taken_back) {
    auto& used = vault_.header().node_area_used[area];
    const std::uint64_t at = used.load(std::memory_order_relaxed);
    const auto bytes = encode(note, taken_back);
    if (at > node_area_size || bytes.size() > node_area_size - at) {
        return false;
    }
    std::memcpy(vault_.node_area(area).data() + at, bytes.data(), bytes.size());
    // Only now does it count.
    used.store(at + bytes.size(), std::memory_order_release);
    return true;
}

void NodeLog::add(const NodeNote& note, bool taken_back) {
    auto& header = vault_.header();
    if (header.node_area_overflowed.load(std::memory_order_relaxed) != 0) {
        return;
    }
    if (append(header.node_area.load(std::memory_order_relaxed) & 1U, note, taken_back)) {
        return;
    }
    if (!move_to_other_area() || !append(header.node_area.load(std::memory_order_relaxed) & 1U, note, taken_back)) {
        header.node_area_overflowed.store(1);
        log::warning("the kernel knows too many entries for a takeover: after a crash everything is mounted anew");
    }
}

bool NodeLog::move_to_other_area() {
    auto& header = vault_.header();
    const std::uint32_t other = (header.node_area.load(std::memory_order_relaxed) & 1U) ^ 1U;
    header.node_area_used[other].store(0, std::memory_order_release);
    bool fits = all != nullptr;
    if (all) {
        all([&](const NodeNote& note) { fits = fits && append(other, note, false); });
    }
    // Room for as much again, or the next move is only some notes away.
    if (!fits || header.node_area_used[other].load() > node_area_size * 7 / 8) {
        return false;
    }
    header.node_area.store(other, std::memory_order_release);
    return true;
}

void NodeLog::note(const NodeNote& note) {
    add(note, false);
}

void NodeLog::take_back(std::uint64_t inode) {
    NodeNote note;
    note.inode = inode;
    add(note, true);
}

}  // namespace plugfs::kit
